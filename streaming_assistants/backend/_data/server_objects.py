"""The objects that a live server of the API holds, asked for by plain requests: sans-IO but for ``ask``.

Such servers differ: some lack lists, some ignore ``order`` or ``after``, one lists the runs of all threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .._engine.port import Json

_LACKING = (404, 405, 501)
_REFUSED = (400, 401, 403, *_LACKING)
_PAGE = 100
_RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


class Refused(Exception):
    """The server answers with an error, in its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Asks(Protocol):
    """Asks the server. Both raise :class:`Refused`; what is no answer at all is let through."""

    def get(self, path: str, query: Mapping[str, str | int]) -> Json:
        """The answer to a GET request."""
        ...

    def content(self, file_id: str) -> bytes:
        """The content of a file."""
        ...


@dataclass
class ServerObjects:
    """``note`` is told what the server lacks or refuses, in words; all else is read."""

    ask: Asks
    note: Callable[[str], object]

    def read(self, thread_ids: Sequence[str]) -> Iterator[Json]:
        """Assistants, files with their contents, vector stores, and threads with all that is in them: those
        of these ids, and all where the server lists them."""
        yield from self._pages("/assistants")
        for file in self._pages("/files"):
            yield self._with_content(file)
        for store in self._pages("/vector_stores"):
            yield store
            for each in self._pages(f"/vector_stores/{store['id']}/files"):
                yield {**each, "vector_store_id": store["id"]}
        seen: set[str] = set()
        for id in thread_ids:
            seen.add(id)
            try:
                thread = self.ask.get(f"/threads/{id}", {})
            except Refused as error:
                if error.status not in _REFUSED:
                    raise
                self.note(f"{id} is not read: {error}")
                continue
            yield from self._thread(thread)
        for thread in self._pages("/threads", quiet=bool(thread_ids)):
            if thread["id"] not in seen:
                yield from self._thread(thread)

    def _thread(self, thread: Json) -> Iterator[Json]:
        path = f"/threads/{thread['id']}"
        yield thread
        yield from self._pages(f"{path}/messages")
        stepless = False
        for run in self._pages(f"{path}/runs"):
            if run.get("thread_id") != thread["id"]:
                continue
            yield run
            steps = f"{path}/runs/{run['id']}/steps"
            if not stepless:
                try:
                    yield from self._all(steps, {"include[]": _RESULTS})
                except Refused as error:
                    if error.status not in _LACKING:
                        raise
                    stepless = True
                    self.note(f"{steps} is not read: {error}")

    def _pages(self, path: str, *, quiet: bool = False) -> Iterator[Json]:
        """A list from its oldest object on; none where the server lacks it, which is noted."""
        try:
            yield from self._all(path, {})
        except Refused as error:
            if error.status not in _LACKING:
                raise
            if not quiet:
                self.note(f"{path} is not read: {error}")

    def _all(self, path: str, query: Mapping[str, str | int]) -> Iterator[Json]:
        after: dict[str, str | int] = {}
        seen: set[str] = set()
        while True:
            answer = self.ask.get(path, {"limit": _PAGE, "order": "asc", **query, **after})
            data = answer.get("data") if isinstance(answer, dict) else None
            new = [each for each in data or () if each["id"] not in seen]
            yield from new
            if not new or answer.get("has_more") is False:
                return
            seen = {each["id"] for each in data or ()}
            after = {"after": new[-1]["id"]}

    def _with_content(self, file: Json) -> Json:
        try:
            return {**file, "content": self.ask.content(file["id"])}
        except Refused as error:
            if error.status not in _REFUSED:
                raise
            self.note(f"the content of {file['id']} is not read: {error}")
            return file
