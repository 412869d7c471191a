"""Which callbacks the events of run steps fire, and in what order. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from .call_state import CallState, tool_call
from .callbacks import Notice
from .step_state import StepState, calls_of, required_calls


class StepNotices:
    """The run steps of one streamed run, and the callbacks that each of their events means.

    ``answered`` are the tool calls that the stream's request answers (see :mod:`.earlier`): an earlier stream
    told of them.
    """

    def __init__(self) -> None:
        self.states: dict[str, StepState] = {}
        self.current_id: str | None = None
        self.answered: frozenset[str] | None = None
        self._call: tuple[StepState, int] | None = None  # the tool call that streams now
        self._loose: set[Json] = set()  # ids of calls that were told of, and that no step had

    @property
    def current(self) -> StepState | None:
        """The step that is under way."""
        return self.states.get(self.current_id) if self.current_id else None

    def current_call(self) -> tuple[int | None, Model]:
        """Place and snapshot of the tool call that streams now."""
        if self._call is None:
            return None, None
        state, place = self._call
        return place, state.calls[place].model()

    def created(self, step: Model) -> Iterator[Notice]:
        self.current_id = step.id
        state = self.states.get(step.id)
        if state is None:
            self.states[step.id] = StepState(step, created=True)
        elif state.created or state.ended:
            return self.in_progress(step)  # some servers say it twice
        else:
            state.created = True
            state.update(step)
        return iter((Notice("on_run_step_created", (step,)),))

    def in_progress(self, step: Model) -> Iterator[Notice]:
        state = self.states.get(step.id)
        if state is None:
            self.states[step.id] = StepState(step, created=False)
        elif not state.ended:
            state.update(step)
        self.current_id = step.id
        return iter(())

    def delta(self, data: Model, run: Model, wants: frozenset[str]) -> Iterator[Notice]:
        """The callbacks among ``wants``: of a delta, what nobody looks at is not built."""
        state = self.states.get(data.id)
        if state is None:
            state = self.states[data.id] = StepState.of_delta(data.id, run)
        self.current_id = data.id
        calls = calls_of(data.delta)
        for delta in calls:
            place, grew = state.add(delta)
            call = state.calls[place]
            if not grew or state.told_earlier(self.answered) or self._told_loose(call):
                continue
            if self._call is not None and self._call != (state, place):
                for notice in self._call_over():
                    if notice.method in wants:
                        yield notice
            self._call = (state, place)
            if not call.created:
                call.created = True
                if "on_tool_call_created" in wants:
                    yield Notice("on_tool_call_created", (call.model(),))
            elif "on_tool_call_delta" in wants:
                yield Notice("on_tool_call_delta", (delta, call.model()))
            if state.over:
                for notice in self._call_over():
                    if notice.method in wants:
                        yield notice
        details = None if calls else getattr(data.delta, "step_details", None)
        if details is not None:
            state.add_details(details)
        if "on_run_step_delta" in wants:
            yield Notice("on_run_step_delta", (data.delta, state.snapshot()))

    def done(self, step: Model) -> Iterator[Notice]:
        state = self.states.get(step.id)
        if state is None:
            state = self.states[step.id] = StepState(step, created=False)
        elif state.ended:
            state.end(step)
            return
        state.adopt(calls_of(step))
        if self._call is not None and self._call[0] is state:
            yield from self._call_over()
        yield from self._calls_over(state)
        state.end(step)
        yield Notice("on_run_step_done", (step,))
        self.current_id = None

    def run_over(self, run: Model) -> Iterator[Notice]:
        """The callbacks for the end of a run, or for its wait for the outputs of calls."""
        # Before any call is told to be done: their arguments are whole here, wherever a stream was cut.
        loose = [call for call in required_calls(run) if not self._placed(call)]
        yield from self._call_over()
        for state in self.states.values():
            yield from self._calls_over(state)
            state.close()
        for call in loose:
            self._loose.add(call["id"])
            yield Notice("on_tool_call_created", (tool_call(call),))
            yield Notice("on_tool_call_done", (tool_call(call),))

    def _placed(self, call: dict[str, Json]) -> bool:
        """Puts a call that the run requires where it belongs; False for one that no step has room for."""
        call_id = call.get("id")
        if not isinstance(call_id, str) or call_id in self._loose or call_id in (self.answered or ()):
            return True  # told, or nothing that anybody could answer
        if any(state.require(call) for state in self.states.values()):
            return True
        # The stream was cut before it came, or the server streams no calls: its step is the open one.
        return any(state.take(call) for state in reversed(self.states.values()))

    def _call_over(self) -> Iterator[Notice]:
        if self._call is not None:
            (state, place), self._call = self._call, None
            yield from _call_done(state.calls[place])

    def _calls_over(self, state: StepState) -> Iterator[Notice]:
        """Tool calls that a step named whole, without a delta: they too begin and end once."""
        if state.told_earlier(self.answered):
            return
        for call in state.calls:
            if self._told_loose(call):
                continue
            if not call.created:
                call.created = True
                yield Notice("on_tool_call_created", (call.model(),))
            yield from _call_done(call)

    def _told_loose(self, call: CallState) -> bool:
        return bool(self._loose) and call.id in self._loose


def _call_done(call: CallState) -> Iterator[Notice]:
    if not call.done:
        call.done = True
        yield Notice("on_tool_call_done", (call.model(),))
