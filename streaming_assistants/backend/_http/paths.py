"""Which requests are the Assistants API's."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

# What servers put before the API's own paths: Azure's prefix, and the deployment that SDKs before 1.65.2
# put into every path when the client was made with one.
_PREFIX = re.compile(r"(?:/openai)?(?:/v1)?(?:/deployments/[^/]+)?(?=/)")
_OURS = re.compile(r"/(?:assistants|threads)(?:/.*)?")
_OF_FILES = re.compile(r"/(?:files|uploads|vector_stores)(?:/.*)?")
_FILE = re.compile(r"/files/[^/]+/content")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_DEPLOYMENT = re.compile(r"(?:/openai)?(?:/v1)?/deployments/([^/]+)(?=/)")


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


def files_path(path: str, base_path: str) -> str | None:
    """The path of a request for files, uploads or vector stores, which a backend that keeps files answers.

    >>> files_path("/v1/vector_stores/vs_1/files", "/v1")
    '/vector_stores/vs_1/files'
    >>> files_path("/v1/containers/c/files", "/v1") is None
    True
    """
    rest = _rest(path, base_path)
    return rest if _OF_FILES.fullmatch(rest) else None


def file_content_path(method: str, path: str, base_path: str) -> str | None:
    """The path of a request for a file's content, which the backend has when a tool made the file."""
    rest = _rest(path, base_path)
    return rest if method == "GET" and _FILE.fullmatch(rest) else None


def requested_path(target: bytes) -> str | None:
    """The path of a request as it stands in its first line, decoded; None when it is no plain path.

    What may mean one path here and another to whoever reads it next is none: dot segments, slashes that are
    encoded, backslashes, control characters, bytes that are no UTF-8, another server's address.

    >>> requested_path(b"/v1/files/file%2D1")
    '/v1/files/file-1'
    >>> requested_path(b"/v1/files/..%2fmodels") is None
    True
    >>> requested_path(b"http://elsewhere/v1/models") is None
    True
    """
    if not target.startswith(b"/") or target.startswith(b"//") or _BAD_ESCAPE.search(target):
        return None
    try:
        path = unquote_to_bytes(target).decode("utf-8")
    except UnicodeDecodeError:
        return None
    if path.count("/") != target.count(b"/") or _CONTROL.search(path):
        return None
    return None if {".", ".."} & set(path.split("/")) else path


def without_prefix(path: str) -> str:
    """The path within the API, of a request to a server of its own."""
    return _rest(path, "")


def deployment_of(path: str) -> str | None:
    """The deployment that an Azure client asks, where its path names one."""
    match = _DEPLOYMENT.match(path)
    return match and match[1]


def _rest(path: str, base_path: str) -> str:
    if base_path and path.startswith(base_path + "/"):
        path = path[len(base_path) :]
    prefix = _PREFIX.match(path)
    return path[prefix.end() :] if prefix else path
