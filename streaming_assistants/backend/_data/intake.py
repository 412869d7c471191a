"""Objects from elsewhere, into a store: batch by batch, in whatever order they come, in constant memory.

What an object is a part of has to be there before it. What comes too early is put aside, into temporary
files, and stored when all has been read; steps always are, which stand between the messages of their thread.
Where an object comes in its list is its ``seq``, made of its second and of its number: nothing is sorted.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from .._engine import contents
from .._engine.file_settings import FileSettings
from .._engine.port import Json
from .._engine.store_port import Store, StoreAway, StoreClosed
from .contents_given import given_content
from .documents import Given, Malformed, needless, objects_of
from .incoming import Incoming, Wrong, incoming
from .report import ImportReport
from .storing import ABSENT, ANOTHERS, RECOUNT, One, Stored, is_of_another, recounted, store

BATCH = 1000
"""Objects that are stored in one transaction, unless they are large."""

_BYTES = 1 << 22

_EPOCH = 1_767_225_600  # 2026 begins: among what is of one second, what is imported later comes later
_MIDDLE = 1 << 30

_AT_ONCE = ("assistants", "vector_stores", "threads", "runs", "messages", "file_batches")
_AT_LAST = ("runs", "messages", "file_batches", "store_files", "steps")
_PAGE = 100


@dataclass(frozen=True)
class ImportSettings:
    """``folder`` holds contents of files by name; with ``newest_first`` each list begins with its newest;
    ``common`` are columns of every object that stands alone, and of runs."""

    files: FileSettings
    folder: Path | None = None
    newest_first: bool = False
    common: Mapping[str, object] = field(default_factory=dict)


class _Read(NamedTuple):
    """An object as it came: its line, its number among all, and how many bytes came with it."""

    line: int
    number: int
    value: Json
    size: int


class Import:
    """One import into a store. ``progress`` is told the line that was reached, after each batch; ``seen`` is
    called as often: it says that this backend lives."""

    def __init__(
        self,
        store: Store,
        settings: ImportSettings,
        report: ImportReport,
        *,
        seen: Callable[[], object],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self._store, self._settings, self._report = store, settings, report
        self._seen, self._progress = seen, progress
        self._now = settings.files.keeper.now()
        base = max(0, self._now - _EPOCH)
        self._first, self._by = (_MIDDLE - base, -1) if settings.newest_first else (_MIDDLE + base, 1)
        self._aside: dict[str, IO[str]] = {}

    def run(self, given: Iterable[Given | Malformed]) -> ImportReport:
        """Stores all that can be. What the store raises ends it; what was stored by then stays, and the same
        import goes on where it was."""
        with ExitStack() as files:
            for kind in _AT_LAST:
                self._aside[kind] = files.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))
            for batch in _batches(self._numbered(given)):
                self._take(batch, last=False)
            for kind in _AT_LAST:
                self._aside[kind].seek(0)
                for batch in _batches(_Read(*json.loads(line)) for line in self._aside[kind]):
                    self._take(batch, last=True)
        self._recount()
        return self._report

    def _numbered(self, given: Iterable[Given | Malformed]) -> Iterator[_Read]:
        number = self._first
        for each in given:
            if isinstance(each, Malformed):
                self._report.wrong(each.line, each.reason)
                continue
            empty, size = not needless(each.value), each.size
            for value in objects_of(each.value):
                yield _Read(each.line, number, value, size)
                empty, size = False, 0
                number += self._by
            if empty:
                self._report.wrong(each.line, f"it holds no object of the API: {str(each.value)[:80]}")

    def _take(self, batch: list[_Read], *, last: bool) -> None:
        kinds: dict[str, list[tuple[One, _Read]]] = defaultdict(list)
        for each in batch:
            try:
                made = self._made(each)
            except Wrong as error:
                self._report.wrong(each.line, str(error))
                continue
            if made is None:
                continue
            if last or made.kind in _AT_ONCE:
                kinds[made.kind].append((One(each.line, each.number, made), each))
            else:
                self._put_aside(made.kind, each)
        for kind in _AT_LAST if last else _AT_ONCE:
            if kinds[kind]:
                self._store_all(kind, kinds[kind], last=last)
        self._seen()
        if self._progress is not None:
            self._progress(batch[-1].line)

    def _made(self, read: _Read) -> Incoming | None:
        """The row of an object; None of a file, which is stored by then."""
        if read.value["object"] != "file":
            return incoming(read.value, self._now)
        value = dict(read.value)
        content = value.pop("content", None)
        made = incoming(value, self._now)
        try:
            self._store_file(read, made, content)
        except (StoreAway, StoreClosed, Wrong):
            raise
        except OSError as error:
            raise Wrong(f"the content of {made.id} cannot be stored: {error}") from error
        except Exception as error:  # as below
            raise Wrong(f"{made.id} cannot be stored: {_words(error)}") from error
        return None

    def _store_all(self, kind: str, pairs: list[tuple[One, _Read]], *, last: bool) -> None:
        """Stores objects of one kind; one by one where the store refuses them together."""
        try:
            with self._store.write(durable=False) as tx:
                done = store(tx, kind, [one for one, _ in pairs], self._settings.common, last=last)
        except (StoreAway, StoreClosed):
            raise
        except Exception as error:  # noqa: BLE001 - a database refuses a value by an error of its own
            if len(pairs) > 1:
                for pair in pairs:
                    self._store_all(kind, [pair], last=last)
                return
            one = pairs[0][0]
            self._report.wrong(one.line, f"{one.row.id} cannot be stored: {_words(error)}")
            return
        self._note(done)
        of = {one.number: read for one, read in pairs}
        for one in done.early:
            self._put_aside(kind, of[one.number])

    def _note(self, done: Stored) -> None:
        for one in done.stored:
            self._report.count(one.row.data["object"], stored=1)
        for one in done.known:
            self._report.count(one.row.data["object"], known=1)
        for line, reason in done.wrong:
            self._report.wrong(line, reason)
        self._report.implied += done.implied
        self._report.to_index += done.to_index

    def _put_aside(self, kind: str, read: _Read) -> None:
        try:
            line = json.dumps(read)
        except (TypeError, ValueError) as error:
            self._report.wrong(read.line, f"it is no JSON: {error}")
        else:
            self._aside[kind].write(line + "\n")

    def _store_file(self, read: _Read, made: Incoming, content: object) -> None:
        with self._store.read() as tx:
            there = tx.get("stored_files", made.id)
            by_tool = tx.file(made.id) is not None
            if is_of_another(tx, "stored_files", made, self._settings.common):
                raise Wrong(ANOTHERS.format(made.id))
        if by_tool or (there is not None and not (there["hidden"] or {}).get(ABSENT)):
            self._report.count("file", known=1)
            return
        given = given_content(made.data, content, self._settings.folder)
        if made.ours.get("by_tool") and given is not None:
            with self._store.write() as tx:
                project = made.ours.get("project") or ""
                columns = {"project": project, **self._settings.common}
                tx.keep_file(made.id, made.data["filename"], b"".join(given[1]), **columns)
            self._report.count("file", stored=1)
            return
        if given is None:
            self._report.without_content += 1
            if there is not None:
                self._report.count("file", known=1)
                return
        settings = self._settings.files
        content_id = contents.new_content(settings)
        data: Json = made.data
        hidden: Json = {ABSENT: True}
        if given is not None:
            size, pieces = given
            data, hidden = {**data, "bytes": size}, None
            contents.keep(self._store, settings, content_id, pieces, self._seen)
        row = made._replace(data=data, columns={**made.columns, "content_id": content_id, "hidden": hidden})
        with self._store.write() as tx:
            if there is None:
                store(
                    tx, "stored_files", [One(read.line, read.number, row)], self._settings.common, last=True
                )
            else:
                tx.change(
                    "stored_files", made.id, {"bytes": data["bytes"]}, content_id=content_id, hidden=hidden
                )
        contents.settle(settings, [content_id])
        self._report.count("file", stored=1)

    def _recount(self) -> None:
        """Counts the files of the vector stores that were given some."""
        after: int | None = None
        more = True
        while more:
            with self._store.read() as tx:
                page = tx.page("vector_stores", {}, limit=_PAGE, ascending=True, after=after, before=None)
            for row in page.rows:
                if (row["hidden"] or {}).get(RECOUNT):
                    with self._store.write() as tx:
                        recounted(tx, row["id"])
            more = page.more
            after = page.rows[-1]["seq"] if page.rows else None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _batches(each: Iterable[_Read]) -> Iterator[list[_Read]]:
    batch: list[_Read] = []
    size = 0
    for one in each:
        batch.append(one)
        size += one.size
        if len(batch) == BATCH or size > _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
