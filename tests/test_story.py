"""README's story of one byte, followed with a debugger: which files it enters."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pydantic
import pytest

import streaming_assistants

from .clients import Colour
from .loopback import Loopback, Reply
from .samples import message, run, sse, text

pytestmark = pytest.mark.anyio

PACKAGE = Path(streaming_assistants.__file__).parent
README = PACKAGE.parent / "README.md"


def told() -> list[str]:
    """The files that the story names for the bytes, after the request."""
    story = README.read_text("utf-8").partition("## The story of one byte")[2]
    return re.findall(r"  ((?:\w+/)?\w+\.py)", story.split("```")[1].partition("-> bytes")[2])


class Followed:
    """The package's files that this thread enters."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and PACKAGE in path.parents:
            self.files.add(path.relative_to(PACKAGE).as_posix())


@pytest.mark.skipif(
    not hasattr(pydantic.BaseModel, "model_validate_json"),
    reason="this pydantic builds every event the lenient way",
)
async def test_the_story_names_every_file_that_a_byte_enters(colour: Colour, server: Loopback) -> None:
    followed, asked_for = Followed(), threading.Event()

    def body() -> Iterator[bytes]:
        learned = [text("of two"), text("frames")]
        yield sse([run("in_progress"), message("created"), *learned, text("a")], end=b"")
        asked_for.wait(10)
        yield sse([text("b")], end=b"")
        yield sse([message("completed", "of twoframesab"), run("completed")])

    def on_text_delta(delta: Any, _: object) -> None:
        if delta.value == "a":
            asked_for.set()
            sys.setprofile(followed)
        elif delta.value == "b":
            sys.setprofile(None)

    handler = colour.handler()
    handler.on_text_delta = on_text_delta
    server.on("POST", ".*", Reply.sse(body()))
    await colour.handled(colour.client(server.url), handler)
    assert followed.files == set(told())
    assert len(told()) == 10, "which README says in words"
