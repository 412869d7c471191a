"""Which endpoint answers which request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from . import assistants, run_requests, store_search, threads, v1_files
from .context import ApiAnswer, Context
from .file_table import FILE_TABLE


class Route(NamedTuple):
    """``path`` is its template: ``/threads/{thread_id}``."""

    method: str
    path: str
    pattern: re.Pattern[str]
    endpoint: Callable[[Context], ApiAnswer]
    of_files: bool = False
    writes: bool = True


def routes(*, files: bool) -> list[Route]:
    """All of them; with ``files`` those of files and vector stores, too."""
    thread = "/threads/{thread_id}"
    run = thread + "/runs/{run_id}"
    table: list[tuple[str, str, Callable[[Context], ApiAnswer]]] = [
        ("POST", "/assistants", assistants.create),
        ("GET", "/assistants", assistants.index),
        ("GET", "/assistants/{assistant_id}", assistants.retrieve),
        ("POST", "/assistants/{assistant_id}", assistants.update),
        ("DELETE", "/assistants/{assistant_id}", assistants.remove),
        ("GET", "/assistants/{assistant_id}/files", v1_files.index),
        ("POST", "/assistants/{assistant_id}/files", v1_files.create),
        ("GET", "/assistants/{assistant_id}/files/{file_id}", v1_files.retrieve),
        ("DELETE", "/assistants/{assistant_id}/files/{file_id}", v1_files.remove),
        ("POST", "/threads", threads.create),
        ("GET", "/threads", threads.index),
        ("POST", "/threads/runs", run_requests.create_thread_and_run),
        ("GET", thread, threads.retrieve),
        ("POST", thread, threads.update),
        ("DELETE", thread, threads.remove),
        ("POST", thread + "/messages", threads.add_message),
        ("GET", thread + "/messages", threads.messages),
        ("GET", thread + "/messages/{message_id}", threads.retrieve_message),
        ("POST", thread + "/messages/{message_id}", threads.update_message),
        ("DELETE", thread + "/messages/{message_id}", threads.remove_message),
        ("GET", thread + "/messages/{message_id}/files", v1_files.of_message),
        ("GET", thread + "/messages/{message_id}/files/{file_id}", v1_files.of_message_one),
        ("POST", thread + "/runs", run_requests.create),
        ("GET", thread + "/runs", run_requests.index),
        ("GET", run, run_requests.retrieve),
        ("POST", run, run_requests.update),
        ("POST", run + "/cancel", run_requests.cancel),
        ("POST", run + "/submit_tool_outputs", run_requests.submit),
        ("GET", run + "/steps", run_requests.steps),
        ("GET", run + "/steps/{step_id}", run_requests.step),
    ]
    made = [_route(*entry) for entry in table]
    return [*made, *(_route(*entry, of_files=True) for entry in FILE_TABLE)] if files else made


def _route(
    method: str, path: str, endpoint: Callable[[Context], ApiAnswer], *, of_files: bool = False
) -> Route:
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))
    writes = method != "GET" and endpoint is not store_search.search
    return Route(method, path, pattern, endpoint, of_files, writes)
