"""What the engine asks of an upstream, and what it gets back. Sans-IO.

An upstream is a function from a :class:`Turn` (one inference) to a generator, a *conversation*. The
conversation yields :class:`Call`, :class:`Open`, :class:`Next` or :class:`Sleep` when it needs the
outside world, and is sent the result; it yields the other classes here to say what the model produced,
and is sent None. Two small drivers, one of each colour, do the asking; tests send results in by hand.
An upstream with an attribute ``offline`` that is true has the client's other requests refused.

    def chat(turn: Turn) -> Conversation:
        yield Open("POST", "/chat/completions", {...})
        while (event := (yield Next())) is not None:
            yield ContentDelta({"index": 0, "type": "text", "text": {"value": ...}})
        yield Finished()
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from streaming_assistants._json import Json
from streaming_assistants._protocol.plan import Sleep

__all__ = [
    "DONE",
    "Answering",
    "Call",
    "ContentDelta",
    "Conversation",
    "Failed",
    "FileContent",
    "Finished",
    "Indexed",
    "Json",
    "Kept",
    "MessageEnd",
    "Next",
    "Open",
    "Piece",
    "ReadFile",
    "Search",
    "Sleep",
    "StepEnd",
    "ThreadResources",
    "ToolCallDelta",
    "Turn",
    "Upstream",
    "UpstreamError",
]

AS_NAMED = {"as_named": True}
"""Of a turn's field: the APIs of inference have a parameter of the same name and meaning."""


@dataclass(frozen=True)
class Turn:
    """One inference: the run's own values over the assistant's, in the Assistants API's shapes. What nobody
    has set is None, though the run shows a default for it.

    ``items`` is the conversation, oldest first, already cut to ``truncation_strategy`` and to
    ``max_prompt_tokens``, which is what the run has left; more may be dropped where ``truncation`` is
    ``auto``. A message is
    ``{"kind": "message", "role", "content": [...], "attachments": [...]}`` with content as stored
    (text, image_url and image_file parts). An earlier tool step is ``{"kind": "tool_calls",
    "calls": [...]}`` with each call as stored in the step: id, type, and what the type holds, a
    function's ``output`` included; ``"kept"`` holds the value of the step's :class:`Kept`, if it has one.
    """

    run_id: str
    thread_id: str
    model: str
    instructions: str | None
    items: list[Json]
    tools: list[Json] = field(default_factory=list)
    tool_choice: Json = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = field(default=None, metadata=AS_NAMED)
    top_p: float | None = field(default=None, metadata=AS_NAMED)
    response_format: Json = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation: str = "auto"
    assistant_tool_resources: Json = None
    thread_tool_resources: Json = None
    search: str | None = None
    """The name of the one among the functions of ``tools`` that the backend answers itself: file_search."""


# What a conversation asks of the outside.


@dataclass(frozen=True)
class Call:
    """A plain request; is sent the decoded JSON answer, bytes for a path that gives a file."""

    method: str
    path: str
    body: Json = None
    files: Json = None  # httpx's multipart form, for an upload
    raw: bool = False  # the answer is bytes
    seconds: float | None = None  # it is made once, and may take so long; else as the client does it
    headers: Mapping[str, str] | None = None  # beside the client's own


@dataclass(frozen=True)
class Open:
    """A streamed request; is sent None once the answer's headers are in."""

    method: str
    path: str
    body: Json
    headers: Mapping[str, str] | None = None  # beside the client's own


DONE = "[DONE]"
"""What Next answers for a frame that holds these six characters; None may follow."""


@dataclass(frozen=True)
class Next:
    """Asks for the next event of the open stream: decoded JSON, :data:`DONE`, or None at its end."""


@dataclass(frozen=True)
class Search:
    """Asks for what vector stores of the backend's own hold about ``query``; is sent a list of ``limit``
    passages at most, best first, each a :class:`~.file_port.Hit`. ``ranking`` is the tool's
    ``ranking_options``."""

    vector_store_ids: Sequence[str]
    query: str
    limit: int
    ranking: Json = None


@dataclass(frozen=True)
class Indexed:
    """Asks to go on once the files of vector stores of the backend's own can be searched, after a minute at
    the latest."""

    vector_store_ids: Sequence[str]


@dataclass(frozen=True)
class ReadFile:
    """Asks for the content of a file that the backend keeps; is sent bytes. UpstreamError with the status 404
    where it has no such file."""

    file_id: str


class UpstreamError(Exception):
    """Thrown into a conversation when what it asked for failed.

    ``status`` is the HTTP status, None where there was no answer (a broken connection, a timeout, an
    event that is no JSON). Uncaught, it fails the run: ``rate_limit_exceeded`` for 429,
    ``server_error`` for the rest.
    """

    def __init__(
        self, message: str, status: int | None = None, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param


# What a conversation says.


@dataclass(frozen=True)
class ContentDelta:
    """Growth of the current message: one item of a ``thread.message.delta``'s ``delta.content``."""

    part: Json


@dataclass(frozen=True)
class MessageEnd:
    """The current message is whole; a later ContentDelta starts another message."""


@dataclass(frozen=True)
class ToolCallDelta:
    """Growth of a tool call: one item of a ``thread.run.step.delta``'s ``step_details.tool_calls``.

    The first for an index carries ``id``, ``type`` and, for a function, its name. A ContentDelta or the
    end of the turn closes the tool step; function calls without output then mean ``requires_action``, so
    no ContentDelta follows them in the same turn.
    """

    call: Json


@dataclass(frozen=True)
class StepEnd:
    """The open tool step is over, and the turn goes on: the model is asked again. ``usage`` is what has been
    used so far, as :class:`Finished` has it, and is not told again."""

    usage: Json = None


@dataclass(frozen=True)
class Kept:
    """What the upstream wants back with the tool step that is open now: its item's ``"kept"``.

    Private to the upstream (reasoning that the model's next round needs, for one): stored with the step,
    never shown to a client. A later one for the same step replaces it.
    """

    value: Json


@dataclass(frozen=True)
class ThreadResources:
    """The thread's new ``tool_resources``, whole, to be stored at once even if the run fails later.

    ``file_search.file_ids`` lists the attachments that are already in the vector store. It comes back in
    the next :class:`Turn`; whoever shows the thread to a client may leave it out.
    """

    tool_resources: Json


@dataclass(frozen=True)
class FileContent:
    """The bytes of a file that a tool made, under the id that the message or step gives it.

    OpenAI's ``GET /files/{id}/content`` refuses files of the purposes that take any type, so a backend
    that stores this can answer that request itself.
    """

    file_id: str
    filename: str
    content: bytes


@dataclass(frozen=True)
class Answering:
    """The stream that is open is of an answer that goes on at the upstream's server, whoever reads it: ``GET
    path`` streams it from its beginning, ``POST cancel`` ends it."""

    path: str
    cancel: str


@dataclass(frozen=True)
class Finished:
    """The turn is over. ``reason`` is None, ``max_completion_tokens``, ``max_prompt_tokens`` or
    ``content_filter``.

    ``usage`` has ``prompt_tokens``, ``completion_tokens`` and ``total_tokens``, and where the upstream tells
    them ``prompt_token_details.cached_tokens`` and ``completion_tokens_details.reasoning_tokens``.
    """

    reason: str | None = None
    usage: Json = None


@dataclass(frozen=True)
class Failed:
    """The turn failed: ``code`` is ``server_error``, ``rate_limit_exceeded`` or ``invalid_prompt``."""

    code: str
    message: str


Piece: TypeAlias = (
    Call
    | Open
    | Next
    | Sleep
    | Search
    | Indexed
    | ReadFile
    | ContentDelta
    | MessageEnd
    | ToolCallDelta
    | StepEnd
    | Kept
    | ThreadResources
    | FileContent
    | Answering
    | Finished
    | Failed
)
Conversation: TypeAlias = Generator[Piece, Json, None]
Calls: TypeAlias = Generator[Call, Json, Json]
"""Plain requests one after another, each sent its answer, and what came of them."""


class Upstream(Protocol):
    """Where inference comes from.

    One that cuts conversations to what fits may have a method ``wants_more(turn) -> bool`` besides: whether
    it could send more than the newest items, which are all that the turn holds yet. Older ones are read
    while it says so. And a method ``room(turn) -> int | None``: how many tokens a prompt may have, where it
    knows.
    """

    def __call__(self, turn: Turn, /) -> Conversation:
        """The conversation that answers the turn."""
        ...


def wants_more(upstream: Upstream, turn: Turn) -> bool:
    """What an upstream says of a turn that holds the newest items of its conversation."""
    says: Callable[[Turn], bool] | None = getattr(upstream, "wants_more", None)
    return says is None or says(turn)


def room_for(upstream: Upstream, turn: Turn) -> int | None:
    """How many tokens an upstream takes for the turn's prompt, as far as it knows."""
    says: Callable[[Turn], int | None] | None = getattr(upstream, "room", None)
    return None if says is None else says(turn)


class VectorStoreCalls(Protocol):
    """The vector stores of an upstream's server, where it has some."""

    def stores_made(self, wanted: list[Json], *, of_thread: bool) -> Calls:
        """The ids of stores as ``tool_resources.file_search.vector_stores`` describes them."""
        ...

    def files_added(self, store_id: str | None, file_ids: list[str], made: list[str]) -> Calls:
        """Puts a thread's attachments into its store, which is made where there is none; the store's id.
        ``made`` are stores that go again should one of the files be refused."""
        ...
