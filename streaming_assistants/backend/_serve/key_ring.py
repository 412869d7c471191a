"""Who may ask a served backend, and as which project: by the keys that it was started with, and by those of
its store."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from .._engine import admission
from .._engine.api_errors import ApiError
from .._engine.key_port import Limits
from .._engine.store_port import Store, StoreAway, Transaction
from .._engine.transacting import transacted

logger = logging.getLogger("streaming_assistants")

GivenKeys: TypeAlias = "Iterable[str] | Mapping[str, str | Sequence[str]]"
"""Keys of no project, or keys with the project or the projects that each of them opens."""

_REMEMBERED = (
    1.0  # seconds that what the store says of a key holds here: so long a key outlives its revocation
)
_MOST = 10_000
_MINUTE = 60
_KEPT_MINUTES = 10


class Admitted(NamedTuple):
    """Whose request it is. ``key`` is the caller's own, which goes to nobody but an upstream of theirs."""

    project: str
    limits: Limits
    key: str | None


def digest(key: str) -> str:
    """What is kept of a key: keys are long and random, so that nothing slower is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyRing:
    """``given`` are the keys of whoever started the server. With any, or with a key in the store, nobody is
    served without one; else all ask for the project ``""``."""

    def __init__(self, store: Store, given: GivenKeys = ()) -> None:
        pairs = given.items() if isinstance(given, Mapping) else ((key, "") for key in given)
        self._given = {
            digest(key): (projects,) if isinstance(projects, str) else tuple(projects)
            for key, projects in pairs
        }
        self._store = store
        self._known: dict[tuple[str, str], tuple[float, Admitted]] = {}

    def remembered(self, headers: Mapping[str, str]) -> Admitted | None:
        """Who asks, where that can be told without the store."""
        known = self._known.get(_asked(headers))
        if known is None or known[0] < time.monotonic() or known[1].limits.requests_per_minute is not None:
            return None
        return known[1]._replace(key=admission.shown_key(headers))

    def admit(self, headers: Mapping[str, str]) -> Admitted:
        """Who asks; counts the request where their requests are counted. Raises the API's 401 and 429, and a
        503 while the store is away."""
        asked = _asked(headers)
        now = time.monotonic()
        known = self._known.get(asked)
        try:
            if known is None or known[0] < now:
                with self._store.read() as tx:
                    admitted = self._looked_up(tx, headers)
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[asked] = known = now + _REMEMBERED, admitted
            if known[1].limits.requests_per_minute is not None:
                self._count(known[1].project, known[1].limits.requests_per_minute)
        except StoreAway as error:
            logger.warning("The store is away, so that nobody can be admitted: %s", error)
            raise ApiError(503, "The server cannot check keys now: its store is away.") from None
        return known[1]._replace(key=admission.shown_key(headers))

    def _looked_up(self, tx: Transaction, headers: Mapping[str, str]) -> Admitted:
        shown = admission.shown_key(headers)
        projects = self._projects(tx, shown)
        project = admission.chosen(projects, headers.get("openai-project"))
        return Admitted(project, tx.limits(project), None)

    def _projects(self, tx: Transaction, shown: str | None) -> Sequence[str]:
        if shown is not None:
            hashed = digest(shown)
            if hashed in self._given:
                return self._given[hashed]
            key = tx.key(hashed)
            if key is not None:
                return key.projects
        if self._given or tx.keyed():
            raise admission.no_key() if shown is None else admission.wrong_key()
        return ("",)

    def _count(self, project: str, limit: int) -> None:
        now = self._store.clock()
        minute = int(now // _MINUTE)

        def count(tx: Transaction) -> int:
            requests = tx.count_request(project, minute)
            if requests == 1:
                tx.forget_requests(minute - _KEPT_MINUTES)
            return requests

        requests = transacted(self._store, count, durable=False)
        if requests > limit:
            raise admission.too_many_requests(project, limit, requests, (minute + 1) * _MINUTE - now)


def _asked(headers: Mapping[str, str]) -> tuple[str, str]:
    """What a request says of who asks, without the key itself: that is kept nowhere."""
    shown = admission.shown_key(headers)
    return "" if shown is None else digest(shown), headers.get("openai-project", "")
