"""Which callbacks an event fires, and in what order. Sans-IO.

The order is that of the SDK's handler. What messages and run steps keep besides is what makes each
``created`` and each ``done`` happen once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from streaming_assistants._sdk.untyped import Model

from .callbacks import Notice
from .message_notices import MessageNotices
from .message_state import MessageState
from .models import MESSAGE_DELTA, STEP_DELTA
from .status import PENDING
from .step_notices import StepNotices
from .step_state import StepState


class Dispatcher:
    """The state of one streamed run, and the callbacks that each event means.

    ``wants`` are the callbacks that the handler has: what nobody looks at is not built.
    """

    def __init__(self, wants: frozenset[str] = frozenset()) -> None:
        self.run: Model = None
        self.wants = wants
        self._messages = MessageNotices()
        self._steps = StepNotices()

    def apply(self, event: Model) -> Iterator[Notice]:
        """The callbacks for ``event``, each with the state as it is when the notice is made."""
        if "on_event" not in self.wants:
            if event.event == MESSAGE_DELTA:
                return self._message_delta(event.data)
            if event.event == STEP_DELTA:
                return self._step_delta(event.data)
        return self._apply(event)

    def _apply(self, event: Model) -> Iterator[Notice]:
        handle = self._handle_of(event)
        if "on_event" in self.wants:
            yield Notice("on_event", (event,))
        if handle is not None:
            for notice in handle(event.data):
                if notice.method in self.wants:
                    yield notice

    def _handle_of(self, event: Model) -> Callable[[Model], Iterator[Notice]] | None:
        if not isinstance(event.event, str):
            return None
        thing, _, change = event.event.rpartition(".")
        if thing == "thread.run" and hasattr(event.data, "status"):
            self.run = event.data  # before on_event, which may look at it
            # The status tells, not the event's name: a "completed" event may say requires_action.
            return None if event.data.status in PENDING else self._steps.run_over
        if thing == "thread.run.step" and hasattr(event.data, "id"):
            steps = self._steps
            others = {"created": steps.created, "in_progress": steps.in_progress, "delta": self._step_delta}
            return others.get(change, steps.done)
        if thing == "thread.message" and hasattr(event.data, "id"):
            messages = self._messages
            return {
                "created": messages.created,
                "delta": self._message_delta,
                "completed": messages.done,
                "incomplete": messages.done,
            }.get(change)
        return None

    def _message_delta(self, data: Model) -> Iterator[Notice]:
        return self._messages.delta(data, self.run, self.wants)

    def _step_delta(self, data: Model) -> Iterator[Notice]:
        return self._steps.delta(data, self.run, self.wants)

    # ------------------------------------------------------------ what a handler answers

    @property
    def answered(self) -> frozenset[str] | None:
        """The tool calls that the stream's request answers (see :mod:`.earlier`)."""
        return self._steps.answered

    @answered.setter
    def answered(self, ids: frozenset[str] | None) -> None:
        self._steps.answered = ids

    @property
    def message(self) -> MessageState | None:
        """The message that streams or streamed last."""
        return self._messages.current

    @property
    def step(self) -> StepState | None:
        """The step that is under way."""
        return self._steps.current

    @property
    def step_id(self) -> str | None:
        """Its id."""
        return self._steps.current_id

    @property
    def messages(self) -> dict[str, MessageState]:
        """Every message of the stream by id, as far as it was told."""
        return self._messages.states

    @property
    def steps(self) -> dict[str, StepState]:
        """Every run step of the stream by id, as far as it was told."""
        return self._steps.states

    def message_snapshots(self) -> dict[str, Model]:
        """Every message of the stream by id, the server's final one where it sent it."""
        return {state.id: state.snapshot() for state in self._messages.states.values()}

    def step_snapshots(self) -> dict[str, Model]:
        """Every run step of the stream by id, the server's final one where it sent it."""
        return {state.id: state.snapshot() for state in self._steps.states.values()}

    def current_part(self) -> tuple[int | None, Model]:
        """Index and content of the block that streams now."""
        return self._messages.current_part()

    def current_call(self) -> tuple[int | None, Model]:
        """Place and snapshot of the tool call that streams now."""
        return self._steps.current_call()
