"""What an operator does with the keys and the projects of a store."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from .._engine.key_port import Key, Limits, Used
from .._engine.store_port import Transaction
from .._engine.transacting import transacted
from .database import Database


class NewKey(NamedTuple):
    """``key`` itself is kept nowhere: whoever is to have it is told now."""

    id: str
    key: str


class Project(NamedTuple):
    """A project with its limits, and what it has of what they are about. The name of what belongs to no
    project is empty."""

    name: str
    limits: Limits
    used: Used


def add_key(url: str, projects: Sequence[str], limits: Limits | None, key: str | None = None) -> NewKey:
    """Stores a key that opens the projects, a new one unless it is given, and gives each of them the limits
    where there are some. Raises ValueError for a key that is there."""
    made = NewKey("key_" + secrets.token_hex(12), key or "sk-sa-" + secrets.token_urlsafe(32))
    digest = hashlib.sha256(made.key.encode()).hexdigest()

    def add(store: Database, tx: Transaction) -> None:
        tx.add_key(made.id, digest, projects, store.clock())
        for project in projects if limits is not None else ():
            tx.set_limits(project, _merged(tx.limits(project), limits), store.clock())

    with Database(url) as store:
        transacted(store, partial(add, store))
    return made


def all_keys(url: str) -> Sequence[Key]:
    with Database(url) as store, store.read() as tx:
        return tx.all_keys()


def revoke_key(url: str, id: str) -> bool:
    """Whether there was one to revoke."""
    with Database(url) as store:
        return transacted(store, lambda tx: tx.revoke_key(id, store.clock()))


def limit(url: str, project: str, changes: Limits, gone: Sequence[str] = ()) -> Project:
    """Gives a project the limits among ``changes`` that are not None, and takes those away whose names are
    in ``gone``; the project as it then is."""

    def change(store: Database, tx: Transaction) -> Project:
        limits = _merged(tx.limits(project, lock=True), changes)._replace(**dict.fromkeys(gone))
        tx.set_limits(project, limits, store.clock())
        return Project(project, limits, tx.used(project))

    with Database(url) as store:
        return transacted(store, partial(change, store))


def all_projects(url: str) -> list[Project]:
    with Database(url) as store, store.read() as tx:
        return [Project(name, limits, tx.used(name)) for name, limits in tx.all_projects()]


def _merged(limits: Limits, changes: Limits | None) -> Limits:
    named = {} if changes is None else changes._asdict()
    return limits._replace(**{name: value for name, value in named.items() if value is not None})
