"""Whether an event costs the same however long its run is: at 10, 100 and 1,000 calls, parts, messages...

    python -m benchmarks.flat [--what calls] [--sizes 10 100 1000]

One callback at a time. The clock starts when the run has grown to its size, and what is measured are the
deltas after that.
"""

from __future__ import annotations

import argparse
import gc
import time
import warnings

from . import memory, shapes

SIZES = (10, 100, 1_000)
EVENTS = 500


def measure(
    what: str, callback: str, size: int, *, events: int = EVENTS, turns: int = 2, who: str = "ours"
) -> dict[str, float]:
    """``{who: microseconds per event}`` at that size, the best turn; ``who`` is ``ours`` or ``SDK``."""
    before, after = shapes.grown(what, size, events)
    client = (memory.patched if who == "ours" else memory.client)([*before, *after])
    base = {} if who == "ours" else {"base": memory.sdk_handler()}
    best = float("inf")
    for _ in range(turns):
        stream = memory.handled(client, [callback], **base)
        for _ in before:
            next(stream)
        gc.collect()
        start = time.process_time()
        memory.drained(stream)
        best = min(best, (time.process_time() - start) / events * 1e6)
    return {who: best}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", choices=shapes.GROWING, action="append")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--who", choices=("ours", "SDK"), default="ours")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'us/event of ' + options.who:48}" + "".join(f"{size:>10,}" for size in options.sizes))
    for what in options.what or shapes.GROWING:
        for callback in shapes.GROWING[what]:
            print(f"{what + ', ' + callback:48}", end="", flush=True)
            for size in options.sizes:
                cost = measure(what, callback, size, who=options.who)[options.who]
                print(f"{cost:10.1f}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
