"""Fixtures for programs that use the Assistants API: ``assistants`` and ``assistants_server``.

pytest loads this wherever the library is installed, and nothing else of it before a test asks: it is a module
of its own because the library brings the SDK, which takes a second to import.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from streaming_assistants._typing import PatchedOpenAI


@pytest.fixture
def assistants() -> Iterator[PatchedOpenAI]:
    """A patched ``OpenAI`` client on an echo backend of its own, in memory: no key, no network."""
    import openai

    from streaming_assistants import patch
    from streaming_assistants.backend import LocalBackend

    with LocalBackend("echo") as backend, openai.OpenAI(api_key="unused") as client:
        yield patch(client, backend=backend)


@pytest.fixture
def assistants_server() -> Iterator[str]:
    """The base URL of a server on an echo backend of its own, for clients that the program makes."""
    import openai

    from streaming_assistants.backend import LocalBackend
    from streaming_assistants.backend._serve.thread import served

    with served(LocalBackend("echo"), openai.AsyncOpenAI(api_key="unused")) as url:
        yield url
