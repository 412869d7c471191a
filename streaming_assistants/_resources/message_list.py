"""``messages.list(stream=True)``: the newest message of a thread while it grows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote

import openai
from typing_extensions import Required

from streaming_assistants import _sdk
from streaming_assistants._io.drive import run, run_async
from streaming_assistants._io.message_reading import BETA, Following, is_stream
from streaming_assistants._io.message_streams import AsyncMessageStream, MessageStream, PendingMessageStream
from streaming_assistants._io.raised import broken
from streaming_assistants._protocol.plan import Invoke, Plan, WaitedTooLong
from streaming_assistants._protocol.waits import WHOLE_SECONDS, Terms, Wait
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse, Method, Model

from .operations import Operation, checked_id, request_options, spoken, with_headers
from .params import RequestParams, names

if TYPE_CHECKING:
    from .params import LeftOut

STREAMS = "assistants=v1"
"""The one server that streams this endpoint does so under v1 only, whose threads it keeps apart."""

UNSUPPORTED = frozenset({400, 404, 405, 422, 500, 501})
"""How servers say that they do not stream this endpoint, or do not speak a version."""


class MessageStreamParams(RequestParams, total=False):
    """``messages.list(stream=True)``, besides the thread: the newest message only, so ``limit`` is 1 and
    ``order`` is desc.

    ``run_id``: the newest message of that run. ``poll_interval_ms`` and ``max_wait_seconds`` are for
    servers that have to be polled.
    """

    limit: int | LeftOut
    order: Literal["desc"] | LeftOut
    run_id: str | LeftOut
    after: LeftOut | None
    before: LeftOut | None
    poll_interval_ms: int | LeftOut | None
    max_wait_seconds: float | LeftOut | None


class StreamedListParams(MessageStreamParams, total=False):
    """``messages.list(stream=True)``."""

    thread_id: Required[str]


LIST = Operation(
    "list", "/threads/{thread_id}/messages", names(StreamedListParams), ("thread_id",), ("thread_id",)
)


def listing(client: object, below: Method) -> Method:
    """``list()``: ours when a stream is asked for, the SDK's own page otherwise."""

    def call(*args: object, **kwargs: object) -> Model:
        stream = kwargs.pop("stream", None)
        if not (stream and _sdk.given(stream)):
            return below(*args, **kwargs)
        plan = _opening(client, *_request(client, args, kwargs))
        return PendingMessageStream(lambda: run_async(plan)) if _sdk.is_async(client) else run(plan)

    return call


class Unsupported(NamedTuple):
    """The response of a server that does not stream this endpoint."""

    response: HttpResponse


def _request(
    client: AnyClient, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[str, list[Arguments], Following]:
    """The path, the options to try it with, and what to do where it is not streamed. Raises for what is
    wrong with the call."""
    bound = LIST.bind(args, kwargs)
    _check(bound)
    thread_id = checked_id("thread_id", bound["thread_id"])
    run_id = bound.get("run_id")
    run_id = checked_id("run_id", run_id) if run_id is not None else None
    terms = Terms.checked(bound.get("poll_interval_ms"), bound.get("max_wait_seconds"))

    given = bound.get("extra_headers") or {}
    said = {name: bound.get(name) for name in names(RequestParams)}
    query = {name: bound[name] for name in ("order", "run_id") if bound.get(name) is not None}
    options = request_options(said, {"stream": "true", "limit": 1, **query}, {})
    if isinstance(said["extra_body"], Mapping):
        options["extra_json"] = said["extra_body"]
    raw = _sdk.made_raw(given)
    others = {name: text for name, text in given.items() if name not in raw}
    fetches = spoken(client, request_options({**said, "extra_headers": others}, {}, {}))
    following = Following(thread_id, run_id, Wait(terms, time.monotonic), fetches)
    path = LIST.path.format(thread_id=quote(thread_id, safe=""))
    is_said = _sdk.said(client, BETA) or any(name.lower() == BETA for name in given)
    tries = [spoken(client, options)]
    if not is_said:
        tries.append({**options, "headers": with_headers({"OpenAI-Beta": STREAMS}, given)})
    return path, tries, following


def _check(bound: Mapping[str, object]) -> None:
    limit, order = bound.get("limit"), bound.get("order")
    if limit not in (None, 1):
        raise ValueError(
            f"messages.list(stream=True) streams the newest message only: limit must be 1 or left out, "
            f"got {limit!r}"
        )
    for name in ("after", "before"):
        if bound.get(name) is not None:
            raise ValueError(
                f"messages.list(stream=True) streams the newest message only: {name} is not supported, "
                f"got {bound[name]!r}"
            )
    if order not in (None, "desc"):
        raise ValueError(
            f"messages.list(stream=True) streams the newest message only: order must be 'desc' or left out, "
            f"got {order!r}"
        )


def _opening(client: AnyClient, path: str, tries: list[Arguments], following: Following) -> Plan[Model]:
    """Opens the stream, or what follows the message by polling where the server does not stream."""
    try:
        answer = yield from _tried(client, path, tries, following)
    except WaitedTooLong as error:
        raise following.too_late(_sdk.request(client, "GET", path)) from error
    if not isinstance(answer, Unsupported):
        following.keep(_sdk.response_of(answer))
        return answer
    following.keep(answer.response)
    return _kind(client)(cast_to=object, response=answer.response, client=client)


def _tried(client: AnyClient, path: str, tries: list[Arguments], following: Following) -> Plan[Model]:
    """The stream (or the raw response that will make it) of the first try that is streamed.

    Where none is, the first answer that is no error, or Unsupported.
    """
    answers: list[Model] = []
    for options in tries:
        if answers and not isinstance(answers[-1], Exception):
            response = _sdk.response_of(answers[-1])
            yield Invoke(response.aclose if _sdk.is_async(client) else response.close)
        # Without retries: a server that answers 500 to this form means it.
        answer = yield from _answer(client, path, {**options, "max_retries": 0}, following)
        if not answers and _passes(answer) and client.max_retries > 0:
            again = {**options, "max_retries": client.max_retries - 1}
            answer = yield from _answer(client, path, again, following)
        if not isinstance(answer, Exception):
            if is_stream(_sdk.response_of(answer)):
                return answer
        elif not answers and not _refuses(answer):
            raise answer
        answers.append(answer)
    best = next((answer for answer in answers if not isinstance(answer, Exception)), answers[0])
    if not isinstance(best, Exception):
        return best
    if _sdk.made_raw(tries[0]["headers"]):
        raise best
    return Unsupported(_sdk.response_of(best))


def _answer(client: AnyClient, path: str, options: Arguments, following: Following) -> Plan[Model]:
    """What comes of one request: a stream, its raw response, or the error."""
    make = partial(client.get, path, cast_to=object, options=options, stream=True, stream_cls=_kind(client))
    # A server that streams needs no waiting: however short that may be, it is given a second to say so.
    left = following.wait.left()
    try:
        return (yield Invoke(make, None if left is None else max(left, WHOLE_SECONDS)))
    except openai.APIError as error:
        return error
    except _sdk.transport_errors() as error:  # releases before 1.3 let them out
        return broken(error, _sdk.request_of(error))


def _kind(client: object) -> Method:
    """The stream's class; releases up to 1.10 read the type from its generic argument."""
    return AsyncMessageStream[object] if _sdk.is_async(client) else MessageStream[object]


def _refuses(answer: Model) -> bool:
    return isinstance(answer, openai.APIStatusError) and answer.status_code in UNSUPPORTED


def _passes(answer: object) -> bool:
    """Whether it is an error after which the SDK would try again, and that may help."""
    if isinstance(answer, openai.APIStatusError):
        return not _refuses(answer) and (answer.status_code in (408, 409, 429) or answer.status_code >= 500)
    return isinstance(answer, openai.APIConnectionError)
