"""Every benchmark, side by side in one run, as one table with the ratios first.

    python -m benchmarks [--quick]

Needs Linux for the memory, node and npm for openai-node; what cannot be measured is left out.
"""

from __future__ import annotations

import argparse
import platform
import sys
import warnings

import openai

from . import concurrency, node, startup, streaming

Row = tuple[str, str, str, str]


def _per_event(deltas: int, rounds: int) -> list[Row]:
    cost = streaming.measure(deltas, rounds)
    floor = cost["json.loads"]
    other = node.measure(deltas, rounds)
    sdk = f"openai {openai.__version__}"
    rows = []
    for kind, what in (("raw", "create(stream=True)"), ("handler", "handler, on_text_delta")):
        ours = cost[f"ours, {kind}"]
        theirs = cost.get(f"SDK, {kind}")
        if theirs is not None:
            rows.append(_row(f"an event, {what}, over {sdk}", theirs / ours, ours, theirs, "us"))
        if other is not None:
            name = f"openai-node {other['version']}"
            rows.append(_row(f"an event, {what}, over {name}", other[kind] / ours, ours, other[kind], "us"))
        rows.append(_row(f"an event, {what}, over json.loads", ours / floor, ours, floor, "us", "as long"))
    lengths = [streaming.measure(n, max(1, rounds // 2), sdk=False) for n in (deltas // 10, deltas * 10)]
    short, long = (found["ours, handler"] for found in lengths)
    name = f"an event of {deltas * 10:,} over one of {deltas // 10:,}"
    return [*rows, _row(name, long / short, long, short, "us", "as long")]


def _streams(streams: int, rounds: int) -> list[Row]:
    found = concurrency.measure(streams, 100, rounds)
    ours, theirs = found["ours"], found.get("SDK", {})
    rows = []
    for what, value in ours.items():
        other = theirs.get(what)
        more = what.startswith("events")
        ratio = 0.0 if other is None else value / other if more else other / value
        word = "as many" if more else "less"
        rows.append(_row(f"{streams:,} streams at once: {what}", ratio, value, other, "", word))
    return rows


def _startup(rounds: int) -> list[Row]:
    took = startup.measure(rounds)
    ours, theirs = (
        took["import streaming_assistants"],
        took["import openai"] + took["client.beta.threads.runs"],
    )
    client = took["OpenAI()"]
    return [
        _row("import, over openai and its client.beta.threads", ours / theirs, ours, theirs, "ms", "as long"),
        _row(
            "the first patch() over making a client",
            took["first patch()"] / client,
            took["first patch()"],
            client,
            "ms",
            "as long",
        ),
        _row(
            "a later patch() over making a client",
            took["patch()"] / client,
            took["patch()"],
            client,
            "ms",
            "as long",
        ),
    ]


def _row(what: str, ratio: float, ours: float, theirs: float | None, unit: str, word: str = "faster") -> Row:
    other = "" if theirs is None else f"{theirs:,.2f} {unit}"
    return (f"{ratio:.2f}x {word}" if ratio else "", what, f"{ours:,.2f} {unit}", other)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer streams")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    rows: list[Row] = [("ratio", "of", "ours", "the other")]
    rows += _per_event(10_000, 2 if quick else 7)
    if sys.platform == "linux":
        rows += _streams(100 if quick else 1_000, 1 if quick else 3)
    rows += _startup(2 if quick else 7)
    print(f"openai {openai.__version__}, Python {platform.python_version()}, {platform.machine()}\n")
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for ratio, what, ours, theirs in rows:
        print(
            f"{ratio:>{widths[0]}}  {what:<{widths[1]}}  {ours:>{widths[2]}}  {theirs:>{widths[3]}}".rstrip()
        )


if __name__ == "__main__":
    main()
