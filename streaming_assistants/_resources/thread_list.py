"""``threads.list()``, which no release of the SDK has: the hosted API listed no threads, the backend does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from .endpoint import Endpoint
from .operations import Operation
from .params import RequestParams, names

if TYPE_CHECKING:
    from .params import LeftOut


class ThreadListParams(RequestParams, total=False):
    """``threads.list``. ``metadata``: pairs that a thread's has to hold, all of them."""

    after: str | LeftOut
    before: str | LeftOut
    limit: int | LeftOut
    order: Literal["asc", "desc"] | LeftOut
    metadata: Mapping[str, str] | LeftOut


_QUERY = tuple(sorted(names(ThreadListParams) - names(RequestParams)))
LIST_THREADS = Endpoint(
    "get", Operation("list", "/threads", names(ThreadListParams), (), (), _QUERY), "Thread", "CursorPage"
)
