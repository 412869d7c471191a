"""Contents of files on their way in and out, piece by piece in transactions of their own, and those that
nothing refers to swept away."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count

from .file_settings import FileSettings
from .store_port import Store, StoreAway, StoreClosed, Transaction

logger = logging.getLogger("streaming_assistants")


class ContentGone(OSError):
    """A content was deleted while it was read, or lies where it cannot be read."""


def new_content(settings: FileSettings) -> str:
    """An id for a content. It names the backend that writes it: what nothing refers to once that is gone
    can be dropped."""
    return f"{settings.keeper.owner}.{secrets.token_hex(8)}"


def keep(
    store: Store, settings: FileSettings, content_id: str, pieces: Iterable[bytes], seen: Callable[[], object]
) -> None:
    """Stores a content, which nothing refers to yet, or nothing of it. ``seen`` is called now and then: it
    says that this backend lives."""
    try:
        if settings.contents is not None:
            settings.contents.write(content_id, _told(pieces, seen))
            return
        for number, piece in enumerate(_told(pieces, seen)):
            with store.write() as tx:
                tx.add_piece(content_id, number, piece)
    except BaseException:
        drop(store, settings, content_id)
        raise


def read(store: Store, settings: FileSettings, content_ids: Iterable[str], size: int) -> Iterator[bytes]:
    """Contents of ``size`` bytes in all, one after another. Raises :class:`ContentGone` where it is less."""
    sent = 0
    try:
        for content_id in content_ids:
            for piece in _pieces(store, settings, content_id):
                sent += len(piece)
                yield piece
    except FileNotFoundError:
        pass
    if sent != size:
        raise ContentGone(f"The file's content ends after {sent:,} of {size:,} bytes: it was deleted.")


def drop(store: Store, settings: FileSettings, content_id: str) -> None:
    """Drops a content that nothing refers to; one that cannot be dropped now is swept later."""
    try:
        if settings.contents is not None:
            settings.contents.drop(content_id)
            return
        _drop_pieces(store, content_id)
    except (StoreAway, StoreClosed, OSError) as error:
        logger.warning("A content of %s that nothing refers to is left for later: %s", content_id, error)


def settle(settings: FileSettings, content_ids: Iterable[str]) -> None:
    """Notes that contents outside the store are referred to. Where that fails, :func:`sweep` does it."""
    if settings.contents is None:
        return
    for content_id in content_ids:
        try:
            settings.contents.mark(content_id, False)
        except OSError as error:  # noqa: PERF203 - a content is a file, not a number
            logger.warning("The mark of the content %s is left for later: %s", content_id, error)


def sweep(store: Store, settings: FileSettings) -> None:
    """Drops what a process that is gone has left: contents that nothing refers to. A place that is away is
    swept another time."""
    try:
        _sweep(store, settings)
    except (StoreAway, OSError) as error:
        logger.warning("Contents that nothing refers to are left for later: %s", error)


def _sweep(store: Store, settings: FileSettings) -> None:
    keeper = settings.keeper

    def dead(tx: Transaction, content_id: str) -> bool:
        owner = content_id.partition(".")[0]
        return owner != keeper.owner and not keeper.lives(tx.owner(owner), keeper.clock())

    with store.read() as tx:
        loose = [id for id in tx.loose_contents() if dead(tx, id)]
    for content_id in loose:
        _drop_pieces(store, content_id)
    if settings.contents is None:
        return
    for content_id in settings.contents.marked():
        with store.read() as tx:
            left = dead(tx, content_id)
            needed = tx.newest("stored_files", content_id=content_id) or tx.newest(
                "upload_parts", content_id=content_id
            )
        if needed is not None:
            settings.contents.mark(content_id, False)
        elif left:
            settings.contents.drop(content_id)


def _drop_pieces(store: Store, content_id: str) -> None:
    """In transactions of their own, between which others write."""
    more = True
    while more:
        with store.write() as tx:
            more = tx.drop_content(content_id)


def _told(pieces: Iterable[bytes], seen: Callable[[], object]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        seen()


def _pieces(store: Store, settings: FileSettings, content_id: str) -> Iterator[bytes]:
    if settings.contents is not None:
        yield from settings.contents.pieces(content_id)
        return
    for number in count():
        with store.read() as tx:
            piece = tx.piece(content_id, number)
        if piece is None:
            return
        yield piece


def pieces_of(file: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """What ``file.read`` gives, in pieces."""
    return iter(partial(file, size), b"")
