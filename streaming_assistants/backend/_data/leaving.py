"""Threads moved to OpenAI's Conversations, and assistants written down as parameters of ``/responses``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .._engine import contents, files
from .._engine.file_settings import FileSettings
from .._engine.port import Json
from .._engine.store_port import Row, Store
from .conversation_items import as_parameters, batches, files_of, metadata_of, thread_items
from .exporting import Selection, chosen, rows
from .ledger import Entry, Ledger
from .server_objects import Refused
from .storing import ABSENT

logger = logging.getLogger("streaming_assistants")


class Sends(Protocol):
    """Asks OpenAI. Each raises :class:`~.server_objects.Refused`."""

    def get(self, path: str, query: Mapping[str, str | int]) -> Json:
        """The answer to a GET request."""
        ...

    def post(self, path: str, body: Json) -> Json:
        """The answer to a POST request."""
        ...

    def upload(self, filename: str, content: bytes, purpose: str) -> str:
        """The id of a file that is uploaded."""
        ...


@dataclass
class Moved:
    """How much there is to move, or was moved; ``there`` are conversations that an earlier call has made."""

    assistants: int = 0
    conversations: int = 0
    there: int = 0
    items: int = 0
    files: int = 0
    errors: dict[str, str] = field(default_factory=dict)


class Move:
    """Makes a conversation of each thread that is chosen. Without ``send`` it only counts.

    ``out`` gets ``assistants.json`` and ``ids.csv``; by the latter the same call goes on where one ended.
    """

    def __init__(
        self,
        store: Store,
        settings: FileSettings,
        send: Sends | None,
        out: Path,
        progress: Callable[[int], object],
    ) -> None:
        self._store, self._settings, self._send, self._out = store, settings, send, out
        self._progress = progress
        self._moved = Moved()
        self._seen_files: set[str] = set()

    def run(self, selection: Selection) -> Moved:
        if self._send is None:
            for thread in chosen(self._store, selection):
                self._count(thread)
            self._moved.assistants = len(self._assistants(selection))
            return self._moved
        self._out.mkdir(parents=True, exist_ok=True)
        assistants = self._assistants(selection)
        text = json.dumps(assistants, indent=2, ensure_ascii=False) + "\n"
        (self._out / "assistants.json").write_text(text, encoding="utf-8")
        self._moved.assistants = len(assistants)
        ledger = Ledger(self._out / "ids.csv")
        try:
            for number, thread in enumerate(chosen(self._store, selection), 1):
                try:
                    self._move(self._send, ledger, thread)
                except Refused as error:
                    if error.status in (401, 403):  # no thread will fare better
                        raise
                    self._moved.errors[thread["id"]] = str(error)
                self._progress(number)
        finally:
            ledger.close()
        return self._moved

    def _assistants(self, selection: Selection) -> dict[str, Json]:
        wanted = selection.assistants
        return {
            row["id"]: as_parameters(row["data"], (row["hidden"] or {}).get("given") or ())
            for row in rows(self._store, "assistants")
            if (wanted is None or row["id"] in wanted)
            and row["project"] == (row["project"] if selection.project is None else selection.project)
        }

    def _rows(self, thread: Row) -> tuple[list[Row], list[Row]]:
        where = {"thread_id": thread["id"]}
        return list(rows(self._store, "messages", where)), list(rows(self._store, "steps", where))

    def _count(self, thread: Row) -> None:
        messages, steps = self._rows(thread)
        project = thread["project"]
        here = {id for id, _ in files_of(messages) if self._content(id, project) is not None}
        self._moved.conversations += 1
        self._moved.items += len(list(thread_items(messages, steps, lambda id: id)))
        self._moved.files += len(here - self._seen_files)
        self._seen_files |= here

    def _move(self, send: Sends, ledger: Ledger, thread: Row) -> None:
        known = ledger.get("thread", thread["id"])
        if known is not None and known.done:
            self._moved.there += 1
            return
        messages, steps = self._rows(thread)
        project = thread["project"]
        ids = {id: self._file(send, ledger, id, project, image=image) for id, image in files_of(messages)}
        items = list(thread_items(messages, steps, lambda id: ids.get(id, id)))
        if known is None:
            body: Json = {"metadata": metadata_of(thread["data"])}
            id = send.post("/conversations", body)["id"]
            ledger.note("thread", thread["id"], Entry(id, 0, not items))
            there = 0
        else:
            id, there = known.new, _items_there(send, known.new)
        for some in batches(items[there:]):
            send.post(f"/conversations/{id}/items", {"items": list(some)})
            there += len(some)
            self._moved.items += len(some)
            ledger.note("thread", thread["id"], Entry(id, there, there >= len(items)))
        ledger.note("thread", thread["id"], Entry(id, there, True))
        self._moved.conversations += 1

    def _file(self, send: Sends, ledger: Ledger, id: str, project: str, *, image: bool) -> str:
        """The new id of a file; one whose content is not here keeps its own, under which OpenAI may have
        it."""
        known = ledger.get("file", id)
        if known is not None and self._has(id, project):
            return known.new
        found = self._content(id, project)
        if found is None:
            return id
        new = send.upload(*found, "vision" if image else "user_data")
        ledger.note("file", id, Entry(new, 0, True))
        self._moved.files += 1
        return new

    def _has(self, id: str, project: str) -> bool:
        with self._store.read() as tx:
            here = tx.get("stored_files", id, project=project) is not None
            return here or tx.file(id, project=project) is not None

    def _content(self, id: str, project: str) -> tuple[str, bytes] | None:
        """A file's name and content, as a project sees them."""
        with self._store.read() as tx:
            row = tx.get("stored_files", id, project=project)
            made = tx.file(id, project=project) if row is None else None
        if row is None:
            return None if made is None else (id, made)
        if (row["hidden"] or {}).get(ABSENT):
            return None
        pieces = contents.read(self._store, self._settings, files.content_ids(row), row["data"]["bytes"])
        try:
            return row["data"]["filename"], b"".join(pieces)
        except contents.ContentGone as error:
            logger.warning("%s goes without its content: %s", id, error)
            return None


def _items_there(send: Sends, id: str) -> int:
    """How many items a conversation has: who was cut off does not know whether the last ones arrived."""
    count = 0
    after: dict[str, str | int] = {}
    while True:
        query: dict[str, str | int] = {"limit": 100, "order": "asc", **after}
        page = send.get(f"/conversations/{id}/items", query)
        data: Sequence[Json] = page["data"]
        count += len(data)
        if not data or not page.get("has_more"):
            return count
        after = {"after": data[-1]["id"]}
