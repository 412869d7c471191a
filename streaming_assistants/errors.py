"""The library's errors. Each is also one of the SDK's, so that code which catches those keeps working."""

from __future__ import annotations

from typing import Any

import openai


class StreamingAssistantsError(openai.OpenAIError):
    """The base of every error that this library raises by itself."""


class MalformedEventError(StreamingAssistantsError, openai.APIError):
    """A frame of a stream that is no event: invalid JSON, invalid UTF-8, or data of another shape.

    ``event`` is the frame's event name (``""`` for none), ``body`` the data as it came.
    """

    def __init__(self, message: str, request: Any, *, event: str, data: bytes) -> None:
        openai.APIError.__init__(self, message, request, body=None)
        self.body = data
        self.event = event


class IncompleteStreamError(StreamingAssistantsError, openai.APIConnectionError):
    """A stream ended cleanly before its run did, and the server could not say how the run ended.

    ``run_id`` and ``thread_id`` name the run (None where the stream ended before it named one);
    ``status`` is the last status that the server told.
    """

    def __init__(
        self, message: str, request: Any, *, run_id: str | None, thread_id: str | None, status: str | None
    ) -> None:
        openai.APIConnectionError.__init__(self, message=message, request=request)
        self.run_id = run_id
        self.thread_id = thread_id
        self.status = status


class NoFinalObjectError(StreamingAssistantsError, RuntimeError):
    """``get_final_run()`` and its like, on a stream that held no such object."""


class PollTimeoutError(StreamingAssistantsError, openai.APITimeoutError, TimeoutError):
    """``max_wait_seconds`` passed before what was polled came to its end, which is left as it is.

    ``id`` names the run, file or batch; ``status`` is the last one that the server told, None where it
    told none.
    """

    def __init__(self, message: str, request: Any, *, id: str, status: str | None) -> None:
        openai.APIConnectionError.__init__(self, message=message, request=request)
        self.id = id
        self.status = status


class FileUploadError(StreamingAssistantsError):
    """``file_batches.upload_and_poll`` could not upload every file, or not make the batch of them.

    ``uploaded`` holds the ids of the files that were uploaded: pass them as ``file_ids`` of the next try.
    ``failed`` holds the exceptions by the file's place in ``files``. It is also of the class of the first
    of them, where that is one of the SDK's.
    """

    message: str
    uploaded: list[str]
    failed: dict[int, BaseException]


class StalledPagesError(StreamingAssistantsError, RuntimeError):
    """A server answered with the same page again: it ignores ``after``. ``page`` is that page."""

    def __init__(self, message: str, page: Any) -> None:
        super().__init__(message)
        self.page = page
