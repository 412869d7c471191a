"""Azure's clients as the Assistants years left them: a version by date, deployments, Entra tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streaming_assistants.backend import LocalBackend
from tests.clients import Colour
from tests.loopback import Loopback, Request

from . import fakes
from .conftest import Api

pytestmark = pytest.mark.anyio

KEY = {"api_key": "azure-key"}
TOKEN = {"azure_ad_token": "entra-token"}


@pytest.fixture
def server(server: Loopback) -> Loopback:
    return fakes.serve_files(fakes.says_hello(server))


@pytest.fixture
def asked(colour: Colour, server: Loopback) -> Callable[..., Any]:
    """Runs one message through an Azure client; answers with the requests that its upstream made."""

    async def ask(upstream: str, *, run: dict[str, Any] | None = None, **options: Any) -> list[Request]:
        if "base_url" not in options:
            options["azure_endpoint"] = server.url
        client = colour.sdk_client(azure=True, **{"api_version": "2024-05-01-preview", **options})
        backend = LocalBackend(upstream, files="upstream")  # Azure has them
        backend.attach(client)
        api = Api(client, backend)
        ended = await api.settled(await api.run("Hi", {"model": "my-deployment"}, **(run or {})))
        assert ended["status"] == "completed", ended["last_error"]
        await api.aclose()
        return server.requests

    return ask


@pytest.mark.parametrize("deployment", [None, "another"])
@pytest.mark.parametrize(
    ("upstream", "path"), [("responses", "/openai/v1/responses"), ("chat", "/openai/v1/chat/completions")]
)
async def test_inference_goes_to_v1_whatever_the_version(
    asked: Callable[..., Any], upstream: str, path: str, deployment: str | None
) -> None:
    options = {} if deployment is None else {"azure_deployment": deployment}
    (request,) = await asked(upstream, **KEY, **options)
    assert (request.path, request.query) == (path, {})
    assert request.json["model"] == "my-deployment"
    assert request.headers["api-key"] == "azure-key"


async def test_an_entra_token_is_sent(asked: Callable[..., Any]) -> None:
    (request,) = await asked("responses", **TOKEN)
    assert request.headers["authorization"] == "Bearer entra-token"
    assert request.path == "/openai/v1/responses"


async def test_what_a_run_needs_besides_is_on_v1_too(asked: Callable[..., Any]) -> None:
    tools = {"tools": [{"type": "code_interpreter"}]}
    image = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    message = {"role": "user", "content": [image]}
    requests = await asked("chat", **KEY, run={"additional_messages": [message], "tools": []})
    assert [(one.path, one.query) for one in requests] == [
        ("/openai/v1/files/file-1/content", {}),
        ("/openai/v1/chat/completions", {}),
    ]
    await asked("responses", **KEY, run=tools)
    assert all(one.path.startswith("/openai/v1/") and not one.query for one in requests)


async def test_a_version_that_is_no_date_is_kept(asked: Callable[..., Any]) -> None:
    (request,) = await asked("responses", **KEY, api_version="preview")
    assert (request.path, request.query) == ("/openai/v1/responses", {"api-version": ["preview"]})


async def test_a_base_url_of_ones_own_is_kept(asked: Callable[..., Any], server: Loopback) -> None:
    (request,) = await asked("chat", **KEY, base_url=server.url + "/openai/v1")
    assert request.path == "/openai/v1/chat/completions"
    await asked("responses", **KEY, base_url=server.url + "/gateway")
    assert server.requests[-1].path == "/gateway/responses"
    assert server.requests[-1].query == {"api-version": ["2024-05-01-preview"]}
