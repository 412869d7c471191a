"""The parameters of the newest SDK's methods, typed once.

Type checkers read the annotations; at runtime the names alone tell which parameters an older release of
the SDK lacks. Source: the API reference and the signatures of openai 3.52.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import Required, TypedDict

if TYPE_CHECKING:
    from openai.types.beta import (
        AssistantResponseFormatOptionParam,
        AssistantToolChoiceOptionParam,
        AssistantToolParam,
    )
    from openai.types.beta.thread_create_and_run_params import Thread as ThreadParam
    from openai.types.beta.threads.run_create_params import AdditionalMessage, TruncationStrategy
    from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput


class RequestParams(TypedDict, total=False):
    """What every method of the SDK takes besides its own parameters; ``timeout`` in seconds."""

    extra_headers: Mapping[str, Any] | None
    extra_query: Mapping[str, object] | None
    extra_body: object | None
    timeout: Any


class InferenceParams(RequestParams, total=False):
    """What both ways to start a run have in common. Left out: the assistant's own value."""

    assistant_id: Required[str]
    instructions: str | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    metadata: dict[str, str] | None
    model: str | None
    parallel_tool_calls: bool
    response_format: AssistantResponseFormatOptionParam | None
    temperature: float | None
    tool_choice: AssistantToolChoiceOptionParam | None
    tools: Iterable[AssistantToolParam] | None
    top_p: float | None
    truncation_strategy: TruncationStrategy | None


class RunParams(InferenceParams, total=False):
    """``runs.create`` and its helpers."""

    thread_id: Required[str]
    include: list[Any]
    additional_instructions: str | None
    additional_messages: Iterable[AdditionalMessage] | None
    reasoning_effort: Any


class CreateAndRunParams(InferenceParams, total=False):
    """``threads.create_and_run`` and its helpers."""

    thread: ThreadParam
    tool_resources: Any


class SubmitParams(RequestParams, total=False):
    """``runs.submit_tool_outputs`` and its helpers."""

    thread_id: Required[str]
    run_id: Required[str]
    tool_outputs: Required[Iterable[ToolOutput]]


def names(params: type) -> frozenset[str]:
    """The parameter names of a TypedDict, inherited ones too."""
    return frozenset(params.__annotations__)


_OBJECT = frozenset({"metadata", "tool_resources"})
_INFERENCE = frozenset({"reasoning_effort", "response_format", "temperature", "top_p"})

LATER_BODY: dict[str, frozenset[str]] = {
    "beta.assistants.create": _OBJECT | _INFERENCE,
    "beta.assistants.update": _OBJECT | _INFERENCE,
    "beta.threads.create": _OBJECT,
    "beta.threads.update": _OBJECT,
    "beta.threads.create_and_run": names(CreateAndRunParams),
    "beta.threads.messages.create": frozenset({"attachments", "metadata"}),
    "beta.threads.runs.create": names(RunParams) - {"include"},
}
"""Body parameters that came to a method after 1.1."""

LATER_QUERY: dict[str, frozenset[str]] = {
    "beta.threads.messages.list": frozenset({"run_id"}),
    "beta.threads.runs.create": frozenset({"include"}),
    "beta.threads.runs.steps.list": frozenset({"include"}),
    "beta.threads.runs.steps.retrieve": frozenset({"include"}),
}
"""Query parameters that came to a method after 1.1."""
