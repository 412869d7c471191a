"""The API's objects as they are stored and answered. Assistants and runs are JSON here: which members they
have is declared in :mod:`.run_params`."""

from __future__ import annotations

from typing import Literal, TypedDict

from .port import Json

Metadata = dict[str, str]


class Attachment(TypedDict):
    file_id: str
    tools: list[Json]


class Reason(TypedDict):
    reason: str


class RunError(TypedDict):
    code: str
    message: str


class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_token_details: dict[str, int]
    completion_tokens_details: dict[str, int]


class Thread(TypedDict):
    id: str
    object: Literal["thread"]
    created_at: int
    metadata: Metadata
    tool_resources: dict[str, Json]


class Message(TypedDict):
    id: str
    object: Literal["thread.message"]
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    status: Literal["in_progress", "incomplete", "completed"]
    incomplete_details: Reason | None
    incomplete_at: int | None
    completed_at: int | None
    role: Literal["user", "assistant"]
    content: list[Json]
    attachments: list[Attachment]
    metadata: Metadata


class Listed(TypedDict):
    """A page of a list."""

    object: Literal["list"]
    data: list[Json]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(TypedDict):
    """What is answered to a DELETE; ``object`` says what it was, as in ``thread.deleted``."""

    id: str
    object: str
    deleted: Literal[True]


class StepKind(TypedDict):
    type: Literal["message_creation", "tool_calls"]


class StepDetails(StepKind, total=False):
    message_creation: dict[str, str]
    tool_calls: list[Json]


class Step(TypedDict):
    id: str
    object: Literal["thread.run.step"]
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: Literal["in_progress", "completed", "cancelled", "failed", "expired"]
    cancelled_at: int | None
    completed_at: int | None
    expires_at: int | None
    failed_at: int | None
    last_error: RunError | None
    step_details: StepDetails
    usage: Usage | None
