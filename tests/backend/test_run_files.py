"""What a run asks of the files that the backend keeps, driven by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants._protocol.plan import Outcome
from streaming_assistants.backend._engine import run_files
from streaming_assistants.backend._engine.effects import Begin, Do
from streaming_assistants.backend._engine.file_settings import FileSettings
from streaming_assistants.backend._engine.lifecycle import Keeper
from streaming_assistants.backend._engine.port import Indexed, ReadFile, Search, Sleep, UpstreamError
from streaming_assistants.backend._engine.vector_stores import make_store

from .dict_store import DictStore

pytestmark = pytest.mark.any_sdk

SETTINGS = FileSettings(Keeper("owner_1", lambda: 1_750_000_000.0, lambda row, now: True))


def asks(effect: Any) -> Any:
    return Outcome((yield effect))


def came(asked: Any, store: DictStore, slept: Callable[[float], object] = lambda seconds: None) -> Outcome:
    """What came of it, on a store, without waiting."""
    steps = run_files.done(SETTINGS, asked, asks)
    outcome = Outcome()
    while True:
        try:
            effect = outcome.into(steps)
        except StopIteration as end:
            result: Outcome = end.value
            return result
        outcome = Outcome()
        if isinstance(effect, Do):
            with store.write() as tx:
                try:
                    outcome = Outcome(effect.action(tx))
                except Exception as error:  # noqa: BLE001 - thrown in, as drivers do
                    outcome = Outcome(error=error)
        elif not isinstance(effect, Begin):
            assert isinstance(effect, Sleep)
            slept(effect.seconds)


def with_file(status: str) -> DictStore:
    store = DictStore()
    with store.write() as tx:
        data = {"id": "file-1", "status": status}
        tx.add("store_files", data, id="vsf_1", vector_store_id="vs_1", file_id="file-1", status=status)
    return store


def test_a_run_waits_a_minute_for_files_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    pauses: list[float] = []
    assert came(Indexed(["vs_1"]), with_file("in_progress"), pauses.append) == Outcome()
    assert 60 <= sum(pauses) < 61
    assert "not searchable after 60 s" in caplog.text


def test_a_run_goes_on_as_soon_as_its_files_are_indexed() -> None:
    store = with_file("in_progress")
    pauses: list[float] = []

    def slept(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            with store.write() as tx:
                tx.change("store_files", "vsf_1", {"status": "completed"}, status="completed")

    assert came(Indexed(["vs_0", "vs_1"]), store, slept) == Outcome()
    assert len(pauses) == 3


def test_a_store_that_has_expired_is_said_to_have(caplog: pytest.LogCaptureFixture) -> None:
    store = DictStore()
    with store.write() as tx:
        made = make_store(tx, SETTINGS.keeper, {"expires_after": {"anchor": "last_active_at", "days": 1}})
        tx.change("vector_stores", made["id"], {}, expires_at=SETTINGS.keeper.clock() - 1)
    error = came(Indexed([made["id"]]), store).error
    assert f"The vector store {made['id']} has expired." in str(error)
    assert came(Indexed(["vs_gone"]), store) == Outcome()
    assert "There is no vector store vs_gone" in caplog.text


def test_what_is_not_there_is_found_nowhere() -> None:
    assert came(Search(["vs_gone"], "x", 5), DictStore()) == Outcome([])
    missing = came(ReadFile("file-gone"), DictStore()).error
    assert isinstance(missing, UpstreamError)
    assert missing.status == 404


def test_a_backend_without_files_says_so() -> None:
    with pytest.raises(StopIteration) as ended:
        next(run_files.done(None, Search(["vs_1"], "x", 5), asks))
    assert "keeps no files" in str(ended.value.value.error)
