"""Work that is driven as ever, while somebody notes what becomes of its run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._engine.effects import Do, Events, Steps
from .._engine.port import Json


def noting(steps: Steps[Events], note: Callable[[Json], object]) -> Steps[Events]:
    """The same steps. ``note`` is told each new state of the run that is committed, but for those of which
    the request has told before it."""
    value: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                effect = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as end:
                events: Events = end.value
                break
            try:
                value, error = (yield effect), None
            except GeneratorExit:
                raise
            except BaseException as thrown:  # noqa: BLE001 - it is for the steps
                value, error = None, thrown
            else:
                if type(effect) is Do and effect.says:
                    _note(value, note)
    finally:
        steps.close()
    _note(events, note)
    return events


def _note(events: Events, note: Callable[[Json], object]) -> None:
    for name, data in events:
        if name.startswith("thread.run.") and data.get("object") == "thread.run":
            note(data)
