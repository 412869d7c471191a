"""Threads that are used again, and end when nobody needs them."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from streaming_assistants._io import spare_threads
from streaming_assistants._io.spare_threads import SpareThreads

pytestmark = pytest.mark.any_sdk


def test_a_thread_is_used_again_when_it_is_done_and_another_started_when_none_is() -> None:
    threads = SpareThreads()
    used: queue.SimpleQueue[int] = queue.SimpleQueue()
    go = threading.Event()

    def waits() -> None:
        used.put(threading.get_ident())
        go.wait(10)

    threads.do(waits)
    threads.do(waits)
    first = {used.get(timeout=10), used.get(timeout=10)}
    assert len(first) == 2
    go.set()
    while len(threads._spare) < 2:
        time.sleep(0.001)
    threads.do(waits)
    assert used.get(timeout=10) in first


def test_a_spare_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_threads, "_SPARE_SECONDS", 0.01)
    threads = SpareThreads()
    used: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
    for _ in range(20):
        threads.do(lambda: used.put(threading.current_thread()))
        thread = used.get(timeout=10)
    thread.join(10)
    assert not thread.is_alive()
    assert thread not in threads._spare
