"""Drives a conversation by hand: scripted results in, what it asked and said out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from streaming_assistants.backend._engine.port import (
    Call,
    ContentDelta,
    Conversation,
    FileContent,
    Indexed,
    Kept,
    MessageEnd,
    Next,
    Open,
    ReadFile,
    Search,
    Sleep,
    StepEnd,
    ThreadResources,
    ToolCallDelta,
    Turn,
    UpstreamError,
)

from . import talk


@dataclass
class Transcript:
    asked: list[Any] = field(default_factory=list)  # Call, Open, Sleep, Search, Indexed, ReadFile
    said: list[Any] = field(default_factory=list)  # what changes the run
    noted: list[Any] = field(default_factory=list)  # Kept, ThreadResources, FileContent

    @property
    def body(self) -> Any:
        """The body of the last streamed request."""
        return [one for one in self.asked if isinstance(one, Open)][-1].body

    @property
    def end(self) -> Any:
        return self.said[-1]

    @property
    def messages(self) -> list[list[dict[str, Any]]]:
        """Each message's content, its deltas added up."""
        found: list[list[dict[str, Any]]] = []
        open_ = False
        for piece in self.said:
            if isinstance(piece, ContentDelta):
                if not open_:
                    found.append([])
                open_ = True
                _grow(found[-1], piece.part)
            elif isinstance(piece, MessageEnd):
                assert open_, "a message ends that had not begun"
                open_ = False
        return found

    @property
    def steps(self) -> list[list[dict[str, Any]]]:
        """Each tool step's calls, their deltas added up. Content closes a step."""
        found: list[list[dict[str, Any]]] = []
        open_ = False
        for piece in self.said:
            if isinstance(piece, ToolCallDelta):
                if not open_:
                    found.append([])
                open_ = True
                _grow(found[-1], piece.call)
            elif isinstance(piece, (ContentDelta, StepEnd)):
                open_ = False
        return found

    @property
    def text(self) -> str:
        return "".join(p["text"]["value"] for m in self.messages for p in m if p["type"] == "text")


def _grow(list_: list[Any], delta: dict[str, Any]) -> None:
    index = delta["index"]
    assert 0 <= index <= len(list_), f"index {index} leaves a gap after {len(list_)}"
    if index == len(list_):
        list_.append({})
    _merge(list_[index], {name: value for name, value in delta.items() if name != "index"})


def _merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        old = into.get(name)
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        elif isinstance(value, list) and all(isinstance(one, dict) and "index" in one for one in value):
            for one in value:
                _grow(into.setdefault(name, []), one)
            into.setdefault(name, [])
        elif isinstance(value, str) and isinstance(old, str) and name not in ("id", "type"):
            into[name] = old + value
        else:
            into[name] = value


def drive(
    conversation: Conversation,
    events: Iterable[Any] = (),
    answers: Iterable[Any] | Callable[[Any], Any] = (),
) -> Transcript:
    """Answers each Call, Open, Search and ReadFile with the next of ``answers`` (None for an Open when they
    are used up) and each Next with the next of ``events``, then None. An exception among them is thrown in.
    ``answers`` may be a function of what is asked."""
    transcript = Transcript()
    stream = iter(events)
    results = iter(() if callable(answers) else answers)
    result: Any = None
    while True:
        try:
            if isinstance(result, UpstreamError):
                piece = conversation.throw(result)
            else:
                piece = conversation.send(result)
        except StopIteration:
            return transcript
        result = None
        if isinstance(piece, Next):
            result = next(stream, None)
        elif isinstance(piece, (Call, Open, Search, ReadFile)) and callable(answers):
            transcript.asked.append(piece)
            result = answers(piece)
        elif isinstance(piece, Open):
            transcript.asked.append(piece)
            result = next(results, None)
        elif isinstance(piece, (Call, Search, ReadFile)):
            transcript.asked.append(piece)
            result = next(results)
        elif isinstance(piece, (Sleep, Indexed)):
            transcript.asked.append(piece)
        elif isinstance(piece, (Kept, ThreadResources, FileContent)):
            transcript.noted.append(piece)
        else:
            transcript.said.append(piece)


def turn(*items: Any, **values: Any) -> Turn:
    """A turn with a default user message."""
    return Turn(
        **{
            "run_id": "run_1",
            "thread_id": "thread_1",
            "model": "gpt-4o",
            "instructions": None,
            "items": list(items) or [talk.user("Hello")],
            **values,
        }
    )
