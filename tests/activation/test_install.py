"""Clients that a program makes are patched as it makes them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from streaming_assistants import AssistantEventHandler, _sdk, install, patch, uninstall, unpatch
from streaming_assistants._patch.defaults import KEY
from streaming_assistants.backend import LocalBackend

from ..loopback import Loopback

pytest.importorskip("sqlalchemy", reason="the backend needs streaming_assistants[backend]")

KINDS = {
    "OpenAI": {},
    "AsyncOpenAI": {},
    "AzureOpenAI": {"azure_endpoint": "https://azure.invalid", "api_version": "2024-05-01-preview"},
    "AsyncAzureOpenAI": {"azure_endpoint": "https://azure.invalid", "api_version": "2024-05-01-preview"},
}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {name: getattr(openai, name).__init__ for name in KINDS}
    base_url = openai.base_url
    yield
    uninstall()
    assert {name: getattr(openai, name).__init__ for name in KINDS} == before
    assert openai.base_url == base_url


def made(name: str, **options: Any) -> Any:
    return getattr(openai, name)(api_key="unused", **{**KINDS[name], **options})


def listed(client: Any) -> list[str]:
    """The ids of the assistants that a client of either colour sees."""
    page: Any = client.beta.assistants.list()
    if inspect.isawaitable(page):
        page = asyncio.run(_awaited(page))
    return [each.id for each in page.data]


async def _awaited(page: Any) -> Any:
    return await page


def test_all_clients_of_a_process_see_the_same(capsys: Any) -> None:
    install("echo")

    class Own(openai.OpenAI):
        def __init__(self) -> None:
            super().__init__(api_key="of its own")
            self.ready = True

    assistant = made("OpenAI").beta.assistants.create(model="echo")
    clients = [*(made(name) for name in KINDS), Own(), made("OpenAI").with_options(timeout=5)]
    assert [listed(client) for client in clients] == [[assistant.id]] * len(clients)


def test_the_modules_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "api_key", "unused")
    monkeypatch.setattr(openai, "_client", None, raising=False)
    install("echo")
    assistant = made("OpenAI").beta.assistants.create(model="echo")
    assert listed(openai) == [assistant.id]
    uninstall()  # while the module still has that client
    assert KEY not in vars(openai._client)  # type: ignore[attr-defined]


def test_without_a_backend_a_server_answers(server: Loopback) -> None:
    install()
    client = made("OpenAI", base_url=server.url)
    assert client.beta.threads.runs.create_and_poll  # which the oldest SDK has not
    assert vars(client)[KEY].backend is None


def test_base_url_is_every_clients(server: Loopback) -> None:
    install(base_url=server.url)
    for name in KINDS:
        client = made(name, **({} if "Azure" in name else {"base_url": "http://elsewhere.invalid"}))
        assert str(client.base_url).rstrip("/") == server.url.rstrip("/")
        if "Azure" in name:
            continue  # 1.1 forgets api_version in a copy
        assert str(client.copy().base_url).rstrip("/") == server.url.rstrip("/")


@pytest.mark.parametrize("name", ["OpenAI", "AzureOpenAI"])
def test_inference_goes_to_base_url(name: str) -> None:
    asked: list[tuple[str, Any]] = []

    def answer(request: Any) -> Any:
        asked.append((str(request.url), json.loads(request.content)["model"]))
        return module.Response(500, json={"error": {"message": "no more"}})

    module = _sdk.own_transport()
    http = module.Client(transport=module.MockTransport(answer))
    install("chat", base_url="http://models.invalid/v1", models={"gpt-4": "qwen3"})
    client = made(name, http_client=http, max_retries=0)
    assistant = client.beta.assistants.create(model="gpt-4")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "?"}]}
    )
    assert run.status == "failed"
    assert asked == [("http://models.invalid/v1/chat/completions", "qwen3")]


def test_an_exception_of_the_constructor_is_the_sdks_own() -> None:
    install("echo")
    with pytest.raises(TypeError, match="nonsense"):
        openai.OpenAI(api_key="unused", nonsense=1)  # type: ignore[call-arg]
    assert listed(made("OpenAI")) == []


def test_uninstall_takes_it_from_the_clients_too() -> None:
    install("echo")
    client = made("OpenAI")
    uninstall()
    assert KEY not in vars(client)
    assert KEY not in vars(made("OpenAI"))
    uninstall()


def test_other_settings_are_refused() -> None:
    install("echo", repair=True)
    install("echo")
    with pytest.raises(ValueError, match="other settings are installed"):
        install("echo", repair=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"backend": "nobody"}, "There is no upstream 'nobody'"),
        ({"store": "a.db"}, "store is a backend's"),
        ({"models": {"a": "b"}}, "models is a backend's"),
    ],
)
def test_what_cannot_be_installed_changes_nothing(arguments: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        install(**arguments)
    assert KEY not in vars(made("OpenAI"))


def test_a_backend_of_your_own_stays_open() -> None:
    with LocalBackend("echo") as backend:
        install(backend)
        assistant = made("OpenAI").beta.assistants.create(model="echo")
        uninstall()
        client = patch(made("OpenAI"), backend=backend)
        assert listed(client) == [assistant.id]
        with pytest.raises(ValueError, match="has its own"):
            install(backend, "a.db")


def test_what_is_said_of_one_client_goes_over_it() -> None:
    install("echo")
    shared, own = made("OpenAI"), patch(made("OpenAI"), backend="echo")
    explicit = patch(made("OpenAI"))  # nothing is said of a backend
    assistant = shared.beta.assistants.create(model="echo")
    assert listed(explicit) == [assistant.id]
    assert listed(own) in ([assistant.id], [])
    with LocalBackend("echo") as another:
        assert listed(patch(made("OpenAI"), backend=another)) == []


def test_a_wrapper_that_came_later_stays() -> None:
    install("echo")
    ours, calls = openai.OpenAI.__init__, []

    @functools.wraps(ours)
    def theirs(self: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(1)
        ours(self, *args, **kwargs)

    openai.OpenAI.__init__ = theirs  # type: ignore[method-assign]
    try:
        client = made("OpenAI")
        assert KEY in vars(client)
        uninstall()
        assert openai.OpenAI.__init__ is theirs
        assert KEY not in vars(made("OpenAI"))
        assert len(calls) == 2
    finally:
        openai.OpenAI.__init__ = inspect.unwrap(ours)  # type: ignore[method-assign]


def test_a_class_of_ones_own_alone() -> None:
    class Mine(openai.OpenAI):
        pass

    patch(Mine, backend="echo")
    try:
        client, other = Mine(api_key="unused"), made("OpenAI")
        assert client.beta.assistants.create(model="echo")
        assert KEY not in vars(other)
        assert listed(Mine(api_key="unused")) == []  # an echo is each client's own
        with pytest.raises(ValueError, match="Mine is patched already"):
            patch(Mine)
    finally:
        unpatch(Mine)
    assert KEY not in vars(Mine(api_key="unused"))
    assert "__init__" not in vars(Mine)


def test_the_signature_stays_the_sdks() -> None:
    before = inspect.signature(openai.OpenAI)
    install("echo")
    assert inspect.signature(openai.OpenAI) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("store", ["file", "memory"])
def test_a_process_that_forks_off_goes_on(store: str, tmp_path: Any) -> None:
    install("echo", None if store == "memory" else str(tmp_path / "assistants.db"))
    client = made("OpenAI")
    assistant = client.beta.assistants.create(model="echo")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, json.dumps([listed(client), listed(made("OpenAI"))]).encode())
        os._exit(0)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    with os.fdopen(read) as pipe:
        # What is kept in memory is the process's that keeps it.
        assert json.load(pipe) == [[assistant.id] if store == "file" else []] * 2
    assert listed(client) == [assistant.id]


def test_clients_of_one_address_and_key_share_a_backend() -> None:
    clients = [patch(made(name), backend="chat") for name in ("OpenAI", "AsyncOpenAI")]
    assistant = clients[0].beta.assistants.create(model="gpt-4")
    assert listed(clients[1]) == [assistant.id]
    others = [
        patch(made("OpenAI", base_url="http://elsewhere.invalid"), backend="chat"),
        patch(openai.OpenAI(api_key="another"), backend="chat"),
        patch(made("OpenAI"), backend="responses"),
        patch(made("OpenAI"), backend="echo"),
    ]
    assert [listed(client) for client in others] == [[]] * 4
    for client in clients:
        unpatch(client)
    assert listed(patch(made("OpenAI"), backend="chat")) == []  # the last one has left


def test_a_handler_streams_on_an_installed_client() -> None:
    install("echo")
    client, said = made("OpenAI"), []

    class Printer(AssistantEventHandler):
        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            said.append(delta.value)

    assistant = client.beta.assistants.create(model="echo")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Word by word"}])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=Printer()
    ) as stream:
        stream.until_done()
    assert "".join(said) == "Word by word"
