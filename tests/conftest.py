from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .clients import Colour
from .loopback import Loopback
from .samples import recordings

# Every client loads the machine's certificates when it is made, which takes longer than most tests. Here
# no client speaks TLS, so that one certificate (self-signed, its key thrown away) is enough.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("one-certificate.pem"))


# An example may take as long as it does: how fast this machine is says nothing about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "recordings: reads recorded traffic, which is kept outside the project"
    )
    config.addinivalue_line("markers", "any_sdk: never meets the SDK, and is run on one release of it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if recordings() is not None:
        return
    reason = "no recordings: set STREAMING_ASSISTANTS_RECORDINGS to the folder that holds them"
    for item in items:
        if item.get_closest_marker("recordings"):
            if os.environ.get("STREAMING_ASSISTANTS_REQUIRE_RECORDINGS"):
                raise pytest.UsageError(reason)
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sync", "async"])
async def colour(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Colour]:
    """Runs the test twice: with sync clients and with async ones."""
    made = Colour(request.param)
    yield made
    await made.close()


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
    def same_json(recorded: Any, sent: Any) -> bool:
        """Releases of the SDK write the same JSON differently."""
        one, other = (json.loads(request.body or b"null") for request in (recorded, sent))
        return bool(one == other)

    vcr.register_matcher("json", same_json)
