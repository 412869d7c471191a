"""What reading a response of a run is besides waiting for it: state, judgement, errors. No colour."""

from __future__ import annotations

from typing import Any

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.events import EventReader, Malformed, kind_of
from streaming_assistants._protocol.failures import failure, is_failure
from streaming_assistants._protocol.settle import Fetch, Owed, Plan, Progress, settle
from streaming_assistants.errors import IncompleteStreamError, MalformedEventError, both


class Reading:
    """One response being read.

    It does not know its stream, whose generator holds it: a stream that is dropped closes at once, and not
    when the garbage collector finds a cycle. Nor is it a base class of streams: the SDK reads a stream's
    type from its bases, and trips over one that is not generic.
    """

    def __init__(self, response: Any, client: Any) -> None:
        self.response = response
        self.client = client
        self.reader = EventReader()
        self.request = response.request
        self.closed = False  # by the caller, and not because it came to its end
        self._content_type = response.headers.get("content-type", "no content type")
        self._progress = Progress()
        self._progress.at(*_sdk.sent(response))
        self._events = 0

    def see(self, event: Any) -> None:
        """Takes every event but message deltas; raises the error that an ``error`` event is."""
        self._events += 1
        if event.event == "error":
            raise reported(event.data.message, self.request, _sdk.dump(event.data))
        self._progress.see(event)

    def malformed(self, error: Malformed) -> MalformedEventError:
        return MalformedEventError(
            f"The stream holds a frame that is no event: {error}",
            self.request,
            event=error.frame.event,
            data=error.frame.data,
        )

    def plan(self) -> Plan | None:
        """How to settle the stream, or None where it came to its end or was closed."""
        if self.closed or self.reader.done or self._progress.ended:
            return None
        answer = None if self._events else self.reader.plain()
        if is_failure(answer):
            said = failure(answer)
            raise reported(said["message"], self.request, said)
        return settle(self._progress)

    def owed(self, owed: Owed) -> Any:
        kind = kind_of(owed.event)
        assert kind is not None  # settle owes events of the API only
        event = kind.lenient(owed.data)
        self._progress.see(event)
        return event

    def options(self, fetch: Fetch) -> dict[str, Any]:
        beta = self.request.headers.get("OpenAI-Beta", "assistants=v2")
        retries = {} if fetch.retries is None else {"max_retries": fetch.retries}
        return {"params": fetch.query, "headers": {"OpenAI-Beta": beta}, **retries}

    def incomplete(self, status: str | None, cause: Exception | None = None) -> IncompleteStreamError:
        progress = self._progress
        if not self._events and progress.run_id is None:
            said = f"the answer ({self._content_type}) held no event of a run"
        elif progress.run_id is None:
            said = "it named no run to ask the server about"
        elif cause is not None:
            said = f"asking the server for run {progress.run_id} failed: {cause}"
        else:
            said = f"the server says that run {progress.run_id} is {status or 'unknown'}"
        hint = "; poll the run to see how it ends" if progress.run_id else ""
        return IncompleteStreamError(
            f"The stream ended before its run did, and {said}{hint}.",
            self.request,
            run_id=progress.run_id,
            thread_id=progress.thread_id,
            status=status or progress.status,
        )


def reported(message: str, request: object, body: object) -> openai.APIError:
    """The error that a server reports in what it sends."""
    error: openai.APIError = both(openai.APIError)(message, request, body=body)
    error.body = body  # releases before 1.3 do not keep it
    return error


def broken(error: Exception, request: object) -> openai.APIConnectionError:
    """A transport's error as the SDK's, and still the transport's: ``except`` finds it by either class."""
    is_timeout = isinstance(error, _sdk.timeout_errors())
    sdks: Any = openai.APITimeoutError if is_timeout else openai.APIConnectionError
    transports: Any = type(error)
    words = {} if is_timeout else {"message": f"Connection error: {str(error) or transports.__name__}"}
    made: openai.APIConnectionError = both(sdks, transports)(request=request, **words)
    return made
