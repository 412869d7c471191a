"""openai-node on the same bytes, where node and npm are installed.

    python -m benchmarks.node [--events 2000] [--turns 5] [--release 7.60.0]

The package is installed into a folder of the temporary directory, and found there the next time.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import shapes, streaming
from .workers import Worker

SCRIPT = Path(__file__).with_name("node.js")


def installed(release: str = "latest") -> Path | None:
    """The folder that has openai-node; None where there is no node."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    if release == "latest":
        asked = ["npm", "view", "openai", "version"]
        release = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    folder = Path(tempfile.gettempdir()) / f"streaming_assistants-openai-node-{release}"
    if not (folder / "node_modules" / "openai").exists():
        folder.mkdir(exist_ok=True)
        command: list[str | Path] = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            folder,
        ]
        subprocess.run([*command, f"openai@{release}"], check=True)
    shutil.copy(SCRIPT, folder)  # so that require() finds the package
    return folder


class Node(Worker):
    """openai-node under way; ``version`` is its release."""

    def __init__(self, folder: Path) -> None:
        super().__init__(["node", SCRIPT.name], folder=folder)
        self.version: str = self.answer()["version"]

    def measure(self, shape: str, kind: str, *, whole: bool, events: int, turns: int) -> float:
        """Microseconds of processor time per event, the best turn; the garbage collector's threads too."""
        frames = shapes.frames(shape, events)
        with tempfile.NamedTemporaryFile(suffix=".sse") as file:
            file.write(b"".join(frames))
            file.flush()
            question = {
                "file": file.name,
                "kind": kind,
                "callbacks": shapes.SHAPES[shape],
                "whole": whole,
                "events": len(shapes.data_lines(frames)),
                "turns": turns,
            }
            return float(self.ask(question)["cost"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=streaming.EVENTS)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--release", default="latest")
    options = parser.parse_args()
    folder = installed(options.release)
    if folder is None:
        print("node and npm are not installed")
        return
    with Node(folder) as node:
        print(f"openai-node {node.version}, {options.events} events, us/event")
        for shape in shapes.SHAPES:
            for kind in streaming.KINDS:
                for whole in (True, False):
                    cost = node.measure(shape, kind, whole=whole, events=options.events, turns=options.turns)
                    print(f"{shape}, {kind}, {'one chunk' if whole else 'one event a chunk'}: {cost:.2f}")


if __name__ == "__main__":
    main()
