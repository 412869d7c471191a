"""Methods of ``client.beta.threads.messages`` that some releases of the SDK lack."""

from __future__ import annotations

from .endpoint import Endpoint
from .operations import Operation
from .params import RequestParams, names

_IDS = ("message_id", "thread_id")

DELETE = Endpoint(
    "delete",
    Operation(
        "delete",
        "/threads/{thread_id}/messages/{message_id}",
        names(RequestParams) | set(_IDS),
        _IDS,
        ("message_id",),
    ),
    "MessageDeleted",
)
