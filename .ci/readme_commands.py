"""Runs the commands of README.md as a newcomer would: every line of each ``sh`` block marked to be run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def commands(text: str) -> list[str]:
    """The lines of the blocks that follow a ``<!-- ci: run -->`` comment."""
    blocks = re.findall(r"<!-- ci: run -->\n```sh\n(.*?)```", text, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def main() -> int:
    found = commands(README.read_text())
    if len(found) < 2:
        sys.stderr.write("README.md has no commands that are marked to be run\n")
        return 1
    for command in found:
        sys.stdout.write(f"$ {command}\n")
        sys.stdout.flush()
        code = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=README.parent, check=False
        ).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
