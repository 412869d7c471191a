"""What is asked over HTTP, and what is answered: without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .._engine.effects import Errand, Work
from .._engine.event_log import Reads
from .._engine.event_port import Entry
from .._engine.key_port import NO_LIMITS, Limits
from .._engine.observer import Seen
from .._engine.port import Json
from .forms import Form


@dataclass(frozen=True)
class ApiRequest:
    """``path`` is that within the API; header names are in lower case. A body that is a form is in ``form``,
    which whoever answers the request closes. ``project`` is the caller's, with its ``limits``; with
    ``callers_key`` the upstream is asked with the caller's own, where it ``shares_upstream`` with one that
    other projects have, too. ``seen`` is what an observer of the request
    is to know, where it has one already."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    form: Form | None = None
    project: str = ""
    limits: Limits = NO_LIMITS
    callers_key: bool = False
    shares_upstream: bool = False
    seen: Seen | None = None


@dataclass(frozen=True)
class Reply:
    """``body`` is JSON, unless ``encode`` is set: then the events of ``work``, encoded, are the body, and
    ``end`` its last bytes; or those of the run that ``reads`` names, each as ``frame`` writes it; or
    ``pieces`` are, one after another. ``beside`` is work that goes on as well. With an ``errand`` it is none
    yet: that is to be done first. ``route`` is the template of its path."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    work: Work | None = None
    encode: Callable[[str, Json], bytes] | None = None
    end: bytes = b""
    interrupts: Sequence[str] = ()
    errand: Errand | None = None
    pieces: Iterator[bytes] | None = None
    beside: Sequence[Work] = ()
    route: str = ""
    reads: Reads | None = None
    frame: Callable[[Entry], bytes] | None = None

    @property
    def works(self) -> list[Work]:
        """All that goes on after it."""
        return [*self.beside, *([] if self.work is None else [self.work])]
