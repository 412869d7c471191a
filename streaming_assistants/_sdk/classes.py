"""The SDK's handlers, streams, pages and raw views, wherever a release keeps them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import openai

from .basemodels import JSON
from .calls import raw


def handler_base(name: str) -> type:
    """The SDK's handler class of that name, or ``object`` before 1.14."""
    return cast("type", getattr(openai, name, None) or _streaming(name) or object)


def _streaming(name: str) -> type | None:
    try:
        module = importlib.import_module("openai.lib.streaming")
    except ImportError:
        return None
    return cast("type | None", getattr(module, name, None))


def closer(stream: JSON) -> Callable[[], JSON]:
    """What closes a stream of the SDK: its own ``close()`` from 1.6 on, its response's before."""
    close = getattr(stream, "close", None)
    if close is None:
        close = getattr(stream.response, "aclose", None) if isinstance(stream, openai.AsyncStream) else None
    return cast("Callable[[], JSON]", close or stream.response.close)


# ---------------------------------------------------------------- pages


def with_page_class(answer: JSON, change: Callable[[type], type]) -> JSON:
    """What a ``list()`` of the SDK gave, with another class for its pages; the same object back.

    That is a page, an async paginator, or a raw response of either.
    """
    for name in ("_page_cls", "_cast_to"):
        kind = getattr(answer, name, None)
        if isinstance(kind, type):
            setattr(answer, name, change(kind))
            return answer
    if hasattr(answer, "get_next_page"):
        # pydantic would look for a field of that name
        object.__setattr__(answer, "__class__", change(type(answer)))
    return answer


# ---------------------------------------------------------------- raw responses

RAW = ("with_raw_response", "with_streaming_response")


def made_raw(headers: Mapping[str, JSON]) -> dict[str, JSON]:
    """The headers by which a raw view marks its requests, out of ``headers``: none for an ordinary call."""
    return {name: value for name, value in headers.items() if name.lower() == "x-stainless-raw-response"}


def in_view(view: str, method: Callable[..., JSON], *, is_async: bool) -> Callable[..., JSON]:
    """The form that a method has in the raw view of that name, which the SDK has."""
    if view == "with_raw_response":
        return raw(method)
    responses = importlib.import_module("openai._response")
    wrap = (
        responses.async_to_streamed_response_wrapper if is_async else responses.to_streamed_response_wrapper
    )
    return cast("Callable[..., JSON]", wrap(method))


def raw_views(space: Mapping[str, JSON], resource: JSON) -> Iterator[tuple[JSON, JSON]]:
    """(view, what it was made of) for each raw view of ``resource`` that exists by now, nested ones too.

    A view holds bound methods as they were when it was made, so a patch has to make it anew. It is
    looked for where the resource keeps its attributes: asking for it would create it.
    """
    for name in RAW:
        if _is_the_sdks(space.get(name)):
            yield from _nested(space[name], resource)


def _nested(view: JSON, source: JSON) -> Iterator[tuple[JSON, JSON]]:
    yield view, source
    for name, inner in vars(view).items():
        # Views that we have put there know their source themselves.
        if not name.startswith("_") and _is_the_sdks(inner):
            below = getattr(source, name, None)
            if below is not None and not callable(below):
                yield from _nested(inner, below)


def _is_the_sdks(value: object) -> bool:
    return type(value).__module__.startswith("openai.")
