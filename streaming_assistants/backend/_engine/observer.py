"""Who watches a backend at work: its requests, its runs, and what these ask of the upstream. Sans-IO.

An observer is told of each in one place, and wraps what it watches: the engine and its drivers know of no
spans, metrics or log lines. It changes nothing that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from .effects import Work
from .port import Json, Upstream


@dataclass
class Seen:
    """What becomes known of a request while it is answered. ``route`` is the template of its path."""

    status: int = 0
    route: str = ""
    project: str = ""


class Observer:
    """One that watches nothing. What another wants to watch it overrides."""

    def request(
        self, method: str, path: str, headers: Mapping[str, str], *, served: bool
    ) -> AbstractContextManager[Seen]:
        """Stands around a request and all that it begins; header names are in lower case. One that is
        ``served`` came over a socket of ours, any other was answered where it was made."""
        return nullcontext(Seen())

    def work(self, work: Work) -> Work:
        """The work as it is driven, asked for where it begins. That of a run has its ``run``."""
        return work

    def upstream(self, upstream: Upstream) -> Upstream:
        """The upstream as it is asked, with the ``wants_more`` and ``room`` that it has."""
        return upstream

    def taken_over(self, run: Json, project: str) -> None:
        """A run whose driver is gone is driven here from now on."""

    def flush(self) -> None:
        """Hands on what it still has, before its process ends. May take some seconds."""


class Observers(Observer):
    """Several, the first of them outermost."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._of_requests = [each for each in observers if type(each).request is not Observer.request]

    def request(
        self, method: str, path: str, headers: Mapping[str, str], *, served: bool
    ) -> AbstractContextManager[Seen]:
        if len(self._of_requests) == 1:
            return self._of_requests[0].request(method, path, headers, served=served)
        return self._requested(method, path, headers, served) if self._of_requests else nullcontext(Seen())

    @contextmanager
    def _requested(self, method: str, path: str, headers: Mapping[str, str], served: bool) -> Iterator[Seen]:
        with ExitStack() as stack:
            every = [
                stack.enter_context(each.request(method, path, headers, served=served))
                for each in self._of_requests
            ]
            seen = Seen()
            try:
                yield seen
            finally:
                for each in every:
                    each.status, each.route, each.project = seen.status, seen.route, seen.project

    def work(self, work: Work) -> Work:
        for each in reversed(self._observers):
            work = each.work(work)
        return work

    def upstream(self, upstream: Upstream) -> Upstream:
        for each in reversed(self._observers):
            upstream = each.upstream(upstream)
        return upstream

    def taken_over(self, run: Json, project: str) -> None:
        for each in self._observers:
            each.taken_over(run, project)

    def flush(self) -> None:
        for each in self._observers:
            each.flush()
