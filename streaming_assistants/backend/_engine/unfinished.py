"""The message and the tool step that a run has open: grown by deltas, stored at their bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from streaming_assistants._protocol.merge import copied
from streaming_assistants._protocol.plan import Say

from . import objects
from .deltas import add_content, add_tool_call
from .effects import Do, Event, Steps
from .lifecycle import Keeper
from .port import Json
from .store_port import Row, RowKind, Transaction

_MESSAGE_REASON = {"max_completion_tokens": "max_tokens", "content_filter": "content_filter"}


class Unfinished:
    """At most one of the two is open at a time: tool calls and messages are steps, one after another."""

    def __init__(self, run: Json, keeper: Keeper, on_message: Callable[[Transaction, bool], None]) -> None:
        self.after = 0
        """The seq of the thread's newest message: while the run is active nobody else adds one."""
        self.step_seq = 0
        """The seq of the newest step."""
        self._run = run
        self._keeper = keeper
        self._on_message = on_message
        self._step_id = ""
        self._message_id = ""
        self._stored: dict[str, Json] = {}  # the message and the step as they are in the store, by their ids
        self._storing: dict[str, Json] = {}
        self._content: list[Json] = []
        self._calls: list[Json] | None = None
        self.unsaved = False
        self._message_over = False

    def adopt(self, step: Row, message: Row | None, said: list[Json]) -> None:
        """Goes on with what another has begun; ``said`` is all of it that its readers have."""
        self._step_id, self.step_seq = step["id"], step["seq"]
        self._stored, self._storing = {step["id"]: step["data"]}, {}
        if message is not None:
            self._stored[message["id"]] = message["data"]
            self._message_id, self._content = message["id"], copied(said)
        else:
            self._calls = copied(said)
        self.unsaved = True

    def add_content(self, part: Json) -> Steps[None]:
        if self._calls is not None or self._message_over:
            yield from self.close()
        if not self._message_id:
            yield Do(partial(self._begin_message, part), durable=False, says=True)
        else:
            yield Say([self._content_delta(part)])

    def add_tool_call(self, call: Json) -> Steps[None]:
        if self._message_id:
            yield from self.close()
        if self._calls is None:
            yield Do(partial(self._begin_tools, call), durable=False, says=True)
        elif events := self._call_delta(self._calls, call):
            yield Say(events)

    def end_message(self) -> None:
        """The message is whole. It is closed with what comes next: at the turn's end, with its usage."""
        self._message_over = bool(self._message_id)

    def calls_without_output(self) -> list[Json]:
        """The open function calls as ``required_action`` lists them."""
        return [
            {
                "id": call["id"],
                "type": "function",
                "function": {key: call["function"][key] for key in ("name", "arguments")},
            }
            for call in self._calls or []
            if call["type"] == "function" and call["function"].get("output") is None
        ]

    def keep(self, value: Json, tx: Transaction) -> None:
        """Stores what the upstream wants back with the open tool step."""
        if self._calls is not None:
            tx.change("steps", self._step_id, {}, hidden={"kept": value})

    def save(self, tx: Transaction) -> None:
        """Stores what has grown, so that others see it before the item is whole."""
        if not self.unsaved:
            return
        if self._message_id:
            self._put(tx, "messages", self._message_id, {"content": self._content})
        elif self._calls is not None:
            details = {"type": "tool_calls", "tool_calls": self._calls}
            self._put(tx, "steps", self._step_id, {"step_details": details})

    def saved(self) -> None:
        """What :meth:`save` wrote is committed."""
        self.unsaved = False
        self._stored |= self._storing

    def break_off(self, tx: Transaction) -> list[Event]:
        """Stores what there is, before the run's end closes it; a message that is whole is closed as such."""
        if self._message_over:
            return self.end_all(tx, None, None)
        self.save(tx)
        return []

    def end_all(self, tx: Transaction, reason: str | None, usage: Json) -> list[Event]:
        """Closes what is open; ``reason`` is why the model stopped early. ``usage`` is the turn's and goes to
        its last step: an upstream tells it for the turn as a whole."""
        now = self._keeper.now()
        events: list[Event] = []
        if self._message_id:
            told: Json = {"status": "completed", "completed_at": now, "content": self._content}
            if reason is not None:
                details = {"reason": _MESSAGE_REASON.get(reason, reason)}
                told = {"status": "incomplete", "incomplete_at": now, "incomplete_details": details}
                told["content"] = self._content
            message = self._put(tx, "messages", self._message_id, told)
            if message is not None:  # a client may delete a message while it grows
                events.append((f"thread.message.{told['status']}", message))
        if self._message_id or self._calls is not None:
            told = {"status": "completed", "completed_at": now, "usage": usage or objects.nothing()}
            if self._calls is not None:
                told["step_details"] = {"type": "tool_calls", "tool_calls": self._calls}
            step = self._put(tx, "steps", self._step_id, told)
            events.append(("thread.run.step.completed", step))
        return events

    def close(
        self, usage: Json = None, besides: Callable[[Transaction], object] | None = None
    ) -> Steps[None]:
        """Closes what is open before the turn ends; ``usage`` is then the step's, and ``besides`` what is
        done in the same transaction."""

        def action(tx: Transaction) -> list[Event]:
            if besides is not None:
                besides(tx)
            self._on_message(tx, False)
            return self.end_all(tx, None, usage)

        yield Do(action, says=True)
        self._message_id = self._step_id = ""
        self._content = []
        self._calls = None
        self.unsaved = self._message_over = False

    def _put(self, tx: Transaction, kind: RowKind, id: str, changes: Json) -> Json | None:
        """Puts changes over an open object; the whole, None when it is gone. A client may have changed a
        message that grows: only then it has to be read."""
        known = self._stored[id]
        data: Json = {**known, **changes}
        if not tx.swap(kind, known, data):
            data = tx.change(kind, id, changes)
        if data is not None:
            self._storing[id] = copied(data)  # what it holds grows on
        return data

    def _content_delta(self, part: Json) -> Event:
        part = add_content(self._content, part)
        self.unsaved = True
        delta = {"id": self._message_id, "object": "thread.message.delta", "delta": {"content": [part]}}
        return "thread.message.delta", delta

    def _begin_message(self, part: Json, tx: Transaction) -> list[Event]:
        self._on_message(tx, True)
        now = self._keeper.now()
        thread_id = self._run["thread_id"]
        message = objects.answer(self._run, now)
        creation = {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
        step = self._add_step(tx, creation, now)
        self.after = tx.add("messages", message, thread_id=thread_id, run_id=self._run["id"])
        self._stored[message["id"]] = message
        self._message_id = message["id"]
        self._content = []
        return [
            ("thread.run.step.created", step),
            ("thread.run.step.in_progress", step),
            ("thread.message.created", message),
            ("thread.message.in_progress", message),
            self._content_delta(part),
        ]

    def _call_delta(self, calls: list[Json], call: Json) -> list[Event]:
        fresh = call.get("index", len(calls)) == len(calls)
        call = add_tool_call(calls, call)
        self.unsaved = True
        if call["type"] == "file_search" and not fresh:
            return []  # what was found came with the step, as the hosted API had it
        details = {"type": "tool_calls", "tool_calls": [call]}
        delta = {
            "id": self._step_id,
            "object": "thread.run.step.delta",
            "delta": {"step_details": details},
        }
        return [("thread.run.step.delta", delta)]

    def _begin_tools(self, call: Json, tx: Transaction) -> list[Event]:
        self._on_message(tx, False)
        step = self._add_step(tx, {"type": "tool_calls", "tool_calls": []}, self._keeper.now())
        self._calls = calls = list[Json]()
        return [
            ("thread.run.step.created", step),
            ("thread.run.step.in_progress", step),
            *self._call_delta(calls, call),
        ]

    def _add_step(self, tx: Transaction, details: Json, now: int) -> Json:
        thread_id = self._run["thread_id"]
        step = objects.step(self._run, details, now)
        columns = {"thread_id": thread_id, "run_id": self._run["id"], "after_message": self.after}
        self.step_seq = tx.add("steps", step, **columns)
        self._stored, self._storing = {step["id"]: step}, {}
        self._step_id = step["id"]
        return step
