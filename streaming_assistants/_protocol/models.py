"""One name for each model of the Assistants API, whatever the SDK calls it or whether it has it.

``model("Message")`` is the SDK's class where the installed release has one (``ThreadMessage`` before
1.14), and the class of :mod:`.absent_models` where it has none.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._json import Json

if TYPE_CHECKING:
    from pydantic import BaseModel
else:
    BaseModel = _sdk.base_model()

EVENTS: tuple[str, ...] = (
    "thread.created",
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.requires_action",
    "thread.run.completed",
    "thread.run.incomplete",
    "thread.run.failed",
    "thread.run.cancelling",
    "thread.run.cancelled",
    "thread.run.expired",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.run.step.delta",
    "thread.run.step.completed",
    "thread.run.step.failed",
    "thread.run.step.cancelled",
    "thread.run.step.expired",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.message.incomplete",
    "error",
    "done",
)
"""All event names of the API, as its reference lists them."""

MESSAGE_DELTA, STEP_DELTA = "thread.message.delta", "thread.run.step.delta"
"""What nearly all of a stream is."""

_THREADS, _STEPS = "beta.threads", "beta.threads.runs"

# Where a name has lived, newest first. A name that is absent here is looked for under its own name in
# openai.types.beta.threads and openai.types.beta.threads.runs.
_PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "Thread": (("beta", "Thread"),),
    "Assistant": (("beta", "Assistant"),),
    "ErrorObject": (("shared", "ErrorObject"), ("shared.error_object", "ErrorObject")),
    "Message": ((_THREADS, "Message"), (_THREADS, "ThreadMessage")),
    "Text": ((_THREADS, "Text"), (f"{_THREADS}.message_content_text", "Text")),
    "ImageFile": ((_THREADS, "ImageFile"), (f"{_THREADS}.message_content_image_file", "ImageFile")),
    "TextContentBlock": ((_THREADS, "TextContentBlock"), (_THREADS, "MessageContentText")),
    "ImageFileContentBlock": ((_THREADS, "ImageFileContentBlock"), (_THREADS, "MessageContentImageFile")),
    "FileCitationAnnotation": (
        (_THREADS, "FileCitationAnnotation"),
        (f"{_THREADS}.message_content_text", "TextAnnotationFileCitation"),
    ),
    "FilePathAnnotation": (
        (_THREADS, "FilePathAnnotation"),
        (f"{_THREADS}.message_content_text", "TextAnnotationFilePath"),
    ),
    "VectorStore": (("vector_store", "VectorStore"), ("beta", "VectorStore")),
    "VectorStoreDeleted": (("vector_store_deleted", "VectorStoreDeleted"), ("beta", "VectorStoreDeleted")),
    "VectorStoreSearchResponse": (("vector_store_search_response", "VectorStoreSearchResponse"),),
    "FileContentResponse": (("vector_stores", "FileContentResponse"),),
    **{
        name: (("vector_stores", name), ("beta.vector_stores", name))
        for name in ("VectorStoreFile", "VectorStoreFileBatch", "VectorStoreFileDeleted")
    },
    "CodeInterpreterToolCall": ((_STEPS, "CodeInterpreterToolCall"), (_STEPS, "CodeToolCall")),
}

VARIANTS: dict[str, dict[str, str]] = {
    "content": {
        "text": "TextContentBlock",
        "image_file": "ImageFileContentBlock",
        "image_url": "ImageURLContentBlock",
        "refusal": "RefusalContentBlock",
    },
    "content_delta": {
        "text": "TextDeltaBlock",
        "image_file": "ImageFileDeltaBlock",
        "image_url": "ImageURLDeltaBlock",
        "refusal": "RefusalDeltaBlock",
    },
    "annotation": {"file_citation": "FileCitationAnnotation", "file_path": "FilePathAnnotation"},
    "tool_call": {
        "function": "FunctionToolCall",
        "code_interpreter": "CodeInterpreterToolCall",
        "file_search": "FileSearchToolCall",
    },
    "tool_call_delta": {
        "function": "FunctionToolCallDelta",
        "code_interpreter": "CodeInterpreterToolCallDelta",
        "file_search": "FileSearchToolCallDelta",
    },
}
"""Which model a part is, by its ``type``; a type that no table knows becomes an open model."""


@cache
def model(name: str) -> type[pydantic.BaseModel]:
    """The class for ``name``, the SDK's own where it has one."""
    places = _PLACES.get(name) or ((_THREADS, name), (_STEPS, name))
    kind = _sdk.find(places)
    if kind is None:
        from . import absent_models  # which are made of these

        kind = getattr(absent_models, name, None)
    if kind is None:
        raise AttributeError(f"no model of the Assistants API is called {name!r}")
    return kind


class OpenPart(BaseModel):
    """A part of a kind that the SDK has no class for: what the server sent, as attributes.

    What is inside it is the same, all the way down. ``part["name"]`` reads it too, as in the dicts that the
    SDK leaves such things in, and whatever the name is.
    """

    def __getitem__(self, name: str) -> Json:
        return _sdk.extras(self)[name]

    def __contains__(self, name: object) -> bool:
        return name in _sdk.extras(self)


def class_name(event: str) -> str:
    """``thread.run.requires_action`` -> ``ThreadRunRequiresAction``, as the SDK names its events."""
    if event == "error":
        return "ErrorEvent"
    return "".join(word.capitalize() for word in event.replace(".", "_").split("_"))


def data_name(event: str) -> str:
    """The model of an event's data: ``thread.message.completed`` -> ``Message``."""
    if event == "error":
        return "ErrorObject"
    thing, _, change = event.rpartition(".")
    name = {"thread": "Thread", "thread.run": "Run", "thread.run.step": "RunStep"}.get(thing, "Message")
    return f"{name}DeltaEvent" if change == "delta" else name


@cache
def event_model(event: str) -> type[pydantic.BaseModel]:
    """The class of an event: the SDK's (1.14 and newer), else one of the same name and shape."""
    if event not in EVENTS or event == "done":
        raise AttributeError(f"no event of the Assistants API is called {event!r}")
    name = class_name(event)
    kind = _sdk.find((("beta.assistant_stream_event", name),))
    if kind is None:
        fields: dict[str, Any] = {
            "data": (model(data_name(event)), ...),
            "event": (Literal[event], ...),
        }
        # where its name is found again, by pickle for one
        home = f"{__name__.partition('.')[0]}.types"
        kind = pydantic.create_model(name, __base__=_sdk.base_model(), __module__=home, **fields)
    return kind
