"""The parameters of the newest SDK's methods for vector stores. See ``params.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from typing_extensions import Required, TypedDict

from .params import PollParams, RequestParams

if TYPE_CHECKING:
    from openai._types import FileTypes
    from openai.types import FileChunkingStrategyParam
    from openai.types.vector_stores.file_batch_create_params import File

    from .params import LeftOut


class InStore(TypedDict, total=False):
    """What names the vector store, for methods that take it by name."""

    vector_store_id: Required[str]


class StoreFileParams(TypedDict, total=False):
    """How a file is put into a vector store."""

    attributes: dict[str, str | float | bool] | LeftOut | None
    chunking_strategy: FileChunkingStrategyParam | LeftOut


class FileWaitParams(InStore, PollParams, total=False):
    """``files.poll`` and ``file_batches.poll``."""


class FilePollParams(FileWaitParams, StoreFileParams, RequestParams, total=False):
    """``files.create_and_poll``."""


class FileUploadParams(InStore, StoreFileParams, RequestParams, total=False):
    """``files.upload``."""

    file: Required[FileTypes]


class FileUploadPollParams(FileUploadParams, PollParams, total=False):
    """``files.upload_and_poll``."""


class BatchPollParams(StoreFileParams, PollParams, RequestParams, total=False):
    """``file_batches.create_and_poll``, besides the vector store."""

    file_ids: Iterable[str] | LeftOut
    files: Iterable[File] | LeftOut


class BatchUploadParams(StoreFileParams, PollParams, RequestParams, total=False):
    """``file_batches.upload_and_poll``, besides the vector store."""

    files: Required[Iterable[FileTypes]]
    file_ids: Iterable[str] | LeftOut
    max_concurrency: int | LeftOut
