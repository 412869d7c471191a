"""Runs that call functions, round by round: what the server is told of them, and what it was given."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.kit import Kit
from tests.conformance.script import reply, sse
from tests.framings import wire
from tests.objects import ONE_RUN, RUNS, THREAD, function, required, run
from tests.samples import END, Event, called, opening, said, step
from tests.samples import run as event_of_run

SUBMIT = f"{ONE_RUN}/submit_tool_outputs"
NEW = {"thread_id": THREAD, "assistant_id": "asst_1"}


def weather(city: str, unit: str = "c") -> str:
    """The weather in a city."""
    return f"18 {unit} in {city}"


def call(name: str = "weather", id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    """A call of a function, as a run waits for it."""
    return function(name, json.dumps(arguments), id)


ROME = call(city="Rome")
OSLO = call(id="call_2", city="Oslo")


def calling(*wanted: dict[str, Any]) -> dict[str, Any]:
    """A run that waits for these."""
    return run("requires_action", **required(*wanted))


def one_round(place: int, wanted: tuple[dict[str, Any], ...]) -> list[Event]:
    """The events of one round, up to the calls that the run waits for."""
    told: list[Event] = []
    if len(wanted) == 1:
        said, id = wanted[0]["function"], wanted[0]["id"]
        told = called(said["name"], said["arguments"], id=id, step_id=f"step_{place}")[:-1]
    return [*told, ("thread.run.requires_action", calling(*wanted)), END]


def says(*before: Event) -> bytes:
    """The last events: the run says that it is warm."""
    return wire([*before, *said("It is ", "warm.", step_id="step_9"), event_of_run("completed"), END])


def streams_calls(t: Kit, *rounds: tuple[dict[str, Any], ...]) -> None:
    """A run that is streamed: it calls functions round by round, then says that it is warm."""
    bodies = [wire(one_round(place, each)) for place, each in enumerate(rounds, 1)]
    done = [step("completed", *each, id=f"step_{n}") for n, each in enumerate(rounds, 1) if len(each) == 1]
    t.streams(wire(opening()) + bodies[0])
    t.on("POST", "/threads/runs", sse(wire(opening()) + bodies[0]))
    t.on("POST", SUBMIT, *(sse(body) for body in bodies[1:]), sse(says(*done)))


def polls_calls(t: Kit, *rounds: tuple[dict[str, Any], ...]) -> None:
    """The same for one that is polled."""
    t.on("POST", f"{RUNS}|/threads/runs", reply(run("queued")))
    t.on("GET", ONE_RUN, *(reply(calling(*each)) for each in rounds), reply(run("completed")))
    t.on("POST", SUBMIT, reply(run("queued")))


def submitted(t: Kit) -> list[dict[str, str]]:
    """The outputs of each submit, by call, in the order in which they were sent."""
    return [
        {each["tool_call_id"]: each["output"] for each in request["json"]["tool_outputs"]}
        for request in t.seen("POST", SUBMIT)
    ]


async def polled_run(t: Kit, handlers: Any, **params: Any) -> Any:
    """What `create_and_poll` gives."""
    with t.naps():
        return await t.value(
            t.client().beta.threads.runs.create_and_poll(**NEW, tool_handlers=handlers, **params)
        )
