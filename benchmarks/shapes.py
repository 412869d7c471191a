"""The streams that everything is measured on, in OpenAI's framing: the one source of shapes.

``frames(shape, events)`` is a whole run whose deltas are of one shape; ``grown(what, size, events)`` one
that first grows to so many calls, annotations, parts or messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import cycle, islice

_RUN = (
    '{"id":"run_1","object":"thread.run","created_at":1,"assistant_id":"asst_1","thread_id":"thread_1",'
    '"status":"queued","started_at":null,"expires_at":601,"cancelled_at":null,"failed_at":null,'
    '"completed_at":null,"required_action":null,"last_error":null,"model":"gpt-4o","instructions":"Be kind.",'
    '"tools":[{"type":"code_interpreter"}],"tool_resources":{},"metadata":{},"temperature":1.0,"top_p":1.0,'
    '"max_completion_tokens":null,"max_prompt_tokens":null,"truncation_strategy":{"type":"auto",'
    '"last_messages":null},"incomplete_details":null,"usage":null,"response_format":"auto",'
    '"tool_choice":"auto","parallel_tool_calls":true}'
)
_STEP = (
    '{"id":"step_1","object":"thread.run.step","created_at":1,"run_id":"run_1","assistant_id":"asst_1",'
    '"thread_id":"thread_1","type":"tool_calls","status":"in_progress","cancelled_at":null,'
    '"completed_at":null,"expired_at":null,"failed_at":null,"last_error":null,'
    '"step_details":{"type":"tool_calls","tool_calls":[]},"usage":null,"metadata":null}'
)
_MESSAGE = (
    '{"id":"msg_1","object":"thread.message","created_at":1,"assistant_id":"asst_1","thread_id":"thread_1",'
    '"run_id":"run_1","status":"in_progress","incomplete_details":null,"incomplete_at":null,'
    '"completed_at":null,"role":"assistant","content":[],"attachments":[],"metadata":{}}'
)
WORDS = (" The", " weather", " in", " Paris", " is", ' "mild"', ",", " about", " 18", " \u00b0C", ".", "\n\n")
ARGUMENTS = ('{"', "city", '":', ' "', "Par", "is", '",', ' "', "unit", '":', ' "', "celsius", '"}')
CODE = ("import", " math", "\n", "print", "(", "math", ".sqrt", "(", '"2"', "))", "\n", "#", " done")

SHAPES = {
    "text": ("on_text_delta",),
    "function arguments": ("on_tool_call_delta",),
    "code input": ("on_tool_call_delta",),
    "file_search": ("on_tool_call_delta",),
    "mixed": ("on_text_delta", "on_tool_call_delta"),
}
"""What a run streams, and the callbacks that its handler has."""

_OF_MESSAGES = ("on_text_delta", "on_message_delta", "on_event")
_OF_STEPS = ("on_tool_call_delta", "on_run_step_delta", "on_event")

GROWING = {
    "calls": _OF_STEPS,
    "calls in turn": _OF_STEPS,
    "annotations": _OF_MESSAGES,
    "annotations, one more each": _OF_MESSAGES,
    "parts": _OF_MESSAGES,
    "messages": _OF_MESSAGES,
    "hundreds of text deltas": _OF_MESSAGES,
    "hundreds of argument deltas": _OF_STEPS,
}
"""What a run grows by, and the callbacks whose cost must not. ``on_event`` looks at the snapshots itself."""

Frames = list[bytes]


def frames(shape: str, events: int) -> Frames:
    """The frames of a run; about ``events`` of them are deltas."""

    def many(made: Callable[[str], bytes], words: Iterable[str]) -> Frames:
        return [made(word) for word in islice(cycle(words), events)]

    middle = {
        "text": lambda: [_message_created(), *many(_text, WORDS)],
        "function arguments": lambda: [_step_created(), _function_begun(), *many(_function, ARGUMENTS)],
        "code input": lambda: [_step_created(), _code_begun(), *many(_code, CODE)],
        "file_search": lambda: [_step_created(), *[_search()] * events],  # one call, told again and again
        "mixed": lambda: _mixed(events),
    }[shape]()
    return [*_START, *middle, *_END]


def grown(what: str, size: int, events: int) -> tuple[Frames, Frames]:
    """The frames that bring ``size`` of something, and after them ``events`` deltas, with the run's end."""
    calls = [_step_created(), *(_function_begun(index) for index in range(size))]
    message = _message_created()
    places = range(events)
    words = list(islice(cycle(ARGUMENTS if GROWING[what] is _OF_STEPS else WORDS), events))
    if what == "calls":
        before, after = calls, [_function(word, size - 1) for word in words]
    elif what == "calls in turn":
        before, after = calls, [_function(word, place % size) for place, word in enumerate(words)]
    elif what == "annotations":
        before, after = [message, *map(_cited, range(size))], [_text(word) for word in words]
    elif what == "annotations, one more each":
        before, after = [message, *map(_cited, range(size))], [_cited(size + place) for place in places]
    elif what == "parts":
        before = [message, *(_text("a", index) for index in range(size))]
        after = [_text(word, size - 1) for word in words]
    elif what == "messages":
        names = [f"msg_{place}" for place in range(size)]
        each = [(_message_created(name), _text("a", message=name)) for name in names]
        before = [frame for pair in each for frame in pair]
        after = [_text(word, message=names[-1]) for word in words]
    elif what == "hundreds of text deltas":
        before, after = [message, *[_text(" word")] * (100 * size)], [_text(word) for word in words]
    else:
        before, after = [*calls[:2], *[_function("1, ")] * (100 * size)], [_function(word) for word in words]
    return [*_START, *before], [*after, *_END]


def data_lines(content: Iterable[bytes]) -> Frames:
    """The JSON of each event, which is the least that a reader decodes."""
    lines = [line[6:] for frame in content for line in frame.split(b"\n")]
    return [line for line in lines if line.startswith(b"{")]


def _mixed(events: int) -> Frames:
    """Code, a search, two functions, then text with a citation at every 20th word: a fifth each, text two."""
    fifth = events // 5
    made = [_step_created(), _code_begun(0), *map(_code, islice(cycle(CODE), fifth)), _search(1)]
    for index in (2, 3):
        words = islice(cycle(ARGUMENTS), fifth)
        made += [_function_begun(index), *(_function(word, index) for word in words)]
    made.append(_message_created())
    for place, word in enumerate(islice(cycle(WORDS), events - 3 * fifth)):
        made.append(_cited(place // 20 % 50) if place % 20 == 19 else _text(word))
    return made


def _frame(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)}\n\n".encode()


def _message_created(name: str = "msg_1") -> bytes:
    return _frame("thread.message.created", {**json.loads(_MESSAGE), "id": name})


def _step_created() -> bytes:
    return _frame("thread.run.step.created", json.loads(_STEP))


def _text(value: str, index: int = 0, message: str = "msg_1", **more: object) -> bytes:
    part = {"index": index, "type": "text", "text": {"value": value, **more}}
    delta = {"id": message, "object": "thread.message.delta", "delta": {"content": [part]}}
    return _frame("thread.message.delta", delta)


def _cited(index: int) -> bytes:
    mark = f"\u3010{index}:0\u2020source\u3011"
    citation = {
        "index": index,
        "type": "file_citation",
        "text": mark,
        "start_index": 10,
        "end_index": 22,
        "file_citation": {"file_id": "file_1", "quote": ""},
    }
    return _text(mark, annotations=[citation])


def _call(item: object) -> bytes:
    details = {"type": "tool_calls", "tool_calls": [item]}
    delta = {"id": "step_1", "object": "thread.run.step.delta", "delta": {"step_details": details}}
    return _frame("thread.run.step.delta", delta)


def _function_begun(index: int = 0) -> bytes:
    inner = {"name": "get_weather", "arguments": "", "output": None}
    return _call({"index": index, "id": f"call_{index}", "type": "function", "function": inner})


def _function(arguments: str, index: int = 0) -> bytes:
    return _call({"index": index, "type": "function", "function": {"arguments": arguments}})


def _code_begun(index: int = 0) -> bytes:
    inner = {"input": "", "outputs": []}
    return _call(
        {"index": index, "id": f"call_{index}", "type": "code_interpreter", "code_interpreter": inner}
    )


def _code(text: str, index: int = 0) -> bytes:
    return _call({"index": index, "type": "code_interpreter", "code_interpreter": {"input": text}})


def _search(index: int = 0) -> bytes:
    return _call({"index": index, "id": f"call_{index}", "type": "file_search", "file_search": {}})


_START = [_frame("thread.run.created", json.loads(_RUN))]
_END = [
    _frame("thread.run.completed", {**json.loads(_RUN), "status": "completed"}),
    b"event: done\ndata: [DONE]\n\n",
]
