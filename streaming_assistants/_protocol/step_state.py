"""A run step while it streams: its snapshots, grown delta by delta. Sans-IO.

A snapshot that is handed out is a new object and never changes afterwards. Tool calls that did not change
since the one before are the same objects in both, so that what a delta costs does not depend on how many
calls the step has.
"""

from __future__ import annotations

from bisect import insort
from functools import cache

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model

from . import models
from .build import grown
from .call_state import CallState, listed_call
from .earlier import told_earlier
from .merge import copied, merge


class StepState:
    """A run step while it streams: what ``thread.run.step.created`` said, and its tool calls in order."""

    def __init__(self, step: Model, *, created: bool) -> None:
        self.id: str = step.id
        self.created = created  # announced in this stream, and not known from a delta or its end only
        self.ended = False  # the server said so
        self.over = False  # ended, or its run is: what it has does not grow any more
        self.calls: list[CallState] = []
        self._by_id: dict[Json, int] = {}  # the place in ``calls`` of an id
        self._by_index: dict[Json, list[int]] = {}  # the places of an index
        self._step = step
        self._details: dict[str, Json] = {}
        self._snapshot: Model = None
        self._listed: list[Model] = []  # the calls as the last snapshot has them; None for what changed since
        self._stale: set[int] = set()  # the places of those that changed
        self._earlier, self._asked = False, 0  # whether one of so many calls was told earlier
        self.adopt(calls_of(step))

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

    # ------------------------------------------------------------ what deltas bring

    def add(self, delta: Model) -> tuple[int, bool]:
        """Merges one tool call delta; answers with the place of its call in ``calls``, and whether it grew.

        A call that is over is as the server ended it: a delta that comes late changes nothing of it.
        """
        place = self._place(getattr(delta, "index", None), getattr(delta, "id", None))
        if place == len(self.calls):
            change = _sdk.dump(delta)
            self._append({**change, "index": place if change.get("index") is None else change["index"]})
            return place, True
        if self.over:
            return place, False
        self._changed(place)
        call = self.calls[place]
        if not call.grow(delta):
            change = _sdk.dump(delta)
            restated = change.get("id") is not None and change["id"] == call.id
            self._forget(place)
            call.merge({k: v for k, v in change.items() if k != "index"}, restated=restated)
            self._know(place)
        return place, True

    def add_details(self, details: object) -> None:
        """Merges step details that are no tool calls (a message's id)."""
        if self.ended:
            return
        self._snapshot = None
        merge(self._details, _sdk.dump(details))

    # ------------------------------------------------------------ what a server says of whole calls

    def adopt(self, calls: list[Model]) -> None:
        """Takes whole tool calls, as a step lists them: they replace what was streamed of them."""
        self._snapshot = None
        for place, call in enumerate(map(_sdk.dump, calls)):
            known = self._place(None, call["id"]) if call.get("id") else self._place(place, None)
            if known < len(self.calls):
                self._forget(known)
                self.calls[known].restate({"index": self.calls[known].value["index"], **call})
                self._know(known)
                self._changed(known)
            else:
                self._append({"index": place, **call})

    def require(self, call: dict[str, Json]) -> bool:
        """Takes a call as the run's ``required_action`` has it; answers whether this step has that call."""
        place = self._place(None, call.get("id"))
        if place == len(self.calls) or (self.over and self.calls[place].id != call.get("id")):
            return False
        if not self.over:
            self._changed(place)
            self._forget(place)
            self.calls[place].merge(call, restated=True)
            self._know(place)
        return True

    def take(self, call: dict[str, Json]) -> bool:
        """Adds a whole call that none of its deltas told; answers whether the step is one for calls."""
        kind = getattr(self._step, "type", None)
        if self.over or kind not in (None, "tool_calls") or self._details:
            return False
        self._append({"index": len(self.calls), **call})
        return True

    def told_earlier(self, answered: frozenset[str] | None) -> bool:
        """Whether an earlier stream told of this step's calls, see :mod:`.earlier`."""
        if answered is None:
            return False
        if not self._earlier and self._asked < len(self.calls):
            calls = [call.value for call in self.calls[self._asked :]]
            self._earlier = told_earlier(calls, answered, announced=self.created)
            self._asked = len(self.calls)
        return self._earlier

    # ------------------------------------------------------------ the step itself

    def update(self, step: Model) -> None:
        """Takes what the server says of a step that goes on; its calls keep growing here."""
        self._step = step
        self._earlier, self._asked = False, 0
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
        self._stale.update(range(len(self.calls)))

    def snapshot(self) -> Model:
        """The RunStep so far; the same object until something changes."""
        if self._snapshot is None:
            self._snapshot = self._grown()
        return self._snapshot

    def _grown(self) -> Model:
        if self.calls:
            for place in self._stale:
                self._listed[place] = self._shown(self.calls[place])
            self._stale.clear()
            details = _sdk.changed(_call_details(), tool_calls=self._listed.copy())
            return _sdk.changed(self._step, step_details=details, type="tool_calls")
        if self._details:
            whole = grown(models.model("RunStep"), {"step_details": copied(self._details)})
            return _sdk.changed(self._step, step_details=whole.step_details, type=self._details.get("type"))
        return _sdk.changed(self._step)

    def _shown(self, call: CallState) -> Model:
        if not self.over:
            return call.listed()
        # The index is a delta's, and no field of a call.
        return listed_call({name: value for name, value in call.value.items() if name != "index"})

    # ------------------------------------------------------------ where a call is

    def _place(self, index: Json, call_id: Json) -> int:
        if call_id and call_id in self._by_id:
            return self._by_id[call_id]
        count = len(self.calls)
        for place in self._by_index.get(index, ()) if index is not None else range(count)[-1:]:
            if not (call_id and self.calls[place].id):
                return place
        return count

    def _append(self, call: dict[str, Json]) -> None:
        place = len(self.calls)
        self.calls.append(CallState(call))
        self._listed.append(None)
        self._know(place)
        self._changed(place)

    def _changed(self, place: int) -> None:
        self._snapshot = self._listed[place] = None  # whose text could not grow in place
        self._stale.add(place)

    def _know(self, place: int) -> None:
        """Takes id and index of a call that is new, or may be another."""
        call = self.calls[place]
        self._by_id.setdefault(call.id, place)
        insort(self._by_index.setdefault(_hashable(call.value["index"]), []), place)

    def _forget(self, place: int) -> None:
        """The same, before it changes."""
        call = self.calls[place]
        if self._by_id.get(call.id) == place:
            del self._by_id[call.id]
        self._by_index[_hashable(call.value["index"])].remove(place)
        self._earlier, self._asked = False, 0


def _hashable(index: Json) -> Json:
    # A server's own list of calls may hold anything under that name.
    return index if isinstance(index, (int, float)) else None


@cache
def _call_details() -> Model:
    """The details of a step that has tool calls, without them."""
    details = {"type": "tool_calls", "tool_calls": []}
    return grown(models.model("RunStep"), {"step_details": details}).step_details


def calls_of(step: Model) -> list[Model]:
    """The tool calls that a run step or the delta of one lists; details of an unknown type list none."""
    calls: Model = getattr(getattr(step, "step_details", None), "tool_calls", None)
    if not isinstance(calls, list):
        return []
    for call in calls:
        if not _sdk.is_model(call):
            return []
    return calls


def required_calls(run: Model) -> list[dict[str, Json]]:
    """The calls that a run waits for: outputs of functions, or a newer server's approvals."""
    action = getattr(run, "required_action", None)
    if run.status != "requires_action" or not _sdk.is_model(action):
        return []
    lists = (item["tool_calls"] for item in _sdk.dump(action).values() if _has_calls(item))
    return [call for calls in lists for call in calls if isinstance(call, dict)]


def _has_calls(value: Json) -> bool:
    return isinstance(value, dict) and isinstance(value.get("tool_calls"), list)
