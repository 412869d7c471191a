"""The rounds of a run that calls functions: calls are made, outputs submitted, until it calls no more.

Sans-IO. Where a round's outputs go, and how the run is seen again, is the business of who asks: a stream
reads on, a poll helper polls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import openai

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Model
from streaming_assistants.errors import ToolRoundsError

from .failed_runs import FAILED
from .plan import Plan, Sleep
from .status import status_of
from .tool_calls import Call, Terms, ToolOutput, carried_out

Tell = Callable[[Model, str], object]


class ToolLoop:
    """The calls of one run, round by round."""

    def __init__(self, terms: Terms, max_rounds: int) -> None:
        self._terms = terms
        self._max_rounds = max_rounds
        self._every: list[Call] = []
        self._round: list[Call] = []
        self.submits = 0  # of outputs, begun

    @property
    def outputs(self) -> list[ToolOutput]:
        """What has been computed and not been taken by the server, in the order of the calls."""
        return [
            {"tool_call_id": call.id, "output": call.output}
            for call in self._round
            if call.output is not None
        ]

    def taken(self) -> None:
        """Says that the server has the outputs."""
        self._round = []

    def rounds(
        self, run: Model, submit: Callable[[Model, list[ToolOutput]], Plan[Model]], tell: Tell | None = None
    ) -> Plan[Model]:
        """The run, once it calls no more, or calls what nobody handles.

        ``submit(run, outputs)`` hands the outputs in and gives the run where that has come to an end, for
        now or for good; None for a run of which nothing is known.
        """
        while run is not None and run.status == "requires_action":
            if not (yield from self._answered(run, tell)):
                break
            self.submits += 1
            run = yield from submit(run, self.outputs)
        return run

    def _answered(self, run: Model, tell: Tell | None) -> Plan[bool]:
        """Makes the calls of one round. False where somebody else has to answer some."""
        said = waited_for(run)
        if not said:
            return False
        if self.submits >= self._max_rounds:
            raise ToolRoundsError(
                f"Run {run.id} still calls functions after {self.submits} submits of their outputs. It was "
                "left at requires_action: submit more by yourself, or allow more by max_rounds=.",
                run_id=run.id,
                thread_id=run.thread_id,
            )
        calls = [Call(each, run.id, run.thread_id, self._handler(each)) for each in said if _id_of(each)]
        self._round = calls
        self._every += calls
        terms = (
            self._terms.one_by_one() if getattr(run, "parallel_tool_calls", None) is False else self._terms
        )
        yield from carried_out(calls, terms, tell)
        return len(calls) == len(said) and all(call.output is not None for call in calls)

    def _handler(self, said: dict[str, Json]) -> Model:
        function = said.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        return self._terms.handlers.get(name) if isinstance(name, str) else None

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Says in whatever ends the loop how far it came."""
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as error:
            begun = tuple(call.id for call in self._every if call.begun)
            completed = tuple(call.id for call in self._every if call.output is not None)
            with contextlib.suppress(AttributeError, TypeError):  # an exception may have slots
                vars(error).update(attempted=begun, completed=completed)
            raise


def waited_for(run: Model) -> list[dict[str, Json]]:
    """The calls whose outputs a run waits for; one without a function is nothing that we can answer."""
    action = getattr(run, "required_action", None)
    lists = _sdk.dump(action) if hasattr(action, "submit_tool_outputs") else {}
    return [
        {**call, "function": call.get("function") if name == "submit_tool_outputs" else None}
        for name, action in lists.items()
        if isinstance(action, dict)
        for call in action.get("tool_calls") or ()
        if isinstance(call, dict)
    ]


def _id_of(call: dict[str, Json]) -> str | None:
    return call["id"] if isinstance(call.get("id"), str) else None


def safely(
    outputs: list[ToolOutput],
    once: Callable[[], Plan[Model]],
    *,
    ask: Callable[[], Plan[Model]],
    pause: Callable[[Exception, int], float | None],
    gone_on: Callable[[Exception, bool], Plan[Model]],
) -> Plan[Model]:
    """Submits ``outputs`` by ``once()``, again where that broke and the run still waits for exactly them.

    ``ask()`` gives the run as it is, None where the server does not say; ``pause(error, failures before it)``
    the seconds until then, None for an error that is not worth it; ``gone_on(error, took)`` goes on with a
    run that ``took`` them all the same, or that ended while they were computed.
    """
    failures = 0
    while True:
        try:
            return (yield from once())
        except Exception as error:
            seconds = pause(error, failures)
            if seconds is None:
                raise
            broke = error
        # What was never sent before was refused by a run that cannot have taken it.
        is_refused = not failures and isinstance(broke, openai.BadRequestError)
        failures += 1
        yield Sleep(seconds)
        try:
            run = yield from ask()
        except (openai.APIError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise broke from error
        if run is None or (is_refused and status_of(run) not in _OVER):
            raise broke
        if is_refused or not _waits_for(run, outputs):
            return (yield from gone_on(broke, not is_refused))


_OVER = FAILED | {"cancelling"}
"""The statuses of a run that takes no outputs any more, whoever gave any."""


def _waits_for(run: Model, outputs: list[ToolOutput]) -> bool:
    if run.status != "requires_action":
        return False
    return {_id_of(call) for call in waited_for(run)} == {each["tool_call_id"] for each in outputs}


_TRIES = 3
_FIRST_PAUSE = 0.5  # seconds


def worth_asking(error: Exception, failures: int) -> float | None:
    """The seconds until a run is asked that may have taken outputs; None where asking is of no use.

    A connection that broke says nothing. A refusal says that the run had taken them before, where they were
    sent before, and else perhaps that it has ended.
    """
    if failures >= _TRIES:
        return None
    if isinstance(error, openai.APIConnectionError):
        return _FIRST_PAUSE * 2.0**failures
    return 0.0 if isinstance(error, openai.BadRequestError) else None
