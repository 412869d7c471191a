"""One name for each type of the Assistants API, whatever the SDK in use calls it or whether it has it.

``from streaming_assistants.types import Message, ThreadMessageDelta``: the SDK's own class where it has
one (``ThreadMessage`` is Message before 1.14), a class of the same shape where it has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._protocol import models
from ._protocol.chunks import MessageChunk, MessageChunkContent, MessageChunkData, MessageChunkDelta
from ._protocol.dialects import Done, UnknownEvent

if TYPE_CHECKING:
    from openai.types.beta import Assistant as Assistant
    from openai.types.beta import Thread as Thread
    from openai.types.beta.assistant_stream_event import *  # noqa: F403
    from openai.types.beta.threads import *  # noqa: F403
    from openai.types.beta.threads.runs import *  # noqa: F403
    from openai.types.shared import ErrorObject as ErrorObject
    from openai.types.vector_store import VectorStore as VectorStore
    from openai.types.vector_store_deleted import VectorStoreDeleted as VectorStoreDeleted
    from openai.types.vector_store_search_response import (
        VectorStoreSearchResponse as VectorStoreSearchResponse,
    )
    from openai.types.vector_stores import *  # noqa: F403

_EVENTS = {models.class_name(name): name for name in models.EVENTS if name != "done"}
_MODELS = (
    "Assistant",
    "Thread",
    "Run",
    "Message",
    "MessageDeleted",
    "MessageDelta",
    "MessageDeltaEvent",
    "Text",
    "TextDelta",
    "TextContentBlock",
    "TextDeltaBlock",
    "ImageFile",
    "ImageFileDelta",
    "ImageFileContentBlock",
    "ImageFileDeltaBlock",
    "ImageURL",
    "ImageURLDelta",
    "ImageURLContentBlock",
    "ImageURLDeltaBlock",
    "RefusalContentBlock",
    "RefusalDeltaBlock",
    "FileCitationAnnotation",
    "FileCitationDeltaAnnotation",
    "FilePathAnnotation",
    "FilePathDeltaAnnotation",
    "RunStep",
    "RunStepDelta",
    "RunStepDeltaEvent",
    "RunStepDeltaMessageDelta",
    "ToolCallDeltaObject",
    "ToolCallsStepDetails",
    "MessageCreationStepDetails",
    "FunctionToolCall",
    "FunctionToolCallDelta",
    "CodeInterpreterToolCall",
    "CodeInterpreterToolCallDelta",
    "CodeInterpreterLogs",
    "CodeInterpreterOutputImage",
    "FileSearchToolCall",
    "FileSearchToolCallDelta",
    "ErrorObject",
    "VectorStore",
    "VectorStoreDeleted",
    "VectorStoreFile",
    "VectorStoreFileBatch",
    "VectorStoreFileDeleted",
    "VectorStoreSearchResponse",
    "FileContentResponse",
)

__all__ = [
    "Done",
    "MessageChunk",
    "MessageChunkContent",
    "MessageChunkData",
    "MessageChunkDelta",
    "UnknownEvent",
    *_MODELS,
    *_EVENTS,
]


def __getattr__(name: str) -> Any:
    if name in _EVENTS:
        return models.event_model(_EVENTS[name])
    if name in _MODELS:
        return models.model(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
