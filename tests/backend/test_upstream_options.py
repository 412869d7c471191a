"""``LocalBackend(upstream_options=...)``: what a program adds to every request for inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from tests.loopback import Loopback

from . import fakes
from .conftest import Api

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]


@pytest.fixture
def server(server: Loopback) -> Loopback:
    return fakes.serve_files(fakes.says_hello(server))


async def sent(make_api: MakeApi, server: Loopback, upstream: str, options: Any, **run: Any) -> Any:
    api = make_api(upstream, client={"base_url": server.url}, upstream_options=options)
    assert (await api.settled(await api.run("Hi", **run)))["status"] == "completed"
    return server.requests[-1].json


@pytest.mark.parametrize("upstream", ["chat", "responses"])
async def test_they_are_in_every_request(make_api: MakeApi, server: Loopback, upstream: str) -> None:
    options = {"store": False, "service_tier": "flex", "metadata": {"team": "blue"}}
    body = await sent(make_api, server, upstream, {**options, "extra_body": {"top_k": 20}})
    assert {name: body[name] for name in (*options, "top_k")} == {**options, "top_k": 20}
    assert "extra_body" not in body
    plain = await sent(make_api, server, upstream, None)
    assert not {"store", "service_tier", "metadata", "top_k"} & plain.keys()


async def test_objects_are_merged_and_lists_joined(make_api: MakeApi, server: Loopback) -> None:
    options = {
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "truncation": "disabled",
    }
    run = {"reasoning_effort": "low", "tools": [{"type": "code_interpreter"}]}
    body = await sent(make_api, server, "responses", options, **run)
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["code_interpreter_call.outputs", "reasoning.encrypted_content"]
    assert body["truncation"] == "disabled"


async def test_other_requests_of_a_run_stay_as_they_are(make_api: MakeApi, server: Loopback) -> None:
    run = {"tools": [{"type": "code_interpreter"}]}
    await sent(make_api, server, "responses", {"service_tier": "flex"}, **run)
    others = [one for one in server.requests if not one.path.endswith("/responses")]
    assert not any(b"service_tier" in one.body for one in others)


@pytest.mark.parametrize("name", ["model", "input", "messages", "stream"])
def test_what_the_backend_decides_is_refused(name: str) -> None:
    for options in ({name: "x"}, {"extra_body": {name: "x"}}):
        with pytest.raises(ValueError, match=f"upstream_options cannot set '{name}'"):
            LocalBackend("chat", upstream_options=options)
