"""What streams and handlers are told, with the traps that releases of the SDK fall into."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import Model, Resource

from .judge import Act, Beat, Stage, Story

RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "assistant_id": "asst_1"}
STEP = {"object": "thread.run.step", "run_id": "run_1", "thread_id": "thread_1"}
MESSAGE = {"object": "thread.message", "thread_id": "thread_1", "role": "assistant"}


def _sse(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _run(status: str) -> bytes:
    return _sse(f"thread.run.{status}", {**RUN, "status": status})


def _step(id: str, status: str, *calls: dict[str, object]) -> bytes:
    event = "created" if status == "in_progress" else status
    details = {"type": "tool_calls", "tool_calls": calls}
    return _sse(f"thread.run.step.{event}", {**STEP, "id": id, "status": status, "step_details": details})


def _step_delta(id: str, *calls: dict[str, object]) -> bytes:
    details = {"type": "tool_calls", "tool_calls": [{"index": i, **call} for i, call in enumerate(calls)]}
    return _sse("thread.run.step.delta", {"id": id, "delta": {"step_details": details}})


def _tool(about: str, number: int, *known: dict[str, object], created: bool = True) -> Beat:
    """A step with one call, all of which comes in one delta; ``known`` is what the step begins with."""
    step, call = f"step_{number}", f"call_{number}"
    begin = [_step(step, "in_progress", *known)] if created else []
    due = (
        f"on_tool_call_created {call} f {{}}, on_run_step_delta {step} in_progress, "
        f"on_tool_call_done {call} f {{}}, on_run_step_done {step} completed"
    )
    if created:
        due = f"on_run_step_created {step} in_progress, {due}"
    end = _step(step, "completed", _call(call))
    return Beat(about, due, *begin, _step_delta(step, _call(call)), end)


def _call(id: str) -> dict[str, object]:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _message(id: str, status: str, *texts: str) -> bytes:
    content = [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts]
    event = "created" if status == "in_progress" else status
    return _sse(f"thread.message.{event}", {**MESSAGE, "id": id, "status": status, "content": content})


def _text(id: str, value: str, index: int = 0, **more: object) -> bytes:
    part = {"index": index, "type": "text", "text": {"value": value, **more}}
    return _sse("thread.message.delta", {"id": id, "delta": {"content": [part]}})


def _cited(index: int) -> dict[str, object]:
    name = f"file_{index}"
    return {"index": index, "type": "file_citation", "text": name, "file_citation": {"file_id": name}}


# ---------------------------------------------------------------- how they are played


def _runs(stage: Stage) -> Resource:
    """The SDK's ``runs``, whose first request is answered with what the server says; others fail."""
    said = stage.server()
    kind = {"content-type": "text/event-stream"}
    client = _sdk.probe_client(lambda request: (200 if request.method == "POST" else 404, kind, said))
    return client.beta.threads.runs


def _reads(stage: Stage) -> None:
    """The events that ``runs.create(stream=True)`` gives, with their class where it is another's."""
    for event in _runs(stage).create(thread_id="thread_1", assistant_id="asst_1", stream=True):
        kind, name = type(event).__name__, str(getattr(event, "event", None))
        own = name.replace(".", "").replace("_", "")
        as_other = f" as {kind}" if kind.startswith("Thread") and kind.lower() != own else ""
        stage.see(f"give {name}{as_other}")


def _handles(stage: Stage) -> None:
    """What a handler is told."""
    with _stream(stage, _told(stage)()) as stream:
        stream.until_done()


def _looks_at_the_run(stage: Stage) -> None:
    def on_event(self: Model, event: Model) -> None:
        stage.see(f"show {getattr(self.current_run, 'status', None)} in {event.event}")

    with _stream(stage, type("Looks", (_sdk.probe_handler(),), {"on_event": on_event})()) as stream:
        stream.until_done()


def _asks_for_steps(stage: Stage) -> None:
    with _stream(stage, _sdk.probe_handler()()) as stream:
        for step in stream.get_final_run_steps():
            stage.see(f"give {_brief(step)}")


def _leaves(stage: Stage) -> None:
    with _stream(stage, _told(stage)()) as stream:
        next(stream)


def _forgets(stage: Stage) -> None:
    forgets = type("Forgets", (_told(stage),), {"__init__": lambda _: None})
    with _stream(stage, forgets()) as stream:
        stream.until_done()


def _awaits(stage: Stage) -> None:
    async def on_end() -> None: ...

    handler = _told(stage)()
    handler.on_end = on_end
    handler._init(None)


def _stream(stage: Stage, handler: object) -> Model:
    runs = _runs(stage)
    ask = getattr(runs, "stream", None) or runs.create_and_stream
    return ask(thread_id="thread_1", assistant_id="asst_1", event_handler=handler)


_CALLBACKS = (
    *(
        f"on_{what}_{when}"
        for what in ("run_step", "tool_call", "message", "text")
        for when in ("created", "delta", "done")
    ),
    "on_exception",
    "on_end",
)


def _told(stage: Stage) -> Model:
    """A handler that has all it is told written down."""

    def callback(name: str) -> Callable[..., None]:
        return lambda self, *given: stage.see(" ".join([name, *map(_brief, given[-1:])]))

    return type("Told", (_sdk.probe_handler(),), {name: callback(name) for name in _CALLBACKS})


def _brief(given: Model) -> str:
    """What matters of an object that a callback is given."""
    if isinstance(given, Exception):
        return type(given).__name__
    function = getattr(given, "function", None)
    seen = [getattr(given, name, None) for name in ("id", "status", "value")]
    seen += [getattr(function, name, None) for name in ("name", "arguments")]
    seen += [each.file_citation.file_id for each in getattr(given, "annotations", None) or ()]
    return " ".join(str(each) for each in seen if each)


def _turns_pages(stage: Stage) -> None:
    page = {"object": "list", "data": [{**MESSAGE, "id": "msg_1"}], "has_more": True}
    body, kind = json.dumps(page).encode(), {"content-type": "application/json"}
    messages = _sdk.probe_client(lambda _: (200, kind, body)).beta.threads.messages
    for message in islice(messages.list("thread_1", limit=1), 3):
        stage.see(f"give {message.id}")


# ---------------------------------------------------------------- the stories

_DONE = b"event: done\ndata: [DONE]\n\n"

STREAM = Story(
    Act(
        _reads,
        Beat("a frame without data", "give thread.run.created", b"event: ping\ndata:\n\n", _run("created")),
        Beat("an unknown event", "give thread.run.paused", _sse("thread.run.paused", RUN)),
        Beat(
            "a frame of data alone",
            "give thread.run.queued",
            f"data: {json.dumps({'event': 'thread.run.queued', 'data': RUN})}\n\n".encode(),
        ),
        Beat("a line separator in a text", "give thread.message.delta", _text("msg_1", "\u2028")),
        Beat(
            "a missing blank line between frames",
            "give thread.run.queued, give thread.run.in_progress",
            (_run("queued") + _run("in_progress")).replace(b"\n\n", b"\n") + b"\n",
        ),
        Beat(
            "a last frame without its blank line",
            "give thread.run.completed",
            _run("completed").rstrip(b"\n"),
        ),
    ),
    Act(_reads, Beat("a flat error event", "OpenAIError", _sse("error", {"message": "over quota"}), _DONE)),
    Act(
        _reads,
        Beat(
            "an end without a terminal event", "give thread.message.delta, OpenAIError", _text("msg_1", "a")
        ),
    ),
)

HANDLER = Story(
    # The shortest comes first: the first patch() of a process plays no further than it has to.
    Act(_awaits, Beat("an async def callback", "TypeError")),
    Act(_forgets, Beat("a handler without super().__init__()", "on_end", _run("completed"), _DONE)),
    Act(
        _handles,
        _tool("a tool call", 1),
        _tool("a second tool step", 2),
        _tool("a call that a delta restates", 3, _call("call_3")),
        _tool("a step delta without its created", 4, created=False),
        Beat(
            "a message delta without its created",
            "on_text_created a, on_text_delta a, on_message_delta msg_1 in_progress, on_text_done a, "
            "on_message_done msg_1 completed",
            _text("msg_1", "a"),
            _message("msg_1", "completed", "a"),
        ),
        Beat(
            "an annotation whose index skips one",
            "on_message_created msg_2 in_progress, on_text_created a file_1, on_text_delta a file_1, "
            "on_message_delta msg_2 in_progress, on_text_delta ab file_1, "
            "on_message_delta msg_2 in_progress, on_text_done ab, on_message_done msg_2 completed",
            _message("msg_2", "in_progress"),
            _text("msg_2", "a", annotations=[_cited(1)]),
            _text("msg_2", "b", annotations=[_cited(1)]),
            _message("msg_2", "completed", "ab"),
        ),
        Beat(
            "an end with fewer blocks than streamed",
            "on_message_created msg_3 in_progress, on_text_created a, on_text_delta a, "
            "on_message_delta msg_3 in_progress, on_text_done a, on_message_done msg_3 incomplete",
            _message("msg_3", "in_progress"),
            _text("msg_3", "a"),
            _message("msg_3", "incomplete"),
        ),
        Beat(
            "a second message",
            "on_message_created msg_4 in_progress, on_text_created one, on_text_delta one, "
            "on_message_delta msg_4 in_progress, on_text_created two, on_text_delta two, on_text_done one, "
            "on_message_delta msg_4 in_progress, on_text_done two, on_message_done msg_4 completed, "
            "on_message_created msg_5 in_progress, on_text_created three, on_text_delta three, "
            "on_message_delta msg_5 in_progress, on_text_done three, on_message_done msg_5 completed",
            _message("msg_4", "in_progress"),
            _text("msg_4", "one"),
            _text("msg_4", "two", 1),
            _message("msg_4", "completed", "one", "two"),
            _message("msg_5", "in_progress"),
            _text("msg_5", "three"),
            _message("msg_5", "completed", "three"),
        ),
        Beat("the end of a run", "on_end", _run("completed"), _DONE),
    ),
    Act(
        _looks_at_the_run,
        Beat("current_run in on_event", "show completed in thread.run.completed", _run("completed"), _DONE),
    ),
    Act(
        _asks_for_steps,
        Beat(
            "get_final_run_steps()",
            "give step_6 completed",
            _step("step_6", "in_progress"),
            _step("step_6", "completed"),
            _run("completed"),
            _DONE,
        ),
    ),
    Act(
        _leaves,
        Beat(
            "an early exit",
            "on_message_created msg_1 in_progress, on_end",
            _message("msg_1", "in_progress"),
            _run("completed"),
            _DONE,
        ),
    ),
)

HELPER = Story(*HANDLER.acts, *STREAM.acts)
PAGES = Story(Act(_turns_pages, Beat("a server that ignores `after`", "give msg_1, OpenAIError")))
