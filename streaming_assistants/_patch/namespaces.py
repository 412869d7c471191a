"""The attribute that holds vector stores: each SDK has it in one place, or in another, or not at all."""

from __future__ import annotations

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import AnyClient

from .capability import resolve
from .display import OURS, SDK, Judgement

STORES = "vector_stores"

OWNERS = ("", "beta")
"""The paths of the objects that have it on a patched client; one resource stands behind both."""


def judge_namespace(client: AnyClient, owner: str) -> Judgement:
    """Decides who provides it at one of its places."""
    path = f"{owner}.{STORES}" if owner else STORES
    if _sdk.declares(resolve(client, owner).__class__, STORES):
        return Judgement(path, SDK, "sound")
    return Judgement(path, OURS, f"missing: the SDK has no client.{path}")
