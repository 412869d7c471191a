"""Which callbacks an event fires, and in what order. Sans-IO.

The order is that of the SDK's handler. What is kept here besides is what makes each ``created`` and each
``done`` happen once: they are keyed by (message, index) and (step, place).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .earlier import told_earlier
from .snapshots import MessageState, StepState, TextPart, calls_of, required_calls, tool_call
from .status import PENDING


class Notice(NamedTuple):
    """One callback to make: its name on the handler, and its arguments."""

    method: str
    args: tuple[object, ...]


class Dispatcher:
    """The state of one streamed run, and the callbacks that each event means.

    ``wants`` are the callbacks that the handler has: what nobody looks at is not built. ``answered`` are the
    tool calls that the stream's request answers (see :mod:`.earlier`): an earlier stream told of them.
    """

    def __init__(self, wants: frozenset[str] = frozenset()) -> None:
        self.run: Model = None
        self.messages: dict[str, MessageState] = {}
        self.steps: dict[str, StepState] = {}
        self.message: MessageState | None = None  # the current one
        self.step_id: str | None = None
        self.wants = wants
        self.answered: frozenset[str] | None = None
        self._part: tuple[MessageState, int] | None = None  # the block that streams now
        self._call: tuple[StepState, int] | None = None  # the tool call that streams now
        self._texts_created: set[tuple[str, int]] = set()
        self._parts_done: set[tuple[str, int]] = set()
        self._calls_created: set[tuple[str, int]] = set()
        self._calls_done: set[tuple[str, int]] = set()
        self._loose: set[str] = set()  # ids of calls that were told of, and that no step had

    def apply(self, event: Model) -> Iterator[Notice]:
        """The callbacks for ``event``, each with the state as it is when the notice is made."""
        name = event.event
        if name == "thread.message.delta":
            if "on_event" in self.wants:
                yield Notice("on_event", (event,))
            yield from self._message_delta(event.data)
            return
        handle = self._handle_of(name, event)
        if "on_event" in self.wants:
            yield Notice("on_event", (event,))
        if handle is not None:
            for notice in handle(event.data):
                if notice.method in self.wants:
                    yield notice

    def _handle_of(self, name: str, event: Model) -> Callable[[Model], Iterator[Notice]] | None:
        if not isinstance(name, str):
            return None
        thing, _, change = name.rpartition(".")
        if thing == "thread.run" and hasattr(event.data, "status"):
            self.run = event.data  # before on_event, which may look at it
            return self._run
        if thing == "thread.run.step" and hasattr(event.data, "id"):
            return {"created": self._step_created, "in_progress": self._step_in_progress}.get(
                change, self._step_delta if change == "delta" else self._step_done
            )
        if thing == "thread.message" and hasattr(event.data, "id"):
            return {
                "created": self._message_created,
                "completed": self._message_done,
                "incomplete": self._message_done,
            }.get(change)
        return None

    @property
    def step(self) -> StepState | None:
        """The step that is under way."""
        return self.steps.get(self.step_id) if self.step_id else None

    def message_snapshots(self) -> dict[str, Model]:
        """Every message of the stream by id, the server's final one where it sent it."""
        return {state.id: state.snapshot() for state in self.messages.values()}

    def step_snapshots(self) -> dict[str, Model]:
        """Every run step of the stream by id, the server's final one where it sent it."""
        return {state.id: state.snapshot() for state in self.steps.values()}

    def current_part(self) -> tuple[int | None, Model]:
        """Index and content of the block that streams now."""
        if self._part is None:
            return None, None
        state, index = self._part
        return index, state.parts[index].block()

    def current_call(self) -> tuple[int | None, Model]:
        """Place and snapshot of the tool call that streams now."""
        if self._call is None:
            return None, None
        state, place = self._call
        return place, state.call(place)

    # ------------------------------------------------------------ runs

    def _run(self, run: Model) -> Iterator[Notice]:
        # The status tells, not the event's name: a "completed" event may say requires_action.
        if run.status in PENDING:
            return
        # Before any call is told to be done: their arguments are whole here, wherever a stream was cut.
        loose = [call for call in required_calls(run) if not self._placed(call)]
        yield from self._call_over()
        for step in self.steps.values():
            yield from self._calls_over(step)
            step.close()
        for call in loose:
            self._loose.add(call["id"])
            yield Notice("on_tool_call_created", (tool_call(call),))
            yield Notice("on_tool_call_done", (tool_call(call),))

    def _placed(self, call: dict[str, Json]) -> bool:
        """Puts a call that the run requires where it belongs; False for one that no step has room for."""
        call_id = call.get("id")
        if not isinstance(call_id, str) or call_id in self._loose or call_id in (self.answered or ()):
            return True  # told, or nothing that anybody could answer
        if any(step.require(call) for step in self.steps.values()):
            return True
        # The stream was cut before it came, or the server streams no calls: its step is the open one.
        return any(step.take(call) for step in reversed(self.steps.values()))

    # ------------------------------------------------------------ steps

    def _step_created(self, step: Model) -> Iterator[Notice]:
        self.step_id = step.id
        state = self.steps.get(step.id)
        if state is None:
            self.steps[step.id] = StepState(step, created=True)
        elif state.created or state.ended:
            return self._step_in_progress(step)  # some servers say it twice
        else:
            state.created = True
            state.update(step)
        return iter((Notice("on_run_step_created", (step,)),))

    def _step_in_progress(self, step: Model) -> Iterator[Notice]:
        state = self.steps.get(step.id)
        if state is None:
            self.steps[step.id] = StepState(step, created=False)
        elif not state.ended:
            state.update(step)
        self.step_id = step.id
        return iter(())

    def _step_delta(self, data: Model) -> Iterator[Notice]:
        state = self.steps.get(data.id)
        if state is None:
            state = self.steps[data.id] = StepState.of_delta(data.id, self.run)
        self.step_id = data.id
        details = getattr(data.delta, "step_details", None)
        calls = calls_of(data.delta)
        for call in calls:
            yield from self._call_delta(state, call)
        if details is not None and not calls:
            state.add_details(details)
        if "on_run_step_delta" in self.wants:
            yield Notice("on_run_step_delta", (data.delta, state.snapshot()))

    def _call_delta(self, state: StepState, delta: Model) -> Iterator[Notice]:
        place, grown = state.add(delta)
        if not grown or self._told_earlier(state) or self._told_loose(state.calls[place]):
            return
        key = (state.id, place)
        if self._call is not None and self._call != (state, place):
            yield from self._call_over()
        self._call = (state, place)
        if key not in self._calls_created:
            self._calls_created.add(key)
            yield Notice("on_tool_call_created", (state.call(place),))
        elif "on_tool_call_delta" in self.wants:
            yield Notice("on_tool_call_delta", (delta, state.call(place)))
        if state.over:
            yield from self._call_over()

    def _call_over(self) -> Iterator[Notice]:
        if self._call is None:
            return
        (state, place), self._call = self._call, None
        if (state.id, place) not in self._calls_done:
            self._calls_done.add((state.id, place))
            yield Notice("on_tool_call_done", (state.call(place),))

    def _calls_over(self, state: StepState) -> Iterator[Notice]:
        """Tool calls that a step named whole, without a delta: they too begin and end once."""
        if self._told_earlier(state):
            return
        for place, call in enumerate(state.calls):
            key = (state.id, place)
            if self._told_loose(call):
                continue
            if key not in self._calls_created:
                self._calls_created.add(key)
                yield Notice("on_tool_call_created", (state.call(place),))
            if key not in self._calls_done:
                self._calls_done.add(key)
                yield Notice("on_tool_call_done", (state.call(place),))

    def _told_earlier(self, state: StepState) -> bool:
        return told_earlier(state.calls, self.answered, announced=state.created)

    def _told_loose(self, call: dict[str, Json]) -> bool:
        return bool(self._loose) and call.get("id") in self._loose

    def _step_done(self, step: Model) -> Iterator[Notice]:
        state = self.steps.get(step.id)
        if state is None:
            state = self.steps[step.id] = StepState(step, created=False)
        elif state.ended:
            state.end(step)
            return
        state.adopt(calls_of(step))
        if self._call is not None and self._call[0] is state:
            yield from self._call_over()
        yield from self._calls_over(state)
        state.end(step)
        yield Notice("on_run_step_done", (step,))
        self.step_id = None

    # ------------------------------------------------------------ messages

    def _message_created(self, message: Model) -> Iterator[Notice]:
        state = self.messages.get(message.id)
        if state is None:
            state = self.messages[message.id] = MessageState(message)
        else:
            state.create(message)
        self.message = state
        yield Notice("on_message_created", (message,))

    def _message_delta(self, data: Model) -> Iterator[Notice]:
        wants = self.wants
        state = self.messages.get(data.id)
        if state is None:
            state = self.messages[data.id] = MessageState.of_delta(data.id, self.run)
        self.message = state
        merged = []
        late = state.final is not None  # its message is as the server ended it
        for delta in () if late else data.delta.content or ():
            part, new = state.add(delta)
            merged.append((delta, part))
            if new and isinstance(part, TextPart) and (state.id, part.index) not in self._texts_created:
                self._texts_created.add((state.id, part.index))
                if "on_text_created" in wants:
                    yield Notice("on_text_created", (part.text(),))
        for delta, part in merged:
            if "on_text_delta" in wants and isinstance(part, TextPart) and delta.text is not None:
                yield Notice("on_text_delta", (delta.text, part.text()))
            if self._part != (state, part.index):
                for notice in self._part_over():
                    if notice.method in wants:
                        yield notice
                self._part = (state, part.index)
        if "on_message_delta" in wants:
            yield Notice("on_message_delta", (data.delta, state.snapshot()))

    def _part_over(self) -> Iterator[Notice]:
        if self._part is not None:
            (state, index), self._part = self._part, None
            if state.final is None:
                yield from self._part_done(state.id, index, state.parts[index].block())

    def _part_done(self, message_id: str, index: int, block: Model) -> Iterator[Notice]:
        key = (message_id, index)
        if key in self._parts_done:
            return
        self._parts_done.add(key)
        kind = getattr(block, "type", None)
        if kind == "text" and block.text is not None:
            if key not in self._texts_created:
                self._texts_created.add(key)
                yield Notice("on_text_created", (block.text,))
            yield Notice("on_text_done", (block.text,))
        elif kind == "image_file":
            yield Notice("on_image_file_done", (block.image_file,))

    def _message_done(self, message: Model) -> Iterator[Notice]:
        state = self.messages.get(message.id)
        if state is None:
            state = self.messages[message.id] = MessageState(message)
            state.parts.clear()
        self.message = state
        told = state.final is not None
        state.end(message)
        if told:
            return
        blocks = _final_blocks(message.content or [], state)
        if self._part is not None and self._part[0] is state:
            self._part = None
        for index in sorted(blocks):
            yield from self._part_done(state.id, index, blocks[index])
        yield Notice("on_message_done", (message,))


def _final_blocks(content: list[Model], state: MessageState) -> dict[int, Model]:
    """The final blocks by index: the server's where it sent them, as streamed where it left them out."""
    streamed = sorted(state.parts)
    keys: list[int] = list(range(len(content)))
    if streamed and streamed[-1] >= len(content) >= len(streamed):
        # The streamed indexes skip some; the final list cannot, so the order tells which is which.
        keys[: len(streamed)] = streamed
    blocks = dict(zip(keys, content, strict=True))
    for index in streamed:
        blocks.setdefault(index, state.parts[index].block())
    return blocks
