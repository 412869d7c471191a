"""The benchmarks start and their table says what it was told: a number in the docs can be taken again."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are not here")

from benchmarks import backend, flat, groups, memory, shapes, streaming
from benchmarks.__main__ import write
from benchmarks.effort import QUICK, Effort
from benchmarks.table import Line, judged, rendered

pytestmark = [
    pytest.mark.any_sdk,
    pytest.mark.skipif(memory.sdk_handler() is None, reason="this SDK has no streams to compare with"),
]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("whole", [True, False], ids=["one chunk", "one event a chunk"])
@pytest.mark.parametrize("kind", streaming.KINDS)
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_an_event_of_every_shape_is_measured_of_all(shape: str, kind: str, whole: bool) -> None:
    cost = streaming.measure(shape, kind, whole=whole, events=10, turns=1)
    assert set(cost) == {"json.loads", "ours", "SDK"}
    assert all(0 < value < math.inf for value in cost.values())


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_every_event_of_a_shape_arrives_and_is_watched(shape: str) -> None:
    frames = shapes.frames(shape, 40)
    told = [json.loads(line) for line in shapes.data_lines(frames)]
    for client in (memory.patched(frames), memory.patched(frames, whole=True), memory.client(frames)):
        assert [event.data.object for event in memory.iterated(client)] == [data["object"] for data in told]
    seen: list[str] = []

    class Watching:
        """Says which of the shape's callbacks were made."""

        def __init__(self) -> None:
            for name in shapes.SHAPES[shape]:
                setattr(self, name, lambda *_, name=name: seen.append(name))

    base: Any = type("Base", (Watching, memory.AssistantEventHandler), {})
    memory.drained(memory.handled(memory.patched(frames), (), base))
    assert set(seen) == set(shapes.SHAPES[shape])
    assert len(seen) >= 38


@pytest.mark.parametrize("what", shapes.GROWING)
def test_a_run_that_has_grown_is_measured_after_that(what: str) -> None:
    before, after = shapes.grown(what, 3, 5)
    events = list(memory.iterated(memory.patched([*before, *after])))
    assert len(events) == len(before) + len(after) - 1  # `done` is no event
    callback = shapes.GROWING[what][0]
    assert 0 < flat.measure(what, callback, 2, events=5, turns=1)["ours"] < math.inf


def test_the_backend_is_measured_beside_the_direct_way_and_its_costs_are_counted() -> None:
    effort = Effort(quick=True, runs=2, events=20, turns=1, streams=1, sizes=())
    lines = [*backend._events(effort), *backend._costs(effort)]
    assert [len(line.numbers) for line in lines] == [2] * 4
    assert all(0 < number < math.inf for line in lines for number in line.numbers)
    # What is counted is the same everywhere; the log of a run takes three statements more than the goal has.
    assert [set(line.numbers) for line in lines[2:]] == [{3}, {15}]


def test_a_line_has_its_ratio_first_and_its_spread() -> None:
    faster = Line("an event, over the SDK", "us", [4.0, 5.0, 4.0], [40.0, 60.0, 44.0], 10.0)
    assert faster.numbers == [10.0, 12.0, 11.0]
    assert faster.met
    assert faster.cells()[:7] == (
        "10.00x",
        "11.00x",
        "12.00x",
        ">= 10x",
        "ok",
        "an event, over the SDK",
        "4 4 5 us",
    )


@pytest.mark.parametrize(
    ("line", "met"),
    [
        (Line("of json.loads", "us", [9.0], [3.0], 2.5, share=True), False),
        (Line("of json.loads", "us", [6.0], [3.0], 2.5, share=True), True),
        (Line("events/s", "", [900.0], [1000.0], 0.8, more=True), True),
        (Line("events/s", "", [700.0], [1000.0], 0.8, more=True), False),
        (Line("the first patch()", "ms", [6.0], goal=5.0), False),
        (Line("memory", "kB", [6.0], [7.0]), None),
    ],
)
def test_a_goal_is_met_or_missed_by_the_median(line: Line, met: bool | None) -> None:
    assert line.met is met
    assert ("MISSED" in line.cells()) == (met is False)
    assert (line.what in judged([line])) == (met is False)


def test_the_table_has_a_line_for_each_shape_and_who_it_is_compared_with() -> None:
    def of(name: str) -> list[float]:
        return [1.0, 2.0, 3.0, 4.0, 5.0]

    lines = groups.event_lines(of, "openai 3", "openai-node 7")
    assert len(lines) == len(shapes.SHAPES) * 2 * 2 * 3
    table = rendered({"an event": lines, "growth": groups.size_lines(of, QUICK), "nothing": []})
    assert table.count("\n-- ") == 2
    for shape in shapes.SHAPES:
        for other in ("over openai 3", "over openai-node 7", "of json.loads"):
            assert f"{shape}, handler, one event a chunk, {other}" in table


def test_what_was_not_measured_has_no_line() -> None:
    numbers = {"text, raw, one chunk/ours": [4.0], "text, raw, one chunk/json.loads": [2.0]}
    lines = groups.event_lines(lambda name: numbers.get(name, []), "openai 1.1", "openai-node ")
    assert [line.what for line in lines] == ["text, raw, one chunk, of json.loads"]


def test_the_table_is_written_between_its_markers(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- numbers: this -->\nold\n<!-- end of numbers -->\nafter\n")
    monkeypatch.setattr("benchmarks.__main__.DOCS", page)
    write("new\ntable", "Every goal was met.")
    assert page.read_text().splitlines() == [
        "before",
        "<!-- numbers: this -->",
        "```",
        "new",
        "table",
        "```",
        "",
        "Every goal was met.",
        "<!-- end of numbers -->",
        "after",
    ]
