"""Why a run failed, in the three codes that a run has."""

from __future__ import annotations

from .port import Failed, Json, UpstreamError

_RATE = frozenset({"rate_limit_exceeded", "rate_limit_error", "insufficient_quota", "tokens", "requests"})
_INPUT = frozenset(
    {
        "invalid_prompt",
        "content_policy_violation",
        "content_filter",
        "context_length_exceeded",
        "bio_policy",
        "misalignment_policy_violation",
        "data_residency_mismatch",
        "failed_to_download_image",
        "empty_image_file",
        "unsupported_image_media_type",
    }
)


def failure(error: Json) -> Failed:
    """A :class:`Failed` from an upstream's error object (or bare message)."""
    if not isinstance(error, dict):
        return Failed("server_error", str(error) if error else "The upstream reported an error.")
    names = {str(error.get(key)) for key in ("code", "type")}
    message = error.get("message")
    if not isinstance(message, str) or not message:
        message = f"The upstream reported an error without a message (code {error.get('code')!r})."
    if names & _RATE or "429" in names:
        return Failed("rate_limit_exceeded", message)
    if names & _INPUT or any(
        name.startswith(("invalid_image", "invalid_base64", "image_")) for name in names
    ):
        return Failed("invalid_prompt", message)
    return Failed("server_error", message)


def refused(error: UpstreamError) -> Failed:
    """A :class:`Failed` from a request to the upstream that failed."""
    return failure({"message": error.message, "code": error.code, "type": error.status})
