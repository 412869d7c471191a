"""openai-node on the same bytes, where node and npm are installed.

    python -m benchmarks.node [--deltas 10000] [--rounds 5] [--release 6.49.0]

The package is installed into a folder of the temporary directory, and found there the next time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from .streaming import body

SCRIPT = Path(__file__).with_name("node.js")


def measure(deltas: int, rounds: int, release: str = "latest") -> dict[str, Any] | None:
    """``{"version", "raw", "handler"}``: microseconds per event; None where there is no node."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    folder = Path(tempfile.gettempdir()) / f"streaming_assistants-openai-node-{release}"
    if not (folder / "node_modules" / "openai").exists():
        folder.mkdir(exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder]
        subprocess.run([*command, f"openai@{release}"], check=True)
    shutil.copy(SCRIPT, folder)  # so that require() finds the package
    content = body(deltas)
    events = content.count(b"\n\n") - 1  # without `done`, as on the Python side
    with tempfile.NamedTemporaryFile(suffix=".sse") as file:
        file.write(content)
        file.flush()
        done = subprocess.run(
            ["node", folder / SCRIPT.name, file.name, str(events), str(rounds)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deltas", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--release", default="latest")
    options = parser.parse_args()
    found = measure(options.deltas, options.rounds, options.release)
    if found is None:
        print("node and npm are not installed")
        return
    print(f"openai-node {found['version']}, {options.deltas} text deltas")
    print(f"raw {found['raw']:.2f} us/event, with a listener {found['handler']:.2f} us/event")


if __name__ == "__main__":
    main()
