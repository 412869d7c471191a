"""Whether the installed SDK tells a story right: what a canned server says, and what has to come of it.

An act is played in memory through a copy of the SDK's own code: no network, no version number. What the
SDK does, written down line by line, is compared with what is due; the first line that differs is the reason
why the library steps in. An SDK in which all is as due is sound, and is left alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import openai

log = logging.getLogger("streaming_assistants")


class Beat:
    """A part of an act: what it is, what is due then, with commas between, and what the server says.

    A line that is due is a deed ("ask again"), the name of a callback and what it is given, or that of an
    error. A beat stands on its own: an act can be played without it, if it is not the last.
    """

    def __init__(self, about: str, due: str, *said: Any) -> None:
        self.about, self.due, self.said = about, due.split(", "), said


class Act:
    """What is played, and how: ``play`` brings the SDK what the server says. The last beat ends it."""

    def __init__(self, play: Callable[[Stage], None], *beats: Beat) -> None:
        self.play, self.beats = play, beats


class Stage:
    """Where an act is played: what the server says comes from here, and what is seen is told to it."""

    def __init__(self, beats: tuple[Beat, ...]) -> None:
        self._beats = beats
        self._seen: list[list[str]] = [[] for _ in beats]
        self._now = 0

    def server(self) -> Iterator[Any]:
        """What the server says, one by one."""
        for place, beat in enumerate(self._beats):
            self._now = place
            yield from beat.said

    def see(self, line: str) -> None:
        """Takes down a line of what the program sees, for the beat that the server is at."""
        self._seen[self._now].append(line)

    def divergence(self) -> tuple[Beat, str] | None:
        """The first beat that did not go as due, and in what."""
        for beat, seen in zip(self._beats, self._seen, strict=True):
            for got, wanted in zip_longest(seen, beat.due, fillvalue="do nothing"):
                if got != wanted:
                    said = f"{beat.about} makes the SDK {_deed(got)}, where it should {_deed(wanted)}"
                    return beat, said
        return None


def _deed(line: str) -> str:
    first = line.partition(" ")[0]
    return f"call {line}" if first.startswith("on_") else f"raise {line}" if first.endswith("Error") else line


class Story:
    """Acts in a row. What comes of them is found out when it is first asked for, once in a process."""

    def __init__(self, *acts: Act) -> None:
        self.acts = acts
        self.is_told = False
        """Whether it is known by now whether the SDK tells it right."""
        self._first: str | None = None
        self._all: tuple[str, ...] | None = None
        self._telling = threading.RLock()  # threads that ask at once have it told once

    def divergence(self) -> str | None:
        """The first thing that the installed SDK gets wrong, None where all is as due."""
        with self._telling:
            if not self.is_told:
                self._first = next(self._divergences(), None)
                self.is_told = True
            return self._first

    def divergences(self) -> tuple[str, ...]:
        """All that it gets wrong: what went wrong is left out, and the act is played again."""
        with self._telling:
            if self._all is None:
                self._all = tuple(self._divergences())
                self._first, self.is_told = next(iter(self._all), None), True
            return self._all

    def _divergences(self) -> Iterator[str]:
        for act in self.acts:
            beats = act.beats
            while (wrong := _played(act, beats)) is not None:
                beat, how = wrong
                yield how
                beats = tuple(each for each in beats if each is not beat)
                if beat is act.beats[-1]:
                    break


def _played(act: Act, beats: tuple[Beat, ...]) -> tuple[Beat, str] | None:
    stage = Stage(beats)
    try:
        act.play(stage)
    except Exception as error:  # a release of tomorrow may refuse the call, which is a difference too
        log.debug("a difference, if it is not due", exc_info=True)
        stage.see("OpenAIError" if isinstance(error, openai.OpenAIError) else type(error).__name__)
    return stage.divergence()
