"""The backend's lines of the table: what it adds to the first token, and runs at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import backend
from .effort import Effort
from .table import Line


@contextmanager
def _upstream() -> Iterator[str]:
    hear, say = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=backend.upstream, args=(say,), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{hear.recv()}"
    finally:
        server.terminate()
        server.join()


def lines(effort: Effort) -> list[Line]:
    """First tokens in milliseconds of the clock, medians of each run; the direct way takes turns."""
    calls, runs = (20, 20) if effort.quick else (100, 100)
    added: dict[str, list[float]] = {}
    together: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as folder, _upstream() as url:
        stores = {"memory": "sqlite://", "file": f"sqlite:///{Path(folder) / 'b.db'}"}
        for _ in range(effort.runs):
            for name, store in stores.items():
                pairs = {
                    "sync": backend.with_store(store, lambda b: backend.sync_first_token(url, b, calls)),
                    "async": backend.with_store(
                        store, lambda b: asyncio.run(backend.async_first_token(url, b, calls))
                    ),
                }
                for colour, (direct, through) in pairs.items():
                    took = statistics.median(through) - statistics.median(direct)
                    added.setdefault(f"{colour}, {name}", []).append(1000 * took)
            direct_all, through_all = backend.with_store(
                "sqlite://", lambda b: asyncio.run(backend.at_once(url, b, runs))
            )
            together[0].append(through_all)
            together[1].append(direct_all)
    made = [Line(f"added to the first token, {name}", "ms", took, goal=5.0) for name, took in added.items()]
    return [*made, Line(f"{runs} async runs at once, of as many direct calls", "s", *together, share=True)]
