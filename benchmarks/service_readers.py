"""Readers of runs that others have begun, many of each run, on every server of a service."""

from __future__ import annotations

import asyncio
import json
import time

from .service_load import asked, streamed


def measure(url: str, readers: int, runs: int, stall: float = 2.0) -> dict[str, float]:
    """Begins runs that say nothing for a while and has each read by its share of the readers: seconds from
    the end of that while until ``half`` and ``all`` of them have read to the end."""
    return asyncio.run(_measure(url, readers, runs, stall))


async def _measure(url: str, readers: int, runs: int, stall: float) -> dict[str, float]:
    assistant = json.loads(await asked(url, "/assistants", {"model": "echo"}))["id"]
    thread = {"messages": [{"role": "user", "content": f"echo:stall {stall}\n" + "word " * 40}]}
    body = {"assistant_id": assistant, "thread": thread}
    began = time.perf_counter()
    made = [json.loads(await asked(url, "/threads/runs", body)) for _ in range(runs)]

    async def read(run: dict[str, str]) -> float:
        path = f"/threads/{run['thread_id']}/runs/{run['id']}?stream=true&starting_after=0"
        await streamed(url, path, method="GET")
        return time.perf_counter() - began - stall

    ends = sorted(await asyncio.gather(*(read(made[number % runs]) for number in range(readers))))
    return {"half": ends[len(ends) // 2], "all": ends[-1]}
