"""The groups of lines of the table: what is measured for each, and which lines its numbers become."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import concurrency, flat, shapes, startup, streaming
from .effort import Effort
from .node import Node
from .table import Line
from .workers import Python

Numbers = dict[str, float]
"""What one run measured, by names that only its group knows."""

_OVER_LOADS = {"raw": 2.5, "handler": 4.0}
_OVER_SDK = {"raw": 10.0, "handler": 14.0}


def _cells() -> Iterator[tuple[str, str, bool, str]]:
    for whole in (True, False):
        for shape in shapes.SHAPES:
            for kind in streaming.KINDS:
                chunks = "one chunk" if whole else "one event a chunk"
                yield shape, kind, whole, f"{shape}, {kind}, {chunks}"


def events(python: Python, node: Node | None, effort: Effort) -> Numbers:
    """What an event of every shape costs, in microseconds."""
    found: Numbers = {}
    for shape, kind, whole, name in _cells():
        cost = python.measure("streaming", shape, kind, whole=whole, events=effort.events, turns=effort.turns)
        found |= {f"{name}/{who}": value for who, value in cost.items()}
        if node is not None:
            # Its compiler takes some turns to find what is worth compiling.
            took = node.measure(shape, kind, whole=whole, events=effort.events, turns=10 * effort.turns)
            found[f"{name}/node"] = took
    return found


def event_lines(of: Callable[[str], list[float]], sdk: str, node: str) -> list[Line]:
    lines = []
    for _, kind, _, name in _cells():
        ours = of(f"{name}/ours")
        lines += [
            Line(f"{name}, over {sdk}", "us", ours, of(f"{name}/SDK"), _OVER_SDK[kind]),
            Line(f"{name}, over {node}", "us", ours, of(f"{name}/node"), 1.0),
            Line(
                f"{name}, of json.loads", "us", ours, of(f"{name}/json.loads"), _OVER_LOADS[kind], share=True
            ),
        ]
    return [line for line in lines if line.other]


def sizes(python: Python, effort: Effort) -> Numbers:
    """What an event costs after a run has grown, in microseconds."""
    events, turns = (flat.EVENTS // 5, 1) if effort.quick else (flat.EVENTS, 2)
    return {
        f"{what}/{callback}/{size}": python.measure("flat", what, callback, size, events=events, turns=turns)[
            "ours"
        ]
        for what, callbacks in shapes.GROWING.items()
        for callback in callbacks
        for size in effort.sizes
    }


def size_lines(of: Callable[[str], list[float]], effort: Effort) -> list[Line]:
    sizes = ", ".join(f"{size:,}" for size in effort.sizes)
    lines = []
    for what, callbacks in shapes.GROWING.items():
        for callback in callbacks:
            columns = zip(*(of(f"{what}/{callback}/{size}") for size in effort.sizes), strict=True)
            by_size = list(columns)
            name = f"{what}, {callback}, the dearest of {sizes} over the cheapest"
            dear, cheap = ([each(row) for row in by_size] for each in (max, min))
            lines.append(Line(name, "us", dear, cheap, 2.0, share=True))
    return lines


def streams(effort: Effort) -> Numbers:
    """Many streams at once; the transport alone, the library and the SDK in turns."""
    found: Numbers = {}
    for who in concurrency.WHO:
        answer = concurrency.measure(who, effort.streams)
        found |= {f"{what}/{who}": value for what, value in answer.items()}
    return found


def stream_lines(of: Callable[[str], list[float]], sdk: str) -> list[Line]:
    ours, floor, theirs = (of(f"events/s/core/{who}") for who in ("ours", "transport", "SDK"))
    lines = [
        Line("events/s/core, of the transport alone (the floor)", "", ours, floor, 0.8, more=True),
        Line(f"events/s/core, over {sdk}", "", ours, theirs, more=True),
    ]
    for what, unit in (("first event", "ms"), ("opening", "ms"), ("memory", "kB")):
        goal = 1.0 if what == "first event" else None
        mine, other = (of(f"{what}, {unit}/{who}") for who in ("ours", "SDK"))
        lines.append(Line(f"{what} of a stream, over {sdk}", unit, mine, other, goal))
    return [line for line in lines if line.other]


def start(effort: Effort) -> Numbers:
    """What it costs to have the library, in milliseconds."""
    return startup.measure()


def start_lines(of: Callable[[str], list[float]], sdk: str) -> list[Line]:
    sdks = of("import openai"), of("client.beta.threads.runs")
    imports = [sum(each) for each in zip(*sdks, strict=True)]
    name = f"import, of {sdk} and its client.beta.threads"
    return [
        Line("the first patch() of a process", "ms", of("first patch()"), goal=5.0),
        Line("a later patch()", "ms", of("patch()"), goal=0.7),
        Line("judging the SDK, once in a process, when somebody calls", "ms", of("judging")),
        Line(name, "ms", of("import streaming_assistants"), imports, share=True),
    ]
