"""The SDK's own call, made to say what today's API expects: parameters that came later, and the version."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import Arguments, Method, Model

from .operations import extra, plain, with_headers
from .params import LATER_BODY, LATER_QUERY


def lacking(path: str, taken: frozenset[str]) -> frozenset[str]:
    """The later parameters of the method at ``path`` that a release which takes ``taken`` lacks."""
    return (LATER_BODY.get(path, frozenset()) | LATER_QUERY.get(path, frozenset())) - taken


def adapted(path: str, taken: frozenset[str], below: Method, *, header: str | None) -> Method:
    """``below`` with what it lacks moved to ``extra_body`` and ``extra_query``, and ``OpenAI-Beta``."""
    body = LATER_BODY.get(path, frozenset()) - taken
    query = LATER_QUERY.get(path, frozenset()) - taken

    def call(*args: object, **kwargs: object) -> Model:
        # 1.1 cannot write a generator as JSON
        kwargs = {
            name: list(value) if isinstance(value, Iterator) else value for name, value in kwargs.items()
        }
        if header is not None:
            kwargs["extra_headers"] = with_headers({"OpenAI-Beta": header}, kwargs.get("extra_headers"))
        _move(kwargs, body, "extra_body")
        _move(kwargs, query, "extra_query")
        return below(*args, **kwargs)

    return call


def saying_once(client: object) -> Callable[[Method], Method]:
    """For ``client.request``: one ``OpenAI-Beta``, however the caller and the SDK spell it."""

    def make(below: Method) -> Method:
        def request(cast_to: object, options: Model, *args: object, **kwargs: object) -> Model:
            _sdk.say_once(client, options, "openai-beta")
            return below(cast_to, options, *args, **kwargs)

        return request

    return make


def _move(kwargs: Arguments, names: frozenset[str], into: str) -> None:
    moved = {name: kwargs.pop(name) for name in names & kwargs.keys()}
    moved = {name: plain(value) for name, value in moved.items() if _sdk.given(value)}
    if moved:
        kwargs[into] = {**moved, **extra(into, kwargs.get(into))}
