"""Each defect of the SDK that is repaired: shown on the SDK's own, gone on ours.

The same probes decide at run time whether the library steps in. A probe that finds nothing on a release
means that its SDK is sound there; which releases have which defect is told by the conformance matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

import streaming_assistants
from streaming_assistants import _sdk
from streaming_assistants._patch import defects
from streaming_assistants._patch.defects import Defect

ALL = (*defects.STREAM, *defects.HANDLER, *defects.PAGES)


def ids(defect: Defect) -> str:
    return defect.name


@contextmanager
def asked_of_ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Turns a probe's questions to the library: a patched client, and our handler for the SDK's."""
    probe_client, probe_handler = _sdk.probe_client, _sdk.probe_handler

    def patched(*args: Any, **kwargs: Any) -> Any:
        with monkeypatch.context() as within:
            # patch() asks the probes too, and they are about the SDK's own
            within.setattr(_sdk, "probe_client", probe_client)
            within.setattr(_sdk, "probe_handler", probe_handler)
            return streaming_assistants.patch(_sdk.memory_client(*args, **kwargs))

    monkeypatch.setattr(_sdk, "probe_client", patched)
    monkeypatch.setattr(_sdk, "probe_handler", lambda: streaming_assistants.AssistantEventHandler)
    yield


@pytest.mark.parametrize("defect", ALL, ids=ids)
def test_repaired(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    with asked_of_ours(monkeypatch):
        assert defect.probe() is False


@pytest.mark.parametrize("defect", ALL, ids=ids)
def test_shown_by_the_sdk_alone(defect: Defect) -> None:
    runs = _sdk.probe_client(b"").beta.threads.runs
    if "stream" not in _sdk.parameters(type(runs).create):
        assert not hasattr(runs, "create_and_stream")  # this release cannot stream at all
    else:
        assert defect.probe() is SOME_RELEASES.get(defect.name, True)


SOME_RELEASES = {
    # since streams are told to put the name and the data together (2.24)
    "data_only_events_have_no_name": "options" in _sdk.parameters(openai.Stream.__init__),
    # until lines were split before they were decoded (1.16.2)
    "line_separator_splits_a_line": not hasattr(openai._streaming.SSEDecoder, "iter_bytes"),
}
"""Defects that some releases which stream do not have, and what tells. All others are in every one."""


def test_every_defect_is_named_once_and_says_what_a_user_sees() -> None:
    names = [defect.name for defect in ALL]
    assert len(names) == len(set(names))
    assert all(defect.shows for defect in ALL)


def test_probes_are_asked_once_in_a_process() -> None:
    asked: list[int] = []

    def probe() -> bool:
        asked.append(1)
        return True

    defect = Defect("once", "asked once", probe)
    assert (defect.present(), defect.present()) == (True, True)
    assert asked == [1]
