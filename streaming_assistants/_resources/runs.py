"""Streamed runs: what stands in for the SDK's methods, on a client of either colour.

Each function here is made for one resource object and gives the callable to put on it.
"""

from __future__ import annotations

from streaming_assistants import _sdk
from streaming_assistants._io.streams import AssistantStreamManager, AsyncAssistantStreamManager
from streaming_assistants._patch.defaults import resumes
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Method, Model

from .active import TAKES
from .adoption import adopt
from .manners import Manners, parameters
from .operations import READ, Operation
from .tool_params import unstreamed


def streaming(client: AnyClient, operation: Operation, plain_call: Method) -> Method:
    """``create(..., stream=True)``: ours when a stream is asked for, the SDK's own call otherwise."""

    def call(*args: object, **kwargs: object) -> Model:
        if not streams(kwargs):
            kwargs.pop("stream", None)
            return plain_call(*args, **kwargs)
        kwargs.pop("stream")
        return Manners.taken(client, operation, args, kwargs).opened()

    return call


def reading(client: AnyClient, plain_call: Method) -> Method:
    """``retrieve(..., stream=True)``: the events of a run that there is."""

    def call(*args: object, **kwargs: object) -> Model:
        if not streams(kwargs):
            kwargs.pop("stream", None)
            unstreamed(READ.name, kwargs, parameters(READ) | {"starting_after"})
            return plain_call(*args, **kwargs)
        kwargs.pop("stream")
        return Manners.taken(client, READ, args, kwargs).opened()

    return call


def resuming(client: AnyClient) -> Method:
    """``resume()``: a handler sees a run that there is; the stream goes on where its connection breaks."""
    manage = helper(client, READ, "threads.runs.resume")

    def call(*args: object, **kwargs: object) -> Model:
        if not _sdk.given(kwargs.get("resume", _sdk.NOT_GIVEN)):
            kwargs["resume"] = True
        return manage(*args, **kwargs)

    return call


def streams(kwargs: Arguments) -> bool:
    """Whether a call asks for a stream."""
    stream = kwargs.get("stream")
    return bool(stream) and _sdk.given(stream)


def helper(client: AnyClient, operation: Operation, name: str) -> Method:
    """``.stream(...)`` and its like: a context manager that gives a handler.

    Everything that can be wrong with a call is said at once; the request is made on entry.
    """
    is_async = _sdk.is_async(client)
    manager = AsyncAssistantStreamManager if is_async else AssistantStreamManager

    def call(*args: object, event_handler: object = None, **kwargs: object) -> Model:
        custom = "true" if event_handler is not None and _sdk.given(event_handler) else "false"
        handler = adopt(event_handler if custom == "true" else None, is_async=is_async)
        headers = {"X_Stainless_Stream_Helper": name, "X_Stainless_Custom_Event_Handler": custom}
        manners = Manners.taken(client, operation, args, kwargs, **headers)
        return manager(manners.opened, event_handler=handler)

    return call


def wishing(client: AnyClient, operation: Operation, ours: Method, below: Method, *, asks: bool) -> Method:
    """``below``, which may be the SDK's own, and ours for a call that wants more of a stream than it does.

    ``asks``: a stream is given only where ``stream=True`` asks for it.
    """
    wishes = parameters(operation)

    def call(*args: object, **kwargs: object) -> Model:
        if asks and not streams(kwargs):
            unstreamed(operation.name, kwargs, wishes - TAKES)
            return below(*args, **kwargs)
        return (ours if wishes & kwargs.keys() or resumes(client) else below)(*args, **kwargs)

    return call
