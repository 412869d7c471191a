"""The SDK's defects that the library repairs, each with a probe that asks the installed SDK.

A probe runs in memory: canned bytes through the SDK's own method, no network, no version number. It
answers True while the defect is there; when a release passes, the library steps aside by itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import openai

from streaming_assistants import _sdk

log = logging.getLogger("streaming_assistants")

Probe = Callable[[], bool]


@dataclass(frozen=True)
class Defect:
    """``name`` is what its test is called after; ``shows`` says what a user of the SDK sees."""

    name: str
    shows: str
    probe: Probe

    def present(self) -> bool:
        """Whether the installed SDK has it, or cannot even be asked. Asked once in a process."""
        return _present(self)


@cache
def _present(defect: Defect) -> bool:
    try:
        return defect.probe()
    except Exception:  # a release of tomorrow may refuse the call
        log.debug("%s: the probe failed, which counts as the defect", defect.name, exc_info=True)
        return True


def _sse(*events: tuple[str, object]) -> bytes:
    return b"".join(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events)


RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "assistant_id": "asst_1"}
STEP = {"id": "step_1", "object": "thread.run.step", "run_id": "run_1", "thread_id": "thread_1"}
MESSAGE = {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1", "role": "assistant"}
_END = ("thread.run.completed", {**RUN, "status": "completed"})
_DONE = b"event: done\ndata: [DONE]\n\n"


def _calls(*calls: dict[str, Any], step: str = "step_1") -> tuple[str, Any]:
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return "thread.run.step.delta", {"id": step, "delta": {"step_details": details}}


def _call(index: int, **function: str) -> dict[str, Any]:
    return {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def _step(event: str, calls: list[Any] | None = None, step: str = "step_1") -> tuple[str, Any]:
    details = {"type": "tool_calls", "tool_calls": calls or []}
    status = event if event != "created" else "in_progress"
    return f"thread.run.step.{event}", {**STEP, "id": step, "status": status, "step_details": details}


def _text(value: str, index: int = 0, message: str = "msg_1", **more: object) -> tuple[str, Any]:
    part = {"index": index, "type": "text", "text": {"value": value, **more}}
    return "thread.message.delta", {"id": message, "delta": {"content": [part]}}


def _message(event: str, *texts: str, message: str = "msg_1") -> tuple[str, Any]:
    content = [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts]
    status = "in_progress" if event == "created" else event
    return f"thread.message.{event}", {**MESSAGE, "id": message, "status": status, "content": content}


def _events(body: bytes) -> list[Any]:
    """What ``runs.create(stream=True)`` of the SDK makes of a body."""
    runs: Any = _sdk.probe_client(body).beta.threads.runs
    return list(runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True))


def _handled(body: bytes, **callbacks: Callable[..., None]) -> Any:
    """A handler of the SDK after ``runs.stream()`` of the SDK brought it ``body``."""
    runs: Any = _sdk.probe_client(body).beta.threads.runs
    made = _handler()()
    for name, callback in callbacks.items():
        setattr(made, name, callback)
    asked = getattr(runs, "stream", None) or runs.create_and_stream
    with asked(thread_id="thread_1", assistant_id="asst_1", event_handler=made) as stream:
        stream.until_done()
    return made


def _handler() -> Any:
    return _sdk.probe_handler()


def _raises(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception:  # noqa: BLE001  (which one the SDK raises differs from release to release)
        return True
    return False


def _count(body: bytes, callback: str) -> int:
    seen: list[Any] = []
    _handled(body, **{callback: lambda *args: seen.append(args)})
    return len(seen)


# ---------------------------------------------------------------- streams


def _empty_data() -> bool:
    return _raises(lambda: _events(b"event: ping\ndata:\n\n" + _sse(_END) + _DONE))


def _unknown_event() -> bool:
    events = _events(_sse(("thread.run.paused", RUN), _END) + _DONE)
    return type(events[0]).__name__.startswith("Thread")


def _data_only() -> bool:
    name, data = _END
    events = _events(f"data: {json.dumps({'event': name, 'data': data})}\n\ndata: [DONE]\n\n".encode())
    return [getattr(event, "event", None) for event in events] != [name]


def _no_terminal_event() -> bool:
    body = _sse(("thread.run.in_progress", {**RUN, "status": "in_progress"}))
    return not _raises(lambda: _events(body))


def _last_frame() -> bool:
    return len(_events(_sse(_END).rstrip(b"\n"))) != 1


def _no_blank_line() -> bool:
    body = _sse(("thread.run.created", {**RUN, "status": "queued"}), _END).replace(b"\n\n", b"\n")
    return _raises(lambda: _events(body + b"\n")) or len(_events(body + b"\n")) != 2


def _flat_error() -> bool:
    def ask() -> None:
        try:
            _events(_sse(("error", {"message": "over quota", "code": "rate_limit_exceeded"})) + _DONE)
        except openai.APIError as error:
            if "over quota" in str(error):
                raise

    return not _raises(ask)


def _line_separator() -> bool:
    text = _text("\u2028")
    body = f"event: {text[0]}\ndata: {json.dumps(text[1], ensure_ascii=False)}\n\n".encode()
    return _raises(lambda: _events(body + _sse(_END) + _DONE))


# ---------------------------------------------------------------- handlers

_CALL_STEP = (_step("created"), _calls(_call(0, name="f", arguments="{}")))


def _tool_call_done_again() -> bool:
    done = [{"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    return _count(_sse(*_CALL_STEP, _step("completed", done), _END) + _DONE, "on_tool_call_done") != 1


def _second_step_created() -> bool:
    again = (_step("created", step="step_2"), _calls(_call(0, name="g", arguments=""), step="step_2"))
    return _count(_sse(*_CALL_STEP, *again, _END) + _DONE, "on_tool_call_created") != 2


def _text_done_of_the_other() -> bool:
    seen: list[str] = []
    one = (_message("created"), _text("one"), _message("completed", "one"))
    two = (_message("created", message="msg_2"), _text("two", 1, "msg_2"))
    end = _message("completed", "", "two", message="msg_2")
    body = _sse(*one, *two, end, _END) + _DONE
    try:
        _handled(body, on_text_done=lambda text: seen.append(text.value))
    except IndexError:
        return True
    return seen.count("one") != 1


def _fewer_blocks() -> bool:
    body = _sse(_message("created"), _text("cut"), _message("incomplete"), _END) + _DONE
    return _raises(lambda: _handled(body))


def _delta_first() -> bool:
    return _raises(lambda: _handled(_sse(_calls(_call(0, name="f")), _END) + _DONE)) or _raises(
        lambda: _handled(_sse(_text("a"), _END) + _DONE)
    )


def _stale_steps() -> bool:
    made = _handled(_sse(_step("created"), _step("completed"), _END) + _DONE)
    return bool(made.get_final_run_steps()[0].status != "completed")


def _stale_run() -> bool:
    seen: list[Any] = []
    runs: Any = _sdk.probe_client(_sse(_END) + _DONE).beta.threads.runs

    class Looks(_handler()):  # type: ignore[misc]
        def on_event(self, event: object) -> None:
            seen.append(self.current_run)

    asked = getattr(runs, "stream", None) or runs.create_and_stream
    with asked(thread_id="t", assistant_id="a", event_handler=Looks()) as stream:
        stream.until_done()
    return seen[0] is None


def _end_after_break() -> bool:
    seen: list[int] = []
    made = _handler()()
    made.on_end = lambda: seen.append(1)
    runs: Any = _sdk.probe_client(_sse(_message("created"), _END) + _DONE).beta.threads.runs
    asked = getattr(runs, "stream", None) or runs.create_and_stream
    with asked(thread_id="t", assistant_id="a", event_handler=made) as stream:
        next(stream)
    return seen != [1]


def _no_super_init() -> bool:
    class Forgets(_handler()):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

    return _raises(lambda: Forgets().current_run)


def _async_callback() -> bool:
    async def on_end() -> None: ...

    def ask() -> None:
        made = _handler()()
        made.on_end = on_end
        made._init(None)

    return not _raises(ask)


def _skipped_annotation() -> bool:
    def cite(index: int) -> dict[str, Any]:
        name = f"file_{index}"
        return {"index": index, "type": "file_citation", "text": name, "file_citation": {"file_id": name}}

    texts: list[Any] = []
    events = (
        _text("a", annotations=[cite(1)]),
        _text("b", annotations=[cite(2)]),
        _text("c", annotations=[cite(1)]),
    )
    _handled(
        _sse(_message("created"), *events, _END) + _DONE, on_text_delta=lambda _, text: texts.append(text)
    )
    found = [item.file_citation.file_id for item in texts[-1].annotations]
    return found != ["file_1", "file_2"]


def _restated_call() -> bool:
    call = {"id": "call_0", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    seen: list[Any] = []
    body = _sse(_step("created", [call]), _calls({"index": 0, **call}), _END) + _DONE
    _handled(body, on_run_step_delta=lambda _, step: seen.append(step))
    return bool(seen[0].step_details.tool_calls[0].function.name != "get_weather")


def _pages_never_end() -> bool:
    body = json.dumps({"object": "list", "data": [MESSAGE], "has_more": True}).encode()
    messages: Any = _sdk.probe_client(body, {"content-type": "application/json"}).beta.threads.messages
    found = messages.list("thread_1", limit=1)
    return not _raises(lambda: list(islice(found, 3)))


PAGES = (
    Defect(
        "pages_never_end",
        "a server that ignores `after` is asked for the same page for ever",
        _pages_never_end,
    ),
)

STREAM = (
    Defect(
        "empty_data_frames_crash", "a frame without data ends the stream with JSONDecodeError", _empty_data
    ),
    Defect("unknown_events_are_mistyped", "an unknown event is typed ThreadCreated", _unknown_event),
    Defect(
        "data_only_events_have_no_name",
        "`data: {event, data}` yields events whose .event is None",
        _data_only,
    ),
    Defect(
        "missing_end_looks_like_success",
        "a stream without a terminal event ends silently",
        _no_terminal_event,
    ),
    Defect("last_frame_is_dropped", "a last frame without its blank line is lost", _last_frame),
    Defect("missing_blank_line_crashes", "frames without a blank line between them crash", _no_blank_line),
    Defect(
        "flat_errors_are_lost", "an `error` event that is not nested does not raise its message", _flat_error
    ),
    Defect("line_separator_splits_a_line", "U+2028 in a text breaks the frame", _line_separator),
)

HANDLER = (
    Defect(
        "forgotten_super_init_crashes",
        "a handler without super().__init__() is an AttributeError",
        _no_super_init,
    ),
    Defect(
        "async_callbacks_are_dropped", "`async def` callbacks of a sync handler never run", _async_callback
    ),
    Defect(
        "tool_call_done_fires_again",
        "on_tool_call_done fires again at the step's and the run's end",
        _tool_call_done_again,
    ),
    Defect(
        "second_step_has_no_created", "a second tool step gets no on_tool_call_created", _second_step_created
    ),
    Defect(
        "text_done_of_the_previous_message",
        "on_text_done fires with another message's text",
        _text_done_of_the_other,
    ),
    Defect(
        "fewer_blocks_crash",
        "a final message with fewer blocks than streamed is an IndexError",
        _fewer_blocks,
    ),
    Defect("delta_without_created_crashes", "a delta without its created event crashes", _delta_first),
    Defect("final_steps_are_stale", "get_final_run_steps() answers with in_progress steps", _stale_steps),
    Defect("current_run_is_stale", "current_run is None or old inside on_event", _stale_run),
    Defect("no_end_after_break", "on_end does not fire after an early exit", _end_after_break),
    Defect("skipped_annotations_merge", "annotations whose index skips one are merged", _skipped_annotation),
    Defect("restated_calls_double", "a tool call that a delta restates is doubled", _restated_call),
)
