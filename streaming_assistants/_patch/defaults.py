"""What a client was patched with, for its methods to see."""

from __future__ import annotations

KEY = "_streaming_assistants"
"""Where a patched client, or the module, keeps how it was patched."""


def resumes(client: object) -> bool:
    """Whether its streams go on when their connection breaks, unless a call says otherwise."""
    return bool(getattr(client.__dict__.get(KEY), "resume", False))
