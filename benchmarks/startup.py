"""What it costs to have the library: importing it, and patching a client.

    python -m benchmarks.startup [--rounds 7]

Milliseconds of processor time, in a process of its own each round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

# The SDK puts off most of its imports until client.beta is asked for, which every Assistants program does.
_CHILD = """
import json, time

took = {}
start = time.process_time()

def lap(name):
    global start
    took[name] = 1000 * (time.process_time() - start)
    start = time.process_time()

import openai
lap("import openai")
openai.OpenAI(api_key="unused").beta.threads.runs
lap("client.beta.threads.runs")
import streaming_assistants
lap("import streaming_assistants")
clients = [openai.OpenAI(api_key="unused") for _ in range(21)]
for client in clients:
    client.beta.threads.runs.steps, client.beta.threads.messages
lap("21 clients")
streaming_assistants.patch(clients.pop())
lap("first patch()")
for client in clients:
    streaming_assistants.patch(client)
lap("20 more")
took["patch()"] = took.pop("20 more") / 20
streaming_assistants.capabilities(clients[0])
lap("judging")
took["OpenAI()"] = took.pop("21 clients") / 21
print(json.dumps(took))
"""


def measure() -> dict[str, float]:
    """Milliseconds of one round."""
    command = [sys.executable, "-W", "ignore", "-c", _CHILD]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = [measure() for _ in range(parser.parse_args().rounds)]
    print(f"{'ms: min, median, max':28}")
    for name in rounds[0]:
        took = [found[name] for found in rounds]
        print(f"{name:28} {min(took):9.2f} {statistics.median(took):9.2f} {max(took):9.2f}")


if __name__ == "__main__":
    main()
