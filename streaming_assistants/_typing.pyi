# What a patched client looks like to a type checker. At runtime its class is the one that it had.
# Parameters are typed once, in _resources/params.py; here they meet the two colours.

# mypy: disable-error-code="override, misc"
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Literal, TypeAlias, TypeVar, overload

import openai
from openai._base_client import AsyncPaginator
from openai._types import NotGiven, Omit
from openai.pagination import AsyncCursorPage, SyncCursorPage
from openai.resources.beta import AsyncBeta, Beta
from openai.resources.beta import threads as resources
from openai.resources.vector_stores import (
    AsyncFileBatches,
    AsyncFiles,
    AsyncVectorStores,
    FileBatches,
    Files,
    VectorStores,
)
from openai.types.beta import AssistantStreamEvent, Thread
from openai.types.beta.threads import Message, MessageDeleted, Run
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch
from typing_extensions import Unpack

from ._io.message_streams import MessageStream, PendingMessageStream
from ._io.streams import (
    AssistantStreamManager,
    AsyncAssistantStreamManager,
    AsyncEventStream,
    EventStream,
)
from ._protocol.chunks import MessageChunk
from ._protocol.tool_calls import ToolOutput
from ._resources.message_list import MessageStreamParams
from ._resources.params import (
    CreateAndRunParams,
    CreateAndRunPollParams,
    CreateAndRunStreamParams,
    MessageCreateParams,
    MessageListParams,
    MessageUpdateParams,
    RequestParams,
    RunCreateParams,
    RunCreateStreamParams,
    RunPollParams,
    RunResumeParams,
    RunRetrieveStreamParams,
    RunStreamParams,
    RunWaitParams,
    SubmitPollParams,
    SubmitStreamParams,
    SubmitToolOutputsParams,
    SubmitToolOutputsStreamParams,
)
from ._resources.store_params import (
    BatchPollParams,
    BatchUploadParams,
    FilePollParams,
    FileUploadParams,
    FileUploadPollParams,
    FileWaitParams,
)
from ._resources.thread_list import ThreadListParams
from .handlers import AssistantEventHandler, AsyncAssistantEventHandler
from .tools import ToolHandlers

LeftOut: TypeAlias = NotGiven | Omit

# Ours, or any of the SDK's, which is adopted.
HandlerT = TypeVar("HandlerT", bound=openai.AssistantEventHandler)
AsyncHandlerT = TypeVar("AsyncHandlerT", bound=openai.AsyncAssistantEventHandler)

class HandledRun(Run):
    """A Run of a helper that polled it under ``tool_handlers=``."""

    tool_outputs: list[ToolOutput]
    """The outputs that were computed and not submitted, where the run waits for others, too."""

class PatchedMessages(resources.Messages):
    def create(self, thread_id: str, **params: Unpack[MessageCreateParams]) -> Message: ...
    @overload
    def list(
        self, thread_id: str, *, stream: Literal[True], **params: Unpack[MessageStreamParams]
    ) -> MessageStream[MessageChunk]: ...
    @overload
    def list(
        self, thread_id: str, *, stream: Literal[False] = False, **params: Unpack[MessageListParams]
    ) -> SyncCursorPage[Message]: ...
    def update(
        self, message_id: str, *, thread_id: str, **params: Unpack[MessageUpdateParams]
    ) -> Message: ...
    def delete(
        self, message_id: str, *, thread_id: str, **params: Unpack[RequestParams]
    ) -> MessageDeleted: ...

class PatchedRuns(resources.Runs):
    @overload
    def retrieve(
        self, run_id: str, *, stream: Literal[True], **params: Unpack[RunRetrieveStreamParams]
    ) -> EventStream[AssistantStreamEvent]: ...
    @overload
    def retrieve(
        self,
        run_id: str,
        *,
        thread_id: str,
        stream: Literal[False] | LeftOut | None = ...,
        **params: Unpack[RequestParams],
    ) -> Run: ...
    @overload
    def resume(
        self, run_id: str, *, event_handler: HandlerT, **params: Unpack[RunResumeParams]
    ) -> AssistantStreamManager[HandlerT]: ...
    @overload
    def resume(
        self, run_id: str, *, event_handler: LeftOut | None = ..., **params: Unpack[RunResumeParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create(
        self, thread_id: str, *, stream: Literal[True], **params: Unpack[RunCreateStreamParams]
    ) -> EventStream[AssistantStreamEvent]: ...
    @overload
    def create(
        self,
        thread_id: str,
        *,
        stream: Literal[False] | LeftOut | None = ...,
        **params: Unpack[RunCreateParams],
    ) -> Run: ...
    @overload
    def create(
        self, thread_id: str, *, stream: bool, **params: Unpack[RunCreateStreamParams]
    ) -> Run | openai.Stream[AssistantStreamEvent]: ...
    @overload
    def submit_tool_outputs(
        self, run_id: str, *, stream: Literal[True], **params: Unpack[SubmitToolOutputsStreamParams]
    ) -> EventStream[AssistantStreamEvent]: ...
    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        stream: Literal[False] | LeftOut | None = ...,
        **params: Unpack[SubmitToolOutputsParams],
    ) -> Run: ...
    @overload
    def submit_tool_outputs(
        self, run_id: str, *, stream: bool, **params: Unpack[SubmitToolOutputsStreamParams]
    ) -> Run | openai.Stream[AssistantStreamEvent]: ...
    @overload
    def poll(
        self, run_id: str, thread_id: str, *, tool_handlers: ToolHandlers, **params: Unpack[RunWaitParams]
    ) -> HandledRun: ...
    @overload
    def poll(
        self,
        run_id: str,
        thread_id: str,
        *,
        tool_handlers: LeftOut | None = ...,
        **params: Unpack[RunWaitParams],
    ) -> Run: ...
    @overload
    def create_and_poll(
        self, *, tool_handlers: ToolHandlers, **params: Unpack[RunPollParams]
    ) -> HandledRun: ...
    @overload
    def create_and_poll(
        self, *, tool_handlers: LeftOut | None = ..., **params: Unpack[RunPollParams]
    ) -> Run: ...
    @overload
    def submit_tool_outputs_and_poll(
        self, *, tool_handlers: ToolHandlers, **params: Unpack[SubmitPollParams]
    ) -> HandledRun: ...
    @overload
    def submit_tool_outputs_and_poll(
        self, *, tool_handlers: LeftOut | None = ..., **params: Unpack[SubmitPollParams]
    ) -> Run: ...
    @overload
    def stream(self, **params: Unpack[RunStreamParams]) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def stream(
        self, *, event_handler: HandlerT, **params: Unpack[RunStreamParams]
    ) -> AssistantStreamManager[HandlerT]: ...
    @overload
    def create_and_stream(
        self, **params: Unpack[RunStreamParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create_and_stream(
        self, *, event_handler: HandlerT, **params: Unpack[RunStreamParams]
    ) -> AssistantStreamManager[HandlerT]: ...
    @overload
    def submit_tool_outputs_stream(
        self, **params: Unpack[SubmitStreamParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def submit_tool_outputs_stream(
        self, *, event_handler: HandlerT, **params: Unpack[SubmitStreamParams]
    ) -> AssistantStreamManager[HandlerT]: ...

class PatchedThreads(resources.Threads):
    @property
    def messages(self) -> PatchedMessages: ...
    @property
    def runs(self) -> PatchedRuns: ...
    def list(self, **params: Unpack[ThreadListParams]) -> SyncCursorPage[Thread]: ...
    @overload
    def create_and_run(
        self, *, stream: Literal[True], **params: Unpack[CreateAndRunStreamParams]
    ) -> EventStream[AssistantStreamEvent]: ...
    @overload
    def create_and_run(
        self, *, stream: Literal[False] | LeftOut | None = ..., **params: Unpack[CreateAndRunParams]
    ) -> Run: ...
    @overload
    def create_and_run(
        self, *, stream: bool, **params: Unpack[CreateAndRunStreamParams]
    ) -> Run | openai.Stream[AssistantStreamEvent]: ...
    @overload
    def create_and_run_poll(
        self, *, tool_handlers: ToolHandlers, **params: Unpack[CreateAndRunPollParams]
    ) -> HandledRun: ...
    @overload
    def create_and_run_poll(
        self, *, tool_handlers: LeftOut | None = ..., **params: Unpack[CreateAndRunPollParams]
    ) -> Run: ...
    @overload
    def create_and_run_stream(
        self, **params: Unpack[CreateAndRunStreamParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create_and_run_stream(
        self, *, event_handler: HandlerT, **params: Unpack[CreateAndRunStreamParams]
    ) -> AssistantStreamManager[HandlerT]: ...

class PatchedFiles(Files):
    def poll(self, file_id: str, **params: Unpack[FileWaitParams]) -> VectorStoreFile: ...
    def create_and_poll(self, file_id: str, **params: Unpack[FilePollParams]) -> VectorStoreFile: ...
    def upload(self, **params: Unpack[FileUploadParams]) -> VectorStoreFile: ...
    def upload_and_poll(self, **params: Unpack[FileUploadPollParams]) -> VectorStoreFile: ...

class PatchedFileBatches(FileBatches):
    def poll(self, batch_id: str, **params: Unpack[FileWaitParams]) -> VectorStoreFileBatch: ...
    def create_and_poll(
        self, vector_store_id: str, **params: Unpack[BatchPollParams]
    ) -> VectorStoreFileBatch: ...
    def upload_and_poll(
        self, vector_store_id: str, **params: Unpack[BatchUploadParams]
    ) -> VectorStoreFileBatch: ...

class PatchedVectorStores(VectorStores):
    @property
    def files(self) -> PatchedFiles: ...
    @property
    def file_batches(self) -> PatchedFileBatches: ...

class PatchedBeta(Beta):
    @property
    def threads(self) -> PatchedThreads: ...
    @property
    def vector_stores(self) -> PatchedVectorStores: ...

class PatchedOpenAI(openai.OpenAI):
    @property
    def beta(self) -> PatchedBeta: ...
    @property
    def vector_stores(self) -> PatchedVectorStores: ...

class PatchedAzureOpenAI(PatchedOpenAI, openai.AzureOpenAI): ...

class PatchedAsyncMessages(resources.AsyncMessages):
    async def create(self, thread_id: str, **params: Unpack[MessageCreateParams]) -> Message: ...
    @overload
    def list(
        self, thread_id: str, *, stream: Literal[True], **params: Unpack[MessageStreamParams]
    ) -> PendingMessageStream: ...
    @overload
    def list(
        self, thread_id: str, *, stream: Literal[False] = False, **params: Unpack[MessageListParams]
    ) -> AsyncPaginator[Message, AsyncCursorPage[Message]]: ...
    async def update(
        self, message_id: str, *, thread_id: str, **params: Unpack[MessageUpdateParams]
    ) -> Message: ...
    async def delete(
        self, message_id: str, *, thread_id: str, **params: Unpack[RequestParams]
    ) -> MessageDeleted: ...

class PatchedAsyncRuns(resources.AsyncRuns):
    @overload
    async def retrieve(
        self, run_id: str, *, stream: Literal[True], **params: Unpack[RunRetrieveStreamParams]
    ) -> AsyncEventStream[AssistantStreamEvent]: ...
    @overload
    async def retrieve(
        self,
        run_id: str,
        *,
        thread_id: str,
        stream: Literal[False] | LeftOut | None = ...,
        **params: Unpack[RequestParams],
    ) -> Run: ...
    @overload
    def resume(
        self, run_id: str, *, event_handler: AsyncHandlerT, **params: Unpack[RunResumeParams]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @overload
    def resume(
        self, run_id: str, *, event_handler: LeftOut | None = ..., **params: Unpack[RunResumeParams]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    async def create(
        self, thread_id: str, *, stream: Literal[True], **params: Unpack[RunCreateStreamParams]
    ) -> AsyncEventStream[AssistantStreamEvent]: ...
    @overload
    async def create(
        self,
        thread_id: str,
        *,
        stream: Literal[False] | LeftOut | None = ...,
        **params: Unpack[RunCreateParams],
    ) -> Run: ...
    @overload
    async def create(
        self, thread_id: str, *, stream: bool, **params: Unpack[RunCreateStreamParams]
    ) -> Run | openai.AsyncStream[AssistantStreamEvent]: ...
    @overload
    async def submit_tool_outputs(
        self, run_id: str, *, stream: Literal[True], **params: Unpack[SubmitToolOutputsStreamParams]
    ) -> AsyncEventStream[AssistantStreamEvent]: ...
    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        stream: Literal[False] | LeftOut | None = ...,
        **params: Unpack[SubmitToolOutputsParams],
    ) -> Run: ...
    @overload
    async def submit_tool_outputs(
        self, run_id: str, *, stream: bool, **params: Unpack[SubmitToolOutputsStreamParams]
    ) -> Run | openai.AsyncStream[AssistantStreamEvent]: ...
    @overload
    async def poll(
        self, run_id: str, thread_id: str, *, tool_handlers: ToolHandlers, **params: Unpack[RunWaitParams]
    ) -> HandledRun: ...
    @overload
    async def poll(
        self,
        run_id: str,
        thread_id: str,
        *,
        tool_handlers: LeftOut | None = ...,
        **params: Unpack[RunWaitParams],
    ) -> Run: ...
    @overload
    async def create_and_poll(
        self, *, tool_handlers: ToolHandlers, **params: Unpack[RunPollParams]
    ) -> HandledRun: ...
    @overload
    async def create_and_poll(
        self, *, tool_handlers: LeftOut | None = ..., **params: Unpack[RunPollParams]
    ) -> Run: ...
    @overload
    async def submit_tool_outputs_and_poll(
        self, *, tool_handlers: ToolHandlers, **params: Unpack[SubmitPollParams]
    ) -> HandledRun: ...
    @overload
    async def submit_tool_outputs_and_poll(
        self, *, tool_handlers: LeftOut | None = ..., **params: Unpack[SubmitPollParams]
    ) -> Run: ...
    @overload
    def stream(
        self, **params: Unpack[RunStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def stream(
        self, *, event_handler: AsyncHandlerT, **params: Unpack[RunStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @overload
    def create_and_stream(
        self, **params: Unpack[RunStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def create_and_stream(
        self, *, event_handler: AsyncHandlerT, **params: Unpack[RunStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @overload
    def submit_tool_outputs_stream(
        self, **params: Unpack[SubmitStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def submit_tool_outputs_stream(
        self, *, event_handler: AsyncHandlerT, **params: Unpack[SubmitStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...

class PatchedAsyncThreads(resources.AsyncThreads):
    @property
    def messages(self) -> PatchedAsyncMessages: ...
    @property
    def runs(self) -> PatchedAsyncRuns: ...
    def list(self, **params: Unpack[ThreadListParams]) -> AsyncPaginator[Thread, AsyncCursorPage[Thread]]: ...
    @overload
    async def create_and_run(
        self, *, stream: Literal[True], **params: Unpack[CreateAndRunStreamParams]
    ) -> AsyncEventStream[AssistantStreamEvent]: ...
    @overload
    async def create_and_run(
        self, *, stream: Literal[False] | LeftOut | None = ..., **params: Unpack[CreateAndRunParams]
    ) -> Run: ...
    @overload
    async def create_and_run(
        self, *, stream: bool, **params: Unpack[CreateAndRunStreamParams]
    ) -> Run | openai.AsyncStream[AssistantStreamEvent]: ...
    @overload
    async def create_and_run_poll(
        self, *, tool_handlers: ToolHandlers, **params: Unpack[CreateAndRunPollParams]
    ) -> HandledRun: ...
    @overload
    async def create_and_run_poll(
        self, *, tool_handlers: LeftOut | None = ..., **params: Unpack[CreateAndRunPollParams]
    ) -> Run: ...
    @overload
    def create_and_run_stream(
        self, **params: Unpack[CreateAndRunStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def create_and_run_stream(
        self, *, event_handler: AsyncHandlerT, **params: Unpack[CreateAndRunStreamParams]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...

class PatchedAsyncFiles(AsyncFiles):
    async def poll(self, file_id: str, **params: Unpack[FileWaitParams]) -> VectorStoreFile: ...
    async def create_and_poll(self, file_id: str, **params: Unpack[FilePollParams]) -> VectorStoreFile: ...
    async def upload(self, **params: Unpack[FileUploadParams]) -> VectorStoreFile: ...
    async def upload_and_poll(self, **params: Unpack[FileUploadPollParams]) -> VectorStoreFile: ...

class PatchedAsyncFileBatches(AsyncFileBatches):
    async def poll(self, batch_id: str, **params: Unpack[FileWaitParams]) -> VectorStoreFileBatch: ...
    async def create_and_poll(
        self, vector_store_id: str, **params: Unpack[BatchPollParams]
    ) -> VectorStoreFileBatch: ...
    async def upload_and_poll(
        self, vector_store_id: str, **params: Unpack[BatchUploadParams]
    ) -> VectorStoreFileBatch: ...

class PatchedAsyncVectorStores(AsyncVectorStores):
    @property
    def files(self) -> PatchedAsyncFiles: ...
    @property
    def file_batches(self) -> PatchedAsyncFileBatches: ...

class PatchedAsyncBeta(AsyncBeta):
    @property
    def threads(self) -> PatchedAsyncThreads: ...
    @property
    def vector_stores(self) -> PatchedAsyncVectorStores: ...

class PatchedAsyncOpenAI(openai.AsyncOpenAI):
    @property
    def beta(self) -> PatchedAsyncBeta: ...
    @property
    def vector_stores(self) -> PatchedAsyncVectorStores: ...

class PatchedAsyncAzureOpenAI(PatchedAsyncOpenAI, openai.AsyncAzureOpenAI): ...
