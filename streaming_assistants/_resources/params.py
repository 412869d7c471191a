"""The parameters of the newest SDK's methods, typed once.

Type checkers read the annotations; at runtime the names alone tell which parameters an older release of
the SDK lacks. Source: the API reference and the signatures of openai 3.52.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from typing_extensions import Required, TypedDict

if TYPE_CHECKING:
    from openai import Timeout
    from openai._types import NotGiven, Omit
    from openai.types.beta import (
        AssistantResponseFormatOptionParam,
        AssistantToolChoiceOptionParam,
        AssistantToolParam,
    )
    from openai.types.beta.thread_create_and_run_params import Thread as ThreadParam
    from openai.types.beta.thread_create_and_run_params import ToolResources
    from openai.types.beta.threads import MessageContentPartParam
    from openai.types.beta.threads.message_create_params import Attachment
    from openai.types.beta.threads.run_create_params import AdditionalMessage, TruncationStrategy
    from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput as TheirToolOutput
    from openai.types.beta.threads.runs import RunStepInclude
    from openai.types.shared_params import ReasoningEffort

    from streaming_assistants._protocol.tool_calls import ToolOutput
    from streaming_assistants._sdk.untyped import Model
    from streaming_assistants.tools import ToolError, ToolHandlers

    LeftOut: TypeAlias = Omit | NotGiven  # what a program passes that leaves a parameter out


class RequestParams(TypedDict, total=False):
    """What every method of the SDK takes besides its own parameters; ``timeout`` in seconds."""

    extra_headers: Mapping[str, str | Omit] | None
    extra_query: Mapping[str, object] | None
    extra_body: object | None
    timeout: float | Timeout | LeftOut | None


class DeadlineParams(TypedDict, total=False):
    """How something is waited for.

    ``poll_interval_ms``: between two answers, in milliseconds; left out, the server's
    ``openai-poll-after-ms`` or 1000. ``max_wait_seconds``: after which PollTimeoutError is raised; left
    out, never.
    """

    poll_interval_ms: int | LeftOut
    max_wait_seconds: float | LeftOut | None


class PollParams(DeadlineParams, total=False):
    """What every method that waits takes. ``on_poll`` is called with each refreshed object; for an async
    client it may be async."""

    on_poll: Callable[[Model], object] | LeftOut | None


class IfActiveParams(TypedDict, total=False):
    """What a call does that posts to a thread while one of its runs is active.

    ``if_active``: "raise" what the server refuses it with, as without it; "wait" until the run is over;
    "cancel" the run first.
    """

    if_active: Literal["raise", "wait", "cancel"] | LeftOut | None


class FailureParams(TypedDict, total=False):
    """``raise_on_failure``: a run that ends ``failed``, ``expired``, ``cancelled`` or ``incomplete`` raises
    RunFailedError."""

    raise_on_failure: bool | LeftOut


class RetryParams(FailureParams, total=False):
    """What a call does that starts a run. ``retries``: how often another one is started where it fails by
    ``server_error`` or ``rate_limit_exceeded``; left out, never."""

    retries: int | LeftOut


class ToolTermsParams(TypedDict, total=False):
    """How the functions are called that a run calls, together with ``tool_handlers``.

    ``on_tool_error`` is told of each call that fails; a text that it returns is the output instead, an
    exception that it raises ends the loop. ``tool_timeout``: seconds for each call; left out, no end.
    ``max_concurrent_calls``: so many at once; left out, all of a round. ``max_rounds``: so many submits, 25
    where it is left out, after which ToolRoundsError is raised.
    """

    on_tool_error: Callable[[ToolError], object] | LeftOut | None
    tool_timeout: float | LeftOut | None
    max_concurrent_calls: int | LeftOut | None
    max_rounds: int | LeftOut | None


class ToolParams(ToolTermsParams, total=False):
    """What a call does that follows a run: the functions that the run calls are called, and their outputs
    submitted, until it calls no more.

    ``tool_handlers``: a list of functions or tools, called by keyword, or a mapping from names to tools, or
    to functions that take the arguments as one dict.
    """

    tool_handlers: ToolHandlers | LeftOut | None


class StreamParams(ToolParams, total=False):
    """What a call wants of a run's stream besides its events.

    ``resume``: a stream whose connection breaks goes on; left out, as ``patch(client, resume=)`` said.
    ``cancel_on_close``: leaving the stream before its end cancels the run.
    """

    resume: bool | LeftOut
    cancel_on_close: bool | LeftOut


class InferenceParams(RequestParams, total=False):
    """What both ways to start a run have in common. Left out: the assistant's own value."""

    assistant_id: Required[str]
    instructions: str | LeftOut | None
    max_completion_tokens: int | LeftOut | None
    max_prompt_tokens: int | LeftOut | None
    metadata: dict[str, str] | LeftOut | None
    model: str | LeftOut | None
    parallel_tool_calls: bool | LeftOut
    response_format: AssistantResponseFormatOptionParam | LeftOut | None
    temperature: float | LeftOut | None
    tool_choice: AssistantToolChoiceOptionParam | LeftOut | None
    tools: Iterable[AssistantToolParam] | LeftOut | None
    top_p: float | LeftOut | None
    truncation_strategy: TruncationStrategy | LeftOut | None


class NewRunParams(InferenceParams, total=False):
    """What starts a run, besides the thread."""

    include: list[RunStepInclude] | LeftOut
    additional_instructions: str | LeftOut | None
    additional_messages: Iterable[AdditionalMessage] | LeftOut | None
    reasoning_effort: ReasoningEffort | LeftOut | None


class RunParams(NewRunParams, total=False):
    """``runs.create`` and its helpers."""

    thread_id: Required[str]


class RunCreateParams(NewRunParams, IfActiveParams, DeadlineParams, total=False):
    """``runs.create``, besides the thread. The deadline is for ``if_active``."""


class RunCreateStreamParams(RunCreateParams, StreamParams, RetryParams, total=False):
    """``runs.create(stream=True)``, besides the thread."""


class RunStreamParams(RunParams, IfActiveParams, DeadlineParams, StreamParams, RetryParams, total=False):
    """``runs.stream`` and ``create_and_stream``. The deadline is for ``if_active``."""


class CreateAndRunParams(InferenceParams, total=False):
    """``threads.create_and_run`` and its helpers."""

    thread: ThreadParam | LeftOut
    tool_resources: ToolResources | LeftOut | None


class SubmitParams(RequestParams, total=False):
    """``runs.submit_tool_outputs`` and its helpers."""

    thread_id: Required[str]
    run_id: Required[str]
    tool_outputs: Required[Iterable[ToolOutput | TheirToolOutput]]


class CreateAndRunStreamParams(CreateAndRunParams, StreamParams, RetryParams, total=False):
    """``threads.create_and_run_stream`` and ``create_and_run(stream=True)``."""


class SubmitStreamParams(SubmitParams, StreamParams, FailureParams, total=False):
    """``runs.submit_tool_outputs_stream`` and ``submit_tool_outputs(stream=True)``."""


class SubmitToolOutputsParams(RequestParams, total=False):
    """``runs.submit_tool_outputs``, besides the run."""

    thread_id: Required[str]
    tool_outputs: Required[Iterable[ToolOutput | TheirToolOutput]]


class SubmitToolOutputsStreamParams(SubmitToolOutputsParams, StreamParams, FailureParams, total=False):
    """``runs.submit_tool_outputs(stream=True)``, besides the run."""


class RunReadParams(RequestParams, total=False):
    """What reads the events of a run that there is. ``starting_after``: the number of the last event that the
    reader has, 0 for none."""

    run_id: Required[str]
    thread_id: Required[str]
    starting_after: int | LeftOut


class RunRetrieveStreamParams(RequestParams, StreamParams, FailureParams, total=False):
    """``runs.retrieve(stream=True)``, besides the run. ``starting_after``: the number of the last event that
    the reader has; left out, they are given all of them."""

    thread_id: Required[str]
    starting_after: int | LeftOut


class RunResumeParams(RequestParams, StreamParams, FailureParams, total=False):
    """``runs.resume``, besides the run. ``starting_after``: the number of the last event that the handler has
    seen; left out, it is shown the whole run."""

    thread_id: Required[str]
    starting_after: int | LeftOut


class RunPollParams(RunParams, PollParams, ToolTermsParams, IfActiveParams, RetryParams, total=False):
    """``runs.create_and_poll``, besides ``tool_handlers``, which decides what it gives."""


class CreateAndRunPollParams(CreateAndRunParams, PollParams, ToolTermsParams, RetryParams, total=False):
    """``threads.create_and_run_poll``, besides ``tool_handlers``."""


class SubmitPollParams(SubmitParams, PollParams, ToolTermsParams, FailureParams, total=False):
    """``runs.submit_tool_outputs_and_poll``, besides ``tool_handlers``."""


class RunWaitParams(RequestParams, PollParams, ToolTermsParams, FailureParams, total=False):
    """``runs.poll``, besides the ids and ``tool_handlers``."""


class MessageListParams(RequestParams, total=False):
    """``messages.list``, besides the thread."""

    after: str | LeftOut
    before: str | LeftOut
    limit: int | LeftOut
    order: Literal["asc", "desc"] | LeftOut
    run_id: str | LeftOut


class MessageCreateParams(RequestParams, IfActiveParams, DeadlineParams, total=False):
    """``messages.create``, besides the thread. The deadline is for ``if_active``."""

    content: Required[str | Iterable[MessageContentPartParam]]
    role: Required[Literal["user", "assistant"]]
    attachments: Iterable[Attachment] | LeftOut | None
    metadata: dict[str, str] | LeftOut | None


class MessageUpdateParams(RequestParams, total=False):
    """``messages.update``, besides the ids; ``content`` is for a server that takes it (Astra's)."""

    metadata: dict[str, str] | LeftOut | None
    content: object


def names(params: type) -> frozenset[str]:
    """The parameter names of a TypedDict, inherited ones too."""
    return frozenset(params.__annotations__)


_OBJECT = frozenset({"metadata", "tool_resources"})
_INFERENCE = frozenset({"reasoning_effort", "response_format", "temperature", "top_p"})

_V1 = frozenset({"file_ids"})

LATER_BODY: dict[str, frozenset[str]] = {
    "beta.assistants.create": _OBJECT | _INFERENCE | _V1,
    "beta.assistants.update": _OBJECT | _INFERENCE | _V1,
    "beta.threads.create": _OBJECT,
    "beta.threads.update": _OBJECT,
    "beta.threads.create_and_run": names(CreateAndRunParams),
    "beta.threads.messages.create": frozenset({"attachments", "metadata"}) | _V1,
    "beta.threads.messages.update": frozenset({"content"}),
    "beta.threads.runs.create": names(RunParams) - {"include"},
    "vector_stores.create": frozenset({"chunking_strategy", "description"}),
    "vector_stores.files.create": frozenset({"attributes", "chunking_strategy"}),
    "vector_stores.file_batches.create": frozenset({"attributes", "chunking_strategy", "files"}),
}
"""Body parameters that came to a method after 1.1, that left it with v1, and that one server has."""

LATER_QUERY: dict[str, frozenset[str]] = {
    "beta.threads.messages.list": frozenset({"run_id"}),
    "beta.threads.runs.create": frozenset({"include"}),
    "beta.threads.runs.steps.list": frozenset({"include"}),
    "beta.threads.runs.steps.retrieve": frozenset({"include"}),
}
"""Query parameters that came to a method after 1.1."""
