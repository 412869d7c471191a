"""How what a stream has under way is ended from outside: by another thread, another task, or a callback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from streaming_assistants._sdk.untyped import HttpResponse


class Halt:
    """Whether it was called for, and what is under way then.

    ``response`` is the one that is read, or was read last: whoever calls for the halt closes it.
    """

    def __init__(self, response: HttpResponse) -> None:
        self.called = False
        self.response = response
        self._wakes: list[Callable[[], object]] = []

    def call(self) -> None:
        """Ends what is under way, and what would come after it. Calling twice is fine."""
        self.called = True
        for wake in tuple(self._wakes):
            wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Has ``wake`` called when the halt is, as long as the block lasts; at once where it was before."""
        self._wakes.append(wake)
        try:
            if self.called:
                wake()
            yield
        finally:
            self._wakes.remove(wake)
