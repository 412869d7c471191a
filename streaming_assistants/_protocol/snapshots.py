"""Snapshots of messages and run steps, grown delta by delta. Sans-IO.

A snapshot that is handed out is a new object and never changes afterwards; what grows is inside, and is
turned into models only for those who look.
"""

from __future__ import annotations

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .build import grown, part
from .merge import BEYOND, LOW, copied, meeting, merge


class TextPart:
    """A text block while it grows."""

    type = "text"

    def __init__(self, index: int) -> None:
        self.index = index
        self.value = ""
        self.annotations: list[Json] = []  # plain JSON, each with its index
        self._built: list[Model] = []
        # What the release says of a Text that holds a value and annotations; made once for each part.
        text = grown(models.model("Text"), {"annotations": [], "value": ""})
        self._new_text = _sdk.cloner(text)
        self._rest = {name: v for name, v in vars(text).items() if name not in ("annotations", "value")}

    def add(self, delta: Model) -> None:
        """Adds a text delta, a model of the SDK's with ``value`` and ``annotations``."""
        value = delta.value
        if value:
            text = self.value
            self.value = ""
            if LOW <= value < BEYOND:
                text, value = meeting(text, value)
            text += value  # in place, see merge.py
            self.value = text
        if getattr(delta, "annotations", None):
            whole: dict[str, Json] = {"annotations": self.annotations}
            merge(whole, {"annotations": [_sdk.dump(item) for item in delta.annotations]})
            self.annotations = whole["annotations"]
            self._built = [part("annotation", copied(item)) for item in self.annotations]

    def text(self) -> Model:
        """The Text so far: a new object."""
        return self._new_text({"annotations": list(self._built), "value": self.value, **self._rest})

    def block(self) -> Model:
        """The content block so far: a new object."""
        values: dict[str, Json] = {"type": "text", "text": self.text(), "index": self.index}
        return _sdk.make(models.model("TextContentBlock"), values, set(values))


class OtherPart:
    """A block that is no text (image_file, image_url, refusal, what a server may invent): plain JSON."""

    def __init__(self, index: int, value: dict[str, Json]) -> None:
        self.index = index
        self.value = value

    @property
    def type(self) -> str:
        return str(self.value.get("type"))

    def add(self, delta: object) -> None:
        merge(self.value, _sdk.dump(delta))

    def block(self) -> Model:
        return part("content", copied(self.value))


class MessageState:
    """A message while it streams: what ``thread.message.created`` said, and its parts by index."""

    def __init__(self, created: Model) -> None:
        self.id: str = created.id
        self.parts: dict[int, TextPart | OtherPart] = {}
        self.final: Model = None  # the server's own, once it said that the message is over
        self._created = created
        self._snapshot: Model = None
        for index, block in enumerate(getattr(created, "content", None) or []):
            self._start(index, block)

    @classmethod
    def of_delta(cls, message_id: str, run: object) -> MessageState:
        """For a delta that comes without its ``created``: what is known, and None for the rest."""
        values: dict[str, Json] = {
            "id": message_id,
            "object": "thread.message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
            "thread_id": getattr(run, "thread_id", None),
            "run_id": getattr(run, "id", None),
            "assistant_id": getattr(run, "assistant_id", None),
            "created_at": getattr(run, "created_at", None),
        }
        return cls(grown(models.model("Message"), values))

    def add(self, delta: Model) -> tuple[TextPart | OtherPart, bool]:
        """Merges one content delta; answers with its part and whether the part is new."""
        self._snapshot = None
        index = delta.index or 0  # a server may leave it out
        found = self.parts.get(index)
        if found is None or found.type != delta.type:
            return self._start(index, delta), True
        if isinstance(found, OtherPart):
            found.add(delta)
        elif delta.text is not None:
            found.add(delta.text)
        return found, False

    def _start(self, index: int, block: Model) -> TextPart | OtherPart:
        made: TextPart | OtherPart
        if block.type == "text":
            made = TextPart(index)
            if block.text is not None:
                made.add(block.text)
        else:
            made = OtherPart(index, _sdk.dump(block))
        self.parts[index] = made
        return made

    def create(self, created: Model) -> None:
        """Takes the message as it was announced, where deltas of it came before that."""
        self._created, self._snapshot = created, None

    def end(self, message: Model) -> None:
        """Takes the server's own final message."""
        self.final = self._snapshot = message

    def snapshot(self) -> Model:
        """The Message so far; the same object until something changes."""
        if self._snapshot is None:
            content = [self.parts[index].block() for index in sorted(self.parts)]
            self._snapshot = _sdk.changed(self._created, content=content)
        return self._snapshot


class StepState:
    """A run step while it streams: what ``thread.run.step.created`` said, and its tool calls in order."""

    def __init__(self, step: Model, *, created: bool) -> None:
        self.id: str = step.id
        self.created = created  # announced in this stream, and not known from a delta or its end only
        self.ended = False  # the server said so
        self.over = False  # ended, or its run is: what it has does not grow any more
        self.calls: list[dict[str, Json]] = []
        self._step = step
        self._snapshot: Model = None
        self._details: dict[str, Json] = {}
        self.adopt(calls_of(step))

    def adopt(self, calls: list[Model]) -> None:
        """Takes whole tool calls, as a step lists them: they replace what was streamed of them."""
        self._snapshot = None
        for place, call in enumerate(map(_sdk.dump, calls)):
            known = self._place({"index": None, "id": call.get("id")} if call.get("id") else {"index": place})
            if known < len(self.calls):
                self.calls[known] = {"index": self.calls[known]["index"], **call}
            else:
                self.calls.append({"index": place, **call})

    def require(self, call: dict[str, Json]) -> bool:
        """Takes a call as the run's ``required_action`` has it; answers whether this step has that call."""
        place = self._place({"index": None, "id": call.get("id")})
        if place == len(self.calls) or (self.over and self.calls[place].get("id") != call.get("id")):
            return False
        if not self.over:
            merge(self.calls[place], call, restated=True)
            self._snapshot = None
        return True

    def take(self, call: dict[str, Json]) -> bool:
        """Adds a whole call that none of its deltas told; answers whether the step is one for calls."""
        kind = getattr(self._step, "type", None)
        if self.over or kind not in (None, "tool_calls") or self._details:
            return False
        self.calls.append({"index": len(self.calls), **call})
        self._snapshot = None
        return True

    @classmethod
    def of_delta(cls, step_id: str, run: object) -> StepState:
        """For a delta that comes without its ``created``: what is known, and None for the rest."""
        values = {
            "id": step_id,
            "object": "thread.run.step",
            "status": "in_progress",
            "thread_id": getattr(run, "thread_id", None),
            "run_id": getattr(run, "id", None),
            "assistant_id": getattr(run, "assistant_id", None),
            "created_at": getattr(run, "created_at", None),
        }
        return cls(grown(models.model("RunStep"), values), created=False)

    def add_details(self, details: object) -> None:
        """Merges step details that are no tool calls (a message's id)."""
        if self.ended:
            return
        self._snapshot = None
        merge(self._details, _sdk.dump(details))

    def add(self, delta: object) -> tuple[int, bool]:
        """Merges one tool call delta; answers with the place of its call in ``calls``, and whether it grew.

        A call that is over is as the server ended it: a delta that comes late changes nothing of it.
        """
        change = _sdk.dump(delta)
        place = self._place(change)
        if place == len(self.calls):
            self._snapshot = None
            self.calls.append({**change, "index": place if change.get("index") is None else change["index"]})
            return place, True
        if self.over:
            return place, False
        self._snapshot = None
        call = self.calls[place]
        restated = change.get("id") is not None and change["id"] == call.get("id")
        merge(call, {k: v for k, v in change.items() if k != "index"}, restated=restated)
        return place, True

    def _place(self, change: dict[str, Json]) -> int:
        index, call_id = change.get("index"), change.get("id")
        if call_id:
            for place, call in enumerate(self.calls):
                if call.get("id") == call_id:
                    return place
        for place, call in enumerate(self.calls):
            same = call["index"] == index if index is not None else place == len(self.calls) - 1
            if same and not (call_id and call.get("id")):
                return place
        return len(self.calls)

    def update(self, step: Model) -> None:
        """Takes what the server says of a step that goes on; its calls keep growing here."""
        self._step = step
        self.adopt(calls_of(step))

    def end(self, step: Model) -> None:
        """Takes the server's own final step."""
        self.ended = True
        self._step = step
        self.close()
        self._snapshot = step

    def close(self) -> None:
        """Ends the growth of what is known so far."""
        self.over = True
        self._snapshot = None

    def call(self, place: int) -> Model:
        """The tool call at ``place`` so far: a new object."""
        return tool_call(self.calls[place])

    def snapshot(self) -> Model:
        """The RunStep so far; the same object until something changes."""
        if self._snapshot is None:
            self._snapshot = self._grown()
        return self._snapshot

    def _grown(self) -> Model:
        values: dict[str, Json] = {}
        if self.calls:
            calls = [copied(call) for call in self.calls]
            if self.over:
                for call in calls:
                    del call["index"]  # a delta's, and no field of a call
            details = {"type": "tool_calls", "tool_calls": calls}
            whole = grown(models.model("RunStep"), {"step_details": details})
            values["step_details"] = whole.step_details
            values["type"] = "tool_calls"
        elif self._details:
            whole = grown(models.model("RunStep"), {"step_details": copied(self._details)})
            values["step_details"] = whole.step_details
            values["type"] = self._details.get("type")
        return _sdk.changed(self._step, **values)


def calls_of(step: Model) -> list[Model]:
    """The tool calls that a run step or the delta of one lists; details of an unknown type list none."""
    found: Model = getattr(getattr(step, "step_details", None), "tool_calls", None)
    if not isinstance(found, list) or not all(isinstance(call, pydantic.BaseModel) for call in found):
        return []
    return found


def tool_call(call: dict[str, Json]) -> Model:
    """A tool call from its JSON: a new object."""
    return part("tool_call", copied(call))


def required_calls(run: Model) -> list[dict[str, Json]]:
    """The calls that a run waits for: outputs of functions, or a newer server's approvals."""
    action = getattr(run, "required_action", None)
    if run.status != "requires_action" or not isinstance(action, pydantic.BaseModel):
        return []
    lists = (item["tool_calls"] for item in _sdk.dump(action).values() if _has_calls(item))
    return [call for calls in lists for call in calls if isinstance(call, dict)]


def _has_calls(value: Json) -> bool:
    return isinstance(value, dict) and isinstance(value.get("tool_calls"), list)
