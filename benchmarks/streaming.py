"""What one event costs: the library against the installed SDK's own and against json.loads.

    python -m benchmarks.streaming [--deltas 10000] [--rounds 5]

Everything is measured side by side in one process, in turns, on the same bytes served from memory; the
best round of each counts. Microseconds are of processor time, per event, so that ratios hold on a busy
machine too.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import openai

from streaming_assistants import AssistantEventHandler, _sdk, patch

RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "assistant_id": "asst_1"}
MESSAGE = {
    "id": "msg_1",
    "object": "thread.message",
    "role": "assistant",
    "thread_id": "thread_1",
    "content": [],
}


def body(deltas: int) -> bytes:
    """A run of ``deltas`` text deltas in OpenAI's framing."""

    def frame(name: str, data: Any) -> bytes:
        return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()

    part = {"index": 0, "type": "text", "text": {"value": " word"}}
    delta = {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": [part]}}
    return b"".join(
        (
            frame("thread.run.created", {**RUN, "status": "queued"}),
            frame("thread.message.created", {**MESSAGE, "status": "in_progress"}),
            frame("thread.message.delta", delta) * deltas,
            frame("thread.run.completed", {**RUN, "status": "completed"}),
            b"event: done\ndata: [DONE]\n\n",
        )
    )


def client(content: bytes) -> Any:
    """A client of the SDK that is answered with the bytes, from memory."""
    http = _sdk.own_transport()

    def answer(_: Any) -> Any:
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=content)

    made = http.Client(transport=http.MockTransport(answer))
    return openai.OpenAI(api_key="unused", base_url="http://nowhere.invalid", http_client=made, max_retries=0)


def raw(client: Any) -> None:
    for _ in client.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True):
        pass


def handled(client: Any, handler: Any) -> None:
    runs = client.beta.threads.runs
    asked = getattr(runs, "stream", None) or runs.create_and_stream

    def on_text_delta(delta: Any, snapshot: Any) -> None:
        pass

    made = handler()
    made.on_text_delta = on_text_delta
    with asked(thread_id="t", assistant_id="a", event_handler=made) as stream:
        stream.until_done()


def best(jobs: dict[str, Callable[[], None]], rounds: int, events: int) -> dict[str, float]:
    """Microseconds per event of each job, the best of ``rounds``, taken in turns."""
    found = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            found[name] = min(found[name], (time.process_time() - start) / events * 1e6)
    return found


def measure(deltas: int, rounds: int, *, sdk: bool = True) -> dict[str, float]:
    content = body(deltas)
    lines = [line[6:] for line in content.split(b"\n") if line.startswith(b"data: {")]
    ours, bare = patch(client(content)), client(content)

    def floor() -> None:
        for line in lines:
            json.loads(line)

    jobs: dict[str, Callable[[], None]] = {
        "json.loads": floor,
        "ours, raw": lambda: raw(ours),
        "ours, handler": lambda: handled(ours, AssistantEventHandler),
    }
    theirs = _sdk.handler_base("AssistantEventHandler")
    if sdk and theirs is not object:
        jobs["SDK, raw"] = lambda: raw(bare)
        # the SDK's snapshots cost more the longer a message is, and it is measured on the same message
        jobs["SDK, handler"] = lambda: handled(bare, theirs)
    return best(jobs, rounds, len(lines))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deltas", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    found = measure(options.deltas, options.rounds)
    print(f"openai {openai.__version__}, Python {platform.python_version()}, {options.deltas} text deltas\n")
    print(f"{'':16}{'us/event':>10}{'x json.loads':>14}{'SDK / ours':>12}")
    for name, cost in found.items():
        against = found.get(name.replace("ours", "SDK")) if name.startswith("ours") else None
        ratio = f"{against / cost:.1f}x" if against else ""
        print(f"{name:16}{cost:10.2f}{cost / found['json.loads']:14.2f}{ratio:>12}")

    print("\nours by the length of the message (us/event)")
    for deltas in (1_000, 10_000, 100_000):
        by_length = measure(deltas, max(1, options.rounds // 2), sdk=False)
        print(
            f"{deltas:>8} deltas: raw {by_length['ours, raw']:.2f}, handler {by_length['ours, handler']:.2f}"
        )


if __name__ == "__main__":
    main()
