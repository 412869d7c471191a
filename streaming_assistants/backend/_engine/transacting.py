"""A transaction that is a function: done again where nothing of it is kept and it may hold. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from .store_port import Undone

ResultT = TypeVar("ResultT")
TransactionT = TypeVar("TransactionT")
TransactionT_co = TypeVar("TransactionT_co", covariant=True)

_ATTEMPTS = 5


class Transacts(Protocol[TransactionT_co]):
    """What a store offers for it."""

    def write(self, *, durable: bool = True) -> AbstractContextManager[TransactionT_co]: ...

    def read(self) -> AbstractContextManager[TransactionT_co]: ...


def transacted(
    store: Transacts[TransactionT],
    action: Callable[[TransactionT], ResultT],
    *,
    writes: bool = True,
    durable: bool = True,
) -> ResultT:
    """What ``action`` answers within a transaction. It is called again, at most four times, where the store
    has ended the transaction for another's sake (two wait for each other, or one saw what the other changed)
    or its connection broke: what it does outside the transaction has to bear that. Raises what the store
    raises."""
    attempt = 0
    while True:
        attempt += 1
        try:
            with store.write(durable=durable) if writes else store.read() as tx:
                return action(tx)
        except Undone:
            if attempt == _ATTEMPTS:
                raise
