"""Everything that a store holds, object by object."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from .._engine import contents, files, objects
from .._engine.bulk_port import Placed
from .._engine.file_settings import FileSettings
from .._engine.port import Json
from .._engine.scoped import ALONE
from .._engine.store_port import Row, RowKind, Store, Transaction
from .incoming import OURS
from .storing import ABSENT

logger = logging.getLogger("streaming_assistants")

_PAGE = 500
_WITH_HIDDEN = ("assistants", "threads", "messages", "runs", "steps")
_REFERS: Mapping[str, RowKind] = {
    "assistant_id": "assistants",
    "file_id": "stored_files",
    "file_ids": "stored_files",
    "vector_store_ids": "vector_stores",
}

_Named: TypeAlias = "dict[RowKind, set[str]]"
"""Ids that something refers to, by their kinds."""

_REFERRED: Sequence[RowKind] = ("assistants", "vector_stores", "stored_files")


class Selection(NamedTuple):
    """Which threads: those of these ids, with runs of these assistants, made in this time, of this project;
    None is any."""

    threads: frozenset[str] | None = None
    assistants: frozenset[str] | None = None
    since: float | None = None
    until: float | None = None
    project: str | None = None

    def has(self, thread: Json) -> bool:
        """Whether a thread is chosen by what it says itself."""
        made = thread["created_at"]
        return (
            (self.threads is None or thread["id"] in self.threads)
            and (self.since is None or made >= self.since)
            and (self.until is None or made < self.until)
        )


def exported(
    store: Store, settings: FileSettings, selection: Selection, folder: Path | None
) -> Iterator[Json]:
    """All objects, or those of a selection of threads and what they refer to. Contents of files go to the
    folder, if there is one."""
    if selection == Selection():
        yield from _all(store, settings, folder)
        return
    named: dict[str, _Named] = {}
    if selection.project is not None:
        named[selection.project] = _nothing_named()
        for kind, ids in named[selection.project].items():
            ids.update(row["id"] for row in rows(store, kind, {"project": selection.project}))
    for id in selection.assistants or ():
        with store.read() as tx:
            row = tx.get("assistants", id)
        if row is not None and row["project"] == (selection.project or row["project"]):
            named.setdefault(row["project"], _nothing_named())["assistants"].add(id)
    for thread in chosen(store, selection):
        of_project = named.setdefault(thread["project"], _nothing_named())
        for each in thread_objects(store, thread):
            _refer(each, of_project)
            yield each
    for project, of_project in named.items():
        yield from _referred(store, settings, project, of_project, folder)


def _referred(
    store: Store, settings: FileSettings, project: str, named: _Named, folder: Path | None
) -> Iterator[Json]:
    """What is referred to, with what that refers to. An id that somebody of a project knows or guesses opens
    nothing of another's."""
    for kind in _REFERRED:
        for id in sorted(named[kind]):
            with store.read() as tx:
                row = tx.get(kind, id, project=project)
            if row is None:
                if kind == "stored_files":
                    yield from _by_tool(store, (id, project), folder)
                continue
            _refer(row["data"], named)
            if kind == "vector_stores":
                for each in _store_objects(store, row):
                    named["stored_files"] |= {each["id"]} if each["object"] == "vector_store.file" else set()
                    yield each
            else:
                yield _file(store, settings, row, folder) if kind == "stored_files" else _shown(kind, row)


def rows(
    store: Store, kind: RowKind, where: Mapping[str, object] | None = None, *, ascending: bool = True
) -> Iterator[Row]:
    """The rows of a kind that fit, page by page, each page in a transaction of its own."""
    after: int | None = None
    more = True
    while more:
        with store.read() as tx:
            page = tx.page(kind, where or {}, limit=_PAGE, ascending=ascending, after=after, before=None)
        yield from page.rows
        more = page.more
        after = page.rows[-1]["seq"] if page.rows else None


def _all(store: Store, settings: FileSettings, folder: Path | None) -> Iterator[Json]:
    for row in rows(store, "assistants"):
        yield _shown("assistants", row)
    for row in rows(store, "stored_files"):
        yield _file(store, settings, row, folder)
    yield from _by_tool(store, None, folder)
    for kind in ("vector_stores", "file_batches", "store_files", "threads", "messages", "runs"):
        for row in rows(store, kind):
            yield _shown(kind, row)
    page: list[Row] = []
    for row in rows(store, "steps"):
        page.append(row)
        if len(page) == _PAGE:
            yield from _steps(store, page)
            page = []
    yield from _steps(store, page)


def chosen(store: Store, selection: Selection) -> Iterator[Row]:
    """The threads of a selection. Raises ValueError for an id that is none's."""
    where = {} if selection.project is None else {"project": selection.project}
    for row in (
        rows(store, "threads", where) if selection.threads is None else _named(store, selection.threads)
    ):
        if not selection.has(row["data"]) or row["project"] != where.get("project", row["project"]):
            continue
        if selection.assistants is None or any(
            run["data"]["assistant_id"] in selection.assistants
            for run in rows(store, "runs", {"thread_id": row["id"]})
        ):
            yield row


def _named(store: Store, ids: Iterable[str]) -> Iterator[Row]:
    for id in sorted(ids):
        with store.read() as tx:
            row = tx.get("threads", id)
        if row is None:
            raise ValueError(f"There is no thread {id} in the store.")
        yield row


def thread_objects(store: Store, thread: Row) -> Iterator[Json]:
    """A thread with all that is a part of it."""
    where = {"thread_id": thread["id"]}
    yield _shown("threads", thread)
    for kind in ("messages", "runs"):
        for row in rows(store, kind, where):
            yield _shown(kind, row)
    yield from _steps(store, list(rows(store, "steps", where)))


def _store_objects(store: Store, row: Row) -> Iterator[Json]:
    yield _shown("vector_stores", row)
    for kind in ("file_batches", "store_files"):
        for each in rows(store, kind, {"vector_store_id": row["id"]}):
            yield _shown(kind, each)


def _steps(store: Store, page: Sequence[Row]) -> Iterator[Json]:
    """Steps, each with the message that it comes after, which tells its place between them."""
    calling = {row["thread_id"] for row in page if row["data"]["type"] == "tool_calls"}
    messages: dict[str, list[Placed]] = {id: [] for id in calling}
    if calling:
        with store.read() as tx:
            for message in tx.placed(calling):
                messages[message.thread_id].append(message)
    for row in page:
        shown = _shown("steps", row)
        before = [each for each in messages.get(row["thread_id"], ()) if each.seq <= row["after_message"]]
        if before:
            shown[OURS]["after"] = before[-1].id
        yield shown


def _shown(kind: str, row: Row) -> Json:
    """The object of a row, with what no client sees of it in a member of its own."""
    ours: dict[str, Json] = {}
    if kind in _WITH_HIDDEN and row["hidden"] is not None:
        ours["hidden"] = row["hidden"]
    if (kind in ALONE or kind == "runs") and row["project"]:
        ours["project"] = row["project"]
    if kind == "store_files" and row["batch_id"] is not None:
        ours["batch_id"] = row["batch_id"]
    return {**row["data"], OURS: ours}


def _file(store: Store, settings: FileSettings, row: Row, folder: Path | None) -> Json:
    """A file with its content, which goes to the folder, if there is one."""
    shown = _shown("stored_files", row)
    if (row["hidden"] or {}).get(ABSENT):
        return shown
    try:
        pieces = contents.read(store, settings, files.content_ids(row), row["data"]["bytes"])
        return _with_content(shown, pieces, folder)
    except contents.ContentGone as error:
        logger.warning("%s is exported without its content: %s", row["id"], error)
        return shown


def _with_content(file: Json, pieces: Iterable[bytes], folder: Path | None) -> Json:
    if folder is None or Path(file["id"]).name != file["id"]:  # which would lead out of the folder
        return {**file, "content": base64.b64encode(b"".join(pieces)).decode()}
    with (folder / file["id"]).open("wb") as out:
        for piece in pieces:
            out.write(piece)
    return file


def _by_tool(store: Store, only: tuple[str, str] | None, folder: Path | None) -> Iterator[Json]:
    """Files that tools made in runs, all or the ``only`` one of an id and a project; of these the store has
    the content and the name."""
    after = ""
    while True:
        with store.read() as tx:
            made = _one_made(tx, *only) if only is not None else tx.made_files(after, 20)
        for id, filename, content, project in made:
            file = objects.file(filename, len(content), "assistants_output", None, 0)
            file = {**file, "id": id, OURS: {"by_tool": True, **({"project": project} if project else {})}}
            yield _with_content(file, [content], folder)
        if not made or only is not None:
            return
        after = made[-1][0]


def _one_made(tx: Transaction, id: str, project: str) -> list[tuple[str, str, bytes, str]]:
    content = tx.file(id, project=project)
    return [] if content is None else [(id, id, content, project)]


def _nothing_named() -> _Named:
    return {kind: set() for kind in _REFERS.values()}


def _refer(value: Json, named: Mapping[RowKind, set[str]]) -> None:
    """Notes what an object refers to."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name in _REFERS and isinstance(each, (str, list)):
                ids = [each] if isinstance(each, str) else each
                named[_REFERS[name]].update(id for id in ids if isinstance(id, str))
            elif isinstance(each, (dict, list)):  # as the schema of a function's parameter of such a name
                _refer(each, named)
    elif isinstance(value, list):
        for each in value:
            _refer(each, named)
