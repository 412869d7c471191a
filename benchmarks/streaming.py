"""What one event costs: the library against the installed SDK's own and against json.loads.

    python -m benchmarks.streaming [--events 2000] [--turns 5] [--shape "function arguments"]

Every shape of event, read with ``create(stream=True)`` and with a handler whose callbacks watch it; the body
in one chunk, and one event a chunk as servers send. All in one process, in turns, on the same bytes from
memory; the best turn of each counts. Microseconds are of processor time, per event.
"""

from __future__ import annotations

import argparse
import json
import platform
import warnings
from collections.abc import Callable

import openai

from . import memory, shapes

KINDS = ("raw", "handler")
EVENTS = 2_000  # of one run: its request is a part of what an event costs


def measure(
    shape: str, kind: str, *, whole: bool, events: int = EVENTS, turns: int = 3, who: str = "all"
) -> dict[str, float]:
    """``{"json.loads", "ours", "SDK"}``: microseconds per event. ``who`` is ``all`` or ``ours``."""
    frames = shapes.frames(shape, events)
    lines = shapes.data_lines(frames)
    ours, bare = memory.patched(frames, whole=whole), memory.client(frames, whole=whole)
    callbacks = shapes.SHAPES[shape]

    def floor() -> None:
        for line in lines:
            json.loads(line)

    jobs: dict[str, Callable[[], object]] = {"json.loads": floor}
    base = memory.sdk_handler()
    if kind == "raw":
        jobs["ours"] = lambda: memory.drained(memory.iterated(ours))
        jobs["SDK"] = lambda: memory.drained(memory.iterated(bare))
    else:
        jobs["ours"] = lambda: memory.drained(memory.handled(ours, callbacks))
        jobs["SDK"] = lambda: memory.drained(memory.handled(bare, callbacks, base))
    if who == "ours" or base is None:
        del jobs["SDK"]
    return memory.best_in_turns(jobs, turns, len(lines))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--shape", choices=shapes.SHAPES, action="append")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"openai {openai.__version__}, Python {platform.python_version()}, {options.events} events\n")
    print(f"{'us/event':42}{'loads':>8}{'ours':>8}{'SDK':>8}{'x loads':>10}{'SDK / ours':>12}")
    for shape in options.shape or shapes.SHAPES:
        for kind in KINDS:
            for whole in (True, False):
                cost = measure(shape, kind, whole=whole, events=options.events, turns=options.turns)
                name = f"{shape}, {kind}, {'one chunk' if whole else 'one event a chunk'}"
                theirs = cost.get("SDK", float("nan"))
                print(
                    f"{name:42}{cost['json.loads']:8.2f}{cost['ours']:8.2f}{theirs:8.2f}"
                    f"{cost['ours'] / cost['json.loads']:10.2f}{theirs / cost['ours']:12.1f}"
                )


if __name__ == "__main__":
    main()
