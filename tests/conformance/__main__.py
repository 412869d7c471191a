"""``python -m tests.conformance [--bare | --patched] [--json FILE] [--only WORD] [--trace]``"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conformance.registry import Case, load
from tests.conformance.runner import DEADLINE, Outcome, Runner


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    which = options.add_mutually_exclusive_group()
    which.add_argument(
        "--bare", action="store_true", help="ask the SDK alone (the default is a patched client)"
    )
    which.add_argument("--patched", action="store_true", help="ask a patched client")
    options.add_argument("--json", type=Path, help="write the results here")
    options.add_argument("--only", default="", help="cases whose name or group contains this")
    options.add_argument("--trace", action="store_true", help="show where a case failed")
    options.add_argument(
        "--deadline", type=float, default=DEADLINE, help="seconds for one case (%(default)s)"
    )
    chosen = options.parse_args()

    cases = [case for case in load().values() if chosen.only in case.name or chosen.only in case.group]
    with Runner(patched=not chosen.bare, deadline=chosen.deadline) as runner:
        outcomes = list(runner.run_all(cases))
        result = summary(outcomes, cases, patched=runner.patched, versions=runner.versions)
    report(result, outcomes, with_trace=chosen.trace)
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if result["failed"] and not chosen.bare else 0


def summary(
    outcomes: Iterable[Outcome], cases: Iterable[Case], *, patched: bool, versions: dict[str, str]
) -> dict[str, Any]:
    """A behaviour has failed when one of its colours has; ``failed`` maps it to the colour's reason."""
    failed: dict[str, dict[str, str]] = {}
    skipped: dict[str, dict[str, str]] = {}
    for one in outcomes:
        if one.outcome != "passed":
            book = failed if one.outcome == "failed" else skipped
            book.setdefault(one.case, {})[one.colour] = one.reason
    behaviours = [case.name for case in cases]
    passed = [name for name in behaviours if name not in failed and name not in skipped]
    return {
        "patched": patched,
        "versions": versions,
        "behaviours": len(behaviours),
        "passed": passed,
        "failed": failed,
        "not_applicable": {name: why for name, why in skipped.items() if name not in failed},
    }


def report(result: dict[str, Any], outcomes: Iterable[Outcome], *, with_trace: bool) -> None:
    for one in outcomes:
        if one.outcome != "passed":
            print(f"{one.outcome:7} {one.case} [{one.colour}]  {one.reason}")  # noqa: T201
            if with_trace and one.trace:
                print(one.trace)  # noqa: T201
    what = "patched" if result["patched"] else "SDK alone"
    versions = " ".join(f"{name} {version}" for name, version in result["versions"].items())
    runs = f"{len(result['passed'])} of {result['behaviours']} behaviours"
    print(f"{what}: {runs} ({len(result['not_applicable'])} not applicable) on {versions}")  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
