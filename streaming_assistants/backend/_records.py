"""What a backend holds, taken in from elsewhere, listed, and given out whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, groupby
from pathlib import Path

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._json import Json

from ._data import exporting
from ._data.documents import Given, Malformed, documents
from ._data.exporting import Selection
from ._data.intake import Import, ImportSettings
from ._data.leaving import Move, Moved, Sends
from ._data.report import ImportReport
from ._engine.file_settings import FileSettings
from ._engine.store_port import RowKind, Store


class Records:
    """The part of :class:`~streaming_assistants.backend.LocalBackend` that is about all that it holds."""

    _store: Store
    _files: FileSettings

    def _stay_seen(self) -> object:
        raise NotImplementedError

    def import_objects(
        self,
        objects: Iterable[object],
        *,
        files: str | os.PathLike[str] | None = None,
        newest_first: bool = False,
        project: str = "",
        on_error: Callable[[int, str], object] | None = None,
        on_progress: Callable[[int], object] | None = None,
    ) -> ImportReport:
        """Stores objects of the API as they are: their ids, times, metadata and links stay.

        Each is an object as JSON or as a model of the SDK, a list response or another document that holds
        some, or a line of text or bytes with one, as a file of JSON Lines gives them. They may come in any
        order; those of one second keep it, turned round with ``newest_first``. Contents of files are base64
        in ``content``, or come from the folder ``files``, by id or by name. What is there already stays as it
        is. Runs that were under way become ``expired``.

        What is wrong is told to ``on_error(number, reason)`` and in the report, by its line or its place,
        from 1; all else is stored. ``on_progress`` is told the number that was reached. What the store
        raises ends it, and the same import goes on from there.
        """
        report = ImportReport(on_error=on_error)
        folder = None if files is None else Path(files)
        if folder is not None and not folder.is_dir():
            raise ValueError(f"files={os.fspath(folder)!r} is no folder.")
        common = {"project": project} if project else {}
        settings = ImportSettings(self._files, folder, newest_first, common)
        made = Import(self._store, settings, report, seen=self._stay_seen, progress=on_progress)
        return made.run(_given(objects))

    def export_objects(
        self,
        *,
        threads: Iterable[str] | None = None,
        assistants: Iterable[str] | None = None,
        since: float | None = None,
        until: float | None = None,
        project: str | None = None,
        files: str | os.PathLike[str] | None = None,
    ) -> Iterator[Json]:
        """Everything that is stored, object by object, what others are a part of before them; for
        :meth:`import_objects`. What no client sees stands in the member ``streaming_assistants``.

        ``threads``, ``assistants`` and the seconds since the epoch ``since`` (from it on) and ``until``
        (before it) choose threads: those of these ids, those with runs of these assistants, those made in
        this time; ``project`` those of a project, and all else of it. Of the rest then comes what they refer
        to. Contents of files are base64 in ``content``, or go to the folder ``files``, each under the file's
        id.
        """
        selection = Selection(
            None if threads is None else frozenset(threads),
            None if assistants is None else frozenset(assistants),
            since,
            until,
            project,
        )
        return exporting.exported(self._store, self._files, selection, None if files is None else Path(files))

    def _move(
        self, send: Sends | None, out: Path, selection: Selection, progress: Callable[[int], object]
    ) -> Moved:
        return Move(self._store, self._files, send, out, progress).run(selection)

    def threads(self, *, metadata: Mapping[str, str] | None = None, order: str = "desc") -> Iterator[Json]:
        """The threads, newest first, or with ``order="asc"`` oldest first; those with this metadata."""
        return self._listed("threads", {"metadata": dict(metadata)} if metadata else {}, order)

    def assistants(self, *, metadata: Mapping[str, str] | None = None, order: str = "desc") -> Iterator[Json]:
        """The assistants, as :meth:`threads`."""
        return self._listed("assistants", {"metadata": dict(metadata)} if metadata else {}, order)

    def runs(
        self, *, thread_id: str | None = None, active: bool | None = None, order: str = "desc"
    ) -> Iterator[Json]:
        """The runs, as :meth:`threads`; of a thread, and those that have ended or have not."""
        given = {"thread_id": thread_id, "active": active}
        return self._listed(
            "runs", {name: value for name, value in given.items() if value is not None}, order
        )

    def _listed(self, kind: RowKind, where: Mapping[str, object], order: str) -> Iterator[Json]:
        if order not in ("asc", "desc"):
            raise ValueError(f"order= takes 'asc' or 'desc', not {order!r}.")
        rows = exporting.rows(self._store, kind, where, ascending=order == "asc")
        return (row["data"] for row in rows)


def _given(objects: Iterable[object]) -> Iterator[Given | Malformed]:
    for is_text, some in groupby(enumerate(objects, 1), lambda each: isinstance(each[1], (str, bytes))):
        if is_text:
            start, first = next(some)
            yield from documents(
                (_encoded(line) for line in chain([first], (each for _, each in some))), start
            )
            continue
        for number, each in some:
            yield Given(number, _sdk.jsonable(each) if isinstance(each, pydantic.BaseModel) else each)


def _encoded(line: object) -> bytes:
    return line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line  # type: ignore[return-value]
