"""What the API says to whoever may not ask, or asks too much. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .api_errors import ApiError

_MEGABYTE = 1_000_000


def shown_key(headers: Mapping[str, str]) -> str | None:
    """The key of a request, as OpenAI's clients send it or as Azure's do. Header names are in lower case."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    shown = given.strip() if scheme.lower() == "bearer" else headers.get("api-key", "")
    return shown or None


def chosen(projects: Sequence[str], wanted: str | None) -> str:
    """The project that a request is for, of those that its key opens. Raises the API's 401 for another one.

    A key of no project takes any name: a client has it from its environment.
    """
    if not wanted or projects == ("",):
        return projects[0]
    if wanted not in projects:
        raise ApiError(
            401, "OpenAI-Project header should match project for API key", code="mismatched_project"
        )
    return wanted


def no_key() -> ApiError:
    return ApiError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )


def wrong_key() -> ApiError:
    return ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


def too_many_requests(project: str, limit: int, used: int, seconds: float) -> ApiError:
    """``seconds`` are those until the next minute begins."""
    error = _exceeded(
        f"{_limit_of(project)} on requests per min (RPM): Limit {limit}, Used {min(used, limit)}, "
        f"Requested 1. Please try again in {max(1, round(seconds))}s.",
        "requests",
    )
    error.after = seconds
    return error


def too_many_runs(project: str, limit: int, running: int) -> ApiError:
    error = _exceeded(
        f"{_limit_of(project)} on runs at once: Limit {limit}, Used {running}, Requested 1. "
        "Please try again in 1s.",
        "runs",
    )
    error.after = 1
    return error


def storage_full(project: str, limit: int, stored: int, size: int) -> ApiError:
    """For what will not fit until something is deleted, however often it is tried."""
    error = ApiError(
        429,
        "You exceeded your current quota, please check your plan and billing details. "
        f"{_limit_of(project)} on storage: Limit {_bytes(limit)}, Used {_bytes(stored)}, "
        f"Requested {_bytes(size)}. Delete files or vector stores first.",
        code="insufficient_quota",
        kind="insufficient_quota",
    )
    error.after = 60
    error.again = False
    return error


def _exceeded(message: str, kind: str) -> ApiError:
    return ApiError(429, message, code="rate_limit_exceeded", kind=kind)


def _limit_of(project: str) -> str:
    return f"Rate limit reached for project {project}" if project else "Rate limit reached"


def _bytes(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f} MB" if size >= _MEGABYTE else f"{size:,} bytes"
