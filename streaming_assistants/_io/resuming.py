"""How a stream goes on whose connection broke, and how one is read of a run that there is: after a number
where the server numbers its events, else by polling."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.numbers import NotNumbered
from streaming_assistants._protocol.plan import Ask, Invoke, Plan, Read, Received, Sleep
from streaming_assistants._protocol.resume import PATIENCE, Gone, begun_run, follow, passes, patient
from streaming_assistants._sdk.untyped import HttpResponse, Model

from .message_reading import is_stream
from .reading import RunSpan, Way
from .streams import AsyncEventStream, EventStream

_LOOKS = 6  # at a thread's runs, until the one is listed that was just begun
_LOOK_PAUSE = 0.5  # seconds


def resumed(span: RunSpan, plan: Plan[None]) -> Plan[None]:
    """A way around each answer (see ``reading.Ways``): one that breaks or just ends is gone on with."""
    span.listen()
    span.settles = False
    try:
        yield from plan
        return
    except openai.APIConnectionError as error:
        if not span.has_answer:
            raise
        if span.progress.thread_id is None:
            raise span.incomplete(None, error) from error
        # The error is not kept: what it remembers holds the stream, which could not close by itself.
    # Between the run's last event and the end of its stream there is nothing to miss.
    if not (span.progress.ended or (yield from _numbered(span))):
        yield from _polled(span)


def read_after(number: int, *, goes_on: bool) -> Way:
    """A way in the place of the first answer, to which the events of a run after a number were asked for. A
    server that does not number them is polled where all of them are wanted. ``goes_on``: so it is where the
    connection breaks. Raises IncompleteStreamError where there is nothing after that number to be had."""

    def way(span: RunSpan, plan: Plan[None]) -> Plan[None]:
        plan.close()
        span.listen()
        span.settles = not goes_on
        if (yield from _answered(span, number, goes_on)):
            return
        if number:
            raise span.unnumbered(number)
        yield from _polled(span)

    return way


def _answered(span: RunSpan, number: int, goes_on: bool) -> Plan[bool]:
    """Reads the first answer; whether the server numbers its events."""
    response, numbers = span.response, span.listen().numbers
    if not is_stream(response):  # it answers with the run as it is
        yield Invoke(response.aclose if _sdk.is_async(span.client) else response.close)
        return False
    numbers.begin(number)
    try:
        reading = yield Read(lambda: response, span.reading)
    except NotNumbered:
        return False
    except openai.APIConnectionError:
        if not goes_on:
            raise
    else:
        if reading.reader.done or span.progress.ended:
            return True
        if not goes_on:
            yield from span.rest(reading)
            return True
    return (yield from _numbered(span))


def _numbered(span: RunSpan) -> Plan[bool]:
    """Reads on after the last number, as often as it takes; whether that came to the end."""
    numbers, failures = span.listen().numbers, 0
    while numbers.last is not None and failures < len(PATIENCE):
        last = numbers.last
        numbers.ask()
        try:
            reading = yield Read(partial(_reopened, span, last), span.reading)
            if reading.reader.done:
                return True
            is_offered = is_stream(reading.response)
        except NotNumbered:
            is_offered = False
        except openai.APIConnectionError:
            is_offered = True
        except openai.APIStatusError as error:
            is_offered = passes(error)
        if span.progress.ended:
            return True
        if not is_offered:
            break
        if numbers.last != last:
            failures = 0
        else:
            yield Sleep(PATIENCE[failures])
            failures += 1
    numbers.drop()
    return False


def _reopened(span: RunSpan, number: int) -> Model:
    """Asks for the run as a stream of what comes after the event of that number."""
    progress, client = span.progress, span.client
    stream = AsyncEventStream[object] if _sdk.is_async(client) else EventStream[object]
    query = {"stream": "true", "starting_after": number}
    return client.get(
        f"{_runs_path(progress.thread_id)}/{quote(progress.run_id or '', safe='')}",
        cast_to=object,
        options={**span.options(query, **{"Last-Event-ID": str(number)}), "max_retries": 0},
        stream=True,
        stream_cls=stream,
    )


def _polled(span: RunSpan) -> Plan[None]:
    try:
        for _ in range(_LOOKS):
            if (yield from begun(span)):
                break
            yield Sleep(_LOOK_PAUSE)
        else:
            raise span.incomplete(None)
        yield from follow(span.listen(), span.owed)
    except (openai.APIStatusError, Gone, ValueError) as error:  # ValueError: an answer that is no JSON
        raise span.incomplete(None, error) from error


def begun(span: RunSpan, asking: Callable[[Ask], Plan[Received]] = patient) -> Plan[bool]:
    """Whether it is known which run the stream is of; its thread is asked for the one that was begun last."""
    progress = span.progress
    if progress.run_id is None and progress.thread_id is not None:
        query = {"order": "desc", "limit": 20}
        page = yield from asking(Ask(_runs_path(progress.thread_id), query, retries=0))
        response = span.halt.response
        progress.run_id = begun_run(page.value, progress, _assistant(response), _answered_at(response))
    return progress.run_id is not None


def _runs_path(thread_id: str | None) -> str:
    return f"/threads/{quote(thread_id or '', safe='')}/runs"


def _assistant(response: HttpResponse) -> str | None:
    try:
        body = json.loads(_sdk.sent(response)[1])
    except ValueError:
        return None
    said = body.get("assistant_id") if isinstance(body, dict) else None
    return said if isinstance(said, str) else None


def _answered_at(response: HttpResponse) -> float:
    """When the server answered, by its own clock where it says so: seconds since the epoch."""
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):  # TypeError: what Python 3.9 and some dates raise
        return time.time()
