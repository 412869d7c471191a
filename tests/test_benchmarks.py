"""The benchmarks start: a number in the documentation can be measured again."""

from __future__ import annotations

import warnings

import pytest


def test_what_an_event_costs_is_measured_of_both() -> None:
    streaming = pytest.importorskip("benchmarks.streaming", reason="the benchmarks are not here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = streaming.measure(deltas=5, rounds=1)
    assert {"json.loads", "ours, raw", "ours, handler"} <= set(found)
    assert all(cost < float("inf") for cost in found.values())
