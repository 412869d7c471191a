"""Models that some releases of the SDK lack, in the shapes of the API reference.

Imported only when one is missing: all deltas before 1.14, vector stores before 1.21, image_url before
1.26, refusals before 1.40.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Literal, Optional, Union

from streaming_assistants import _sdk

# ruff: noqa: UP006, UP007, UP035, UP045  (pydantic 1 on Python 3.10 reads the typing forms only)

if TYPE_CHECKING:
    from pydantic import BaseModel
else:
    BaseModel = _sdk.base_model()


class ErrorObject(BaseModel):
    code: Optional[str] = None
    message: str
    param: Optional[str] = None
    type: Optional[str] = None


class ImageURL(BaseModel):
    url: str
    detail: Optional[str] = None


class ImageURLContentBlock(BaseModel):
    image_url: ImageURL
    type: Literal["image_url"]


class RefusalContentBlock(BaseModel):
    refusal: str
    type: Literal["refusal"]


class FileCitation(BaseModel):
    file_id: Optional[str] = None
    quote: Optional[str] = None


class FileCitationDeltaAnnotation(BaseModel):
    index: int
    type: Literal["file_citation"]
    end_index: Optional[int] = None
    file_citation: Optional[FileCitation] = None
    start_index: Optional[int] = None
    text: Optional[str] = None


class FilePath(BaseModel):
    file_id: Optional[str] = None


class FilePathDeltaAnnotation(BaseModel):
    index: int
    type: Literal["file_path"]
    end_index: Optional[int] = None
    file_path: Optional[FilePath] = None
    start_index: Optional[int] = None
    text: Optional[str] = None


class TextDelta(BaseModel):
    annotations: Optional[List[Union[FileCitationDeltaAnnotation, FilePathDeltaAnnotation]]] = None
    value: Optional[str] = None


class TextDeltaBlock(BaseModel):
    index: int
    type: Literal["text"]
    text: Optional[TextDelta] = None


class ImageFileDelta(BaseModel):
    detail: Optional[str] = None
    file_id: Optional[str] = None


class ImageFileDeltaBlock(BaseModel):
    index: int
    type: Literal["image_file"]
    image_file: Optional[ImageFileDelta] = None


class ImageURLDelta(BaseModel):
    detail: Optional[str] = None
    url: Optional[str] = None


class ImageURLDeltaBlock(BaseModel):
    index: int
    type: Literal["image_url"]
    image_url: Optional[ImageURLDelta] = None


class RefusalDeltaBlock(BaseModel):
    index: int
    type: Literal["refusal"]
    refusal: Optional[str] = None


class MessageDelta(BaseModel):
    content: Optional[
        List[Union[ImageFileDeltaBlock, TextDeltaBlock, RefusalDeltaBlock, ImageURLDeltaBlock]]
    ] = None
    role: Optional[Literal["user", "assistant"]] = None


class MessageDeltaEvent(BaseModel):
    id: str
    delta: MessageDelta
    object: Literal["thread.message.delta"]


class MessageDeleted(BaseModel):
    id: str
    deleted: bool
    object: Literal["thread.message.deleted"]


class CodeInterpreterLogs(BaseModel):
    index: int
    type: Literal["logs"]
    logs: Optional[str] = None


class CodeInterpreterImage(BaseModel):
    file_id: Optional[str] = None


class CodeInterpreterOutputImage(BaseModel):
    index: int
    type: Literal["image"]
    image: Optional[CodeInterpreterImage] = None


class CodeInterpreterDelta(BaseModel):
    input: Optional[str] = None
    outputs: Optional[List[Union[CodeInterpreterLogs, CodeInterpreterOutputImage]]] = None


class CodeInterpreterToolCallDelta(BaseModel):
    index: int
    type: Literal["code_interpreter"]
    id: Optional[str] = None
    code_interpreter: Optional[CodeInterpreterDelta] = None


class FileSearchToolCall(BaseModel):
    id: str
    file_search: Any = None
    type: Literal["file_search"]


class FileSearchToolCallDelta(BaseModel):
    file_search: Any = None
    index: int
    type: Literal["file_search"]
    id: Optional[str] = None


class FunctionDelta(BaseModel):
    arguments: Optional[str] = None
    name: Optional[str] = None
    output: Optional[str] = None


class FunctionToolCallDelta(BaseModel):
    index: int
    type: Literal["function"]
    id: Optional[str] = None
    function: Optional[FunctionDelta] = None


class ToolCallDeltaObject(BaseModel):
    type: Literal["tool_calls"]
    tool_calls: Optional[
        List[Union[CodeInterpreterToolCallDelta, FileSearchToolCallDelta, FunctionToolCallDelta]]
    ] = None


class MessageCreation(BaseModel):
    message_id: Optional[str] = None


class RunStepDeltaMessageDelta(BaseModel):
    type: Literal["message_creation"]
    message_creation: Optional[MessageCreation] = None


class RunStepDelta(BaseModel):
    step_details: Optional[Union[RunStepDeltaMessageDelta, ToolCallDeltaObject]] = None


class RunStepDeltaEvent(BaseModel):
    id: str
    delta: RunStepDelta
    object: Literal["thread.run.step.delta"]


class FileCounts(BaseModel):
    cancelled: int
    completed: int
    failed: int
    in_progress: int
    total: int


class ExpiresAfter(BaseModel):
    anchor: Literal["last_active_at"]
    days: int


class VectorStore(BaseModel):
    id: str
    created_at: int
    file_counts: FileCounts
    last_active_at: Optional[int] = None
    metadata: Optional[Any] = None
    name: Optional[str] = None
    object: Literal["vector_store"]
    status: Literal["expired", "in_progress", "completed"]
    usage_bytes: int
    expires_after: Optional[ExpiresAfter] = None
    expires_at: Optional[int] = None


class VectorStoreDeleted(BaseModel):
    id: str
    deleted: bool
    object: Literal["vector_store.deleted"]


class LastError(BaseModel):
    code: str
    message: str


class VectorStoreFile(BaseModel):
    id: str
    created_at: int
    last_error: Optional[LastError] = None
    object: Literal["vector_store.file"]
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    usage_bytes: int
    vector_store_id: str
    attributes: Optional[Any] = None
    chunking_strategy: Optional[Any] = None


class VectorStoreFileDeleted(BaseModel):
    id: str
    deleted: bool
    object: Literal["vector_store.file.deleted"]


class VectorStoreFileBatch(BaseModel):
    id: str
    created_at: int
    file_counts: FileCounts
    object: Literal["vector_store.files_batch"]
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    vector_store_id: str


class VectorStoreSearchContent(BaseModel):
    text: str
    type: Literal["text"]


class VectorStoreSearchResponse(BaseModel):
    attributes: Optional[Any] = None
    content: List[VectorStoreSearchContent]
    file_id: str
    filename: str
    score: float


class FileContentResponse(BaseModel):
    text: Optional[str] = None
    type: Optional[str] = None
