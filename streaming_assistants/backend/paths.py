"""Which requests are the Assistants API's."""

from __future__ import annotations

import re

# What servers put before the API's own paths: Azure's prefix, and the deployment that SDKs before 1.65.2
# put into every path when the client was made with one.
_PREFIX = re.compile(r"(?:/openai)?(?:/v1)?(?:/deployments/[^/]+)?(?=/)")
_OURS = re.compile(r"/(?:assistants|threads)(?:/.*)?")
_FILE = re.compile(r"/files/[^/]+/content")
_BESIDE = re.compile(r"/(?:files|uploads|vector_stores|containers)(?:/.*)?")


def assistants_path(path: str, base_path: str) -> str | None:
    """The path from ``/assistants`` or ``/threads`` on; None when the request is for something else.

    >>> assistants_path("/v1/threads/thread_1", "/v1")
    '/threads/thread_1'
    >>> assistants_path("/openai/deployments/gpt/assistants", "/openai")
    '/assistants'
    >>> assistants_path("/v1/files/threads", "/v1") is None
    True
    """
    rest = _rest(path, base_path)
    return rest if _OURS.fullmatch(rest) else None


def file_content_path(method: str, path: str, base_path: str) -> str | None:
    """The path of a request for a file's content, which the backend has when a tool made the file."""
    rest = _rest(path, base_path)
    return rest if method == "GET" and _FILE.fullmatch(rest) else None


def beside_path(path: str) -> str | None:
    """The path of a request that Assistants code makes beside the API: for files and vector stores."""
    rest = _rest(path, "")
    return rest if _BESIDE.fullmatch(rest) else None


def _rest(path: str, base_path: str) -> str:
    if base_path and path.startswith(base_path + "/"):
        path = path[len(base_path) :]
    prefix = _PREFIX.match(path)
    return path[prefix.end() :] if prefix else path
