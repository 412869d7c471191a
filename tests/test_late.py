"""What waits until somebody calls: the SDK is judged then, and what it makes on first use is patched then."""

from __future__ import annotations

import sys
import threading
from typing import Any

import openai
import pytest

import streaming_assistants as sa
from streaming_assistants import _sdk
from streaming_assistants._patch import stories
from streaming_assistants._patch.judge import Act, Beat, Story

from .clients import Colour
from .loopback import Loopback, Reply
from .samples import RUN, sse, text_run
from .test_probes import run

pytestmark = pytest.mark.anyio

STORE = {"id": "vs_1", "object": "vector_store", "status": "completed"}


@pytest.fixture
def runs_server(server: Loopback) -> Loopback:
    """A server whose runs stream or do not, as they are asked."""

    def answer(request: Any) -> Reply:
        return Reply.sse([sse(text_run("Hi"))]) if (request.json or {}).get("stream") else Reply.json(RUN)

    return server.on("POST", "/threads/.*", answer).on("GET", "/vector_stores/.*", Reply.json(STORE))


def imports_stores_late() -> bool:
    client = openai.OpenAI(api_key="k")
    return hasattr(client, "vector_stores") and "vector_stores" not in vars(openai.OpenAI(api_key="k"))


late_stores = pytest.mark.skipif(not imports_stores_late(), reason="this release makes them with the client")


# ---------------------------------------------------------------- nothing before its time


@pytest.mark.parametrize("made", ["OpenAI", "AsyncOpenAI"])
def test_patch_itself_judges_nothing_and_imports_nothing(made: str) -> None:
    program = f"""
import sys, openai
client = openai.{made}(api_key="k", base_url="http://nowhere.invalid")
client.beta.threads.runs, client.beta.threads.messages, client.beta.assistants
import streaming_assistants
before = {{name for name in sys.modules if name.startswith("openai")}}
streaming_assistants.patch(client)
print(sorted({{name for name in sys.modules if "openai" in name}} - before))
client.vector_stores.retrieve, client.beta.vector_stores.files.poll
print(any("untouched.openai" in name for name in sys.modules))
"""
    assert run(program) == "[]\nFalse\n"


async def test_a_call_without_a_stream_judges_no_streams(
    colour: Colour, runs_server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = told_of(monkeypatch, stories.STREAM)
    client = colour.client(runs_server.url)
    assert (await colour.of(client.beta.threads.runs.create("thread_1", assistant_id="asst_1"))).id == "run_1"
    assert stories.STREAM not in asked
    events = await colour.list(await colour.created(client))
    assert len(events) == 7
    has_streams = "stream" in _sdk.parameters(type(client.beta.threads.runs).create)
    assert (stories.STREAM in asked) is has_streams


def told_of(monkeypatch: pytest.MonkeyPatch, story: Story) -> list[Story]:
    """The stories that are told from now on, with ``story`` as if it had never been."""
    asked: list[Story] = []
    divergence = Story.divergence

    def notes(self: Story) -> str | None:
        asked.append(self)
        return divergence(self)

    monkeypatch.setattr(story, "is_told", False)
    monkeypatch.setattr(Story, "divergence", notes)
    return asked


# ---------------------------------------------------------------- what the SDK makes on first use


@late_stores
async def test_what_was_asked_for_is_one_object_of_the_sdks_class(
    colour: Colour, runs_server: Loopback
) -> None:
    client = colour.bare(runs_server.url)
    theirs = type(colour.bare(runs_server.url).vector_stores)
    stores = sa.patch(client).vector_stores
    assert isinstance(stores, theirs)
    assert stores is client.vector_stores is client.beta.vector_stores
    assert repr(stores) == object.__repr__(stores)
    assert type(stores) is theirs
    assert (await colour.of(stores.retrieve("vs_1"))).id == "vs_1"
    assert stores.files.poll.__self__ is stores.files
    assert "on_poll" in vars(type(stores.files.poll))["__signature__"].fget(stores.files.poll).parameters


@late_stores
@pytest.mark.parametrize("touched", [True, False])
async def test_unpatch_gives_it_back(colour: Colour, runs_server: Loopback, touched: bool) -> None:
    client = sa.patch(colour.bare(runs_server.url))
    stores = client.vector_stores
    if touched:
        assert "poll" in vars(stores.files)
    sa.unpatch(client)
    assert "poll" not in vars(stores.files)
    assert "vector_stores" not in vars(client.beta)
    assert (await colour.of(client.vector_stores.retrieve("vs_1"))).id == "vs_1"
    assert type(stores) is type(client.vector_stores)


@late_stores
async def test_what_a_program_puts_there_stays(colour: Colour, runs_server: Loopback) -> None:
    client = sa.patch(colour.bare(runs_server.url))
    fake = object()
    client.vector_stores.retrieve = fake
    assert client.vector_stores.retrieve is fake
    del client.vector_stores.retrieve
    assert (await colour.of(client.vector_stores.retrieve("vs_1"))).id == "vs_1"
    client.vector_stores = fake
    sa.unpatch(client)
    assert client.vector_stores is fake


async def test_threads_that_ask_first_all_have_what_is_patched(colour: Colour, runs_server: Loopback) -> None:
    for _ in range(20):
        client = sa.patch(colour.bare(runs_server.url))
        seen: list[bool] = []
        at_once(
            6, lambda client=client, seen=seen: seen.append("poll" in vars(client.beta.vector_stores.files))
        )
        assert seen == [True] * 6


def at_once(count: int, what: Any) -> None:
    barrier = threading.Barrier(count)

    def go() -> None:
        barrier.wait()
        what()

    threads = [threading.Thread(target=go) for _ in range(count)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("view", ["with_raw_response", "with_streaming_response"])
async def test_raw_views_lead_to_what_the_sdk_lacks(colour: Colour, runs_server: Loopback, view: str) -> None:
    client = sa.patch(colour.bare(runs_server.url))
    if not hasattr(client.beta.threads.runs, view):
        pytest.skip(f"this release has no {view}")
    for owner in (client, client.beta):
        shown = getattr(owner, view).vector_stores
        for name in ("search", "files", "file_batches"):
            assert hasattr(shown, name)
        assert hasattr(shown.files, "content")
    assert hasattr(getattr(client.beta.threads, view).messages, "delete")
    sa.unpatch(client)
    assert hasattr(getattr(client.beta, view), "vector_stores") is hasattr(type(client.beta), "vector_stores")


# ---------------------------------------------------------------- the verdict


async def test_threads_that_call_first_have_it_told_once() -> None:
    played: list[int] = []
    story = Story(Act(lambda _: played.append(1), Beat("it", "a")))
    said: list[str | None] = []
    at_once(8, lambda: said.append(story.divergence()))
    assert played == [1]
    assert said == ["it makes the SDK do nothing, where it should a"] * 8


async def test_a_method_that_proves_sound_is_left_alone(
    colour: Colour, runs_server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a release of tomorrow, in which every defect is mended."""
    runs_server.on("GET", "/threads/.*", Reply.json({"object": "list", "data": [RUN], "has_more": False}))
    client = colour.bare(runs_server.url)
    runs = client.beta.threads.runs
    if not _sdk.says(_sdk.own_method(type(runs), "list"), "assistants=v2"):
        pytest.skip("this release needs help with more than its pages")
    told: list[bool] = []
    monkeypatch.setattr(Story, "divergence", lambda _: told.append(True))
    monkeypatch.setattr(Story, "is_told", property(lambda _: bool(told), lambda *_: None), raising=False)
    sa.patch(client)
    ours = runs.list
    assert ours is vars(runs)["list"]  # not judged yet
    for _ in range(2):
        page = await colour.of(ours("thread_1"))
        assert "streaming_assistants" not in str(type(page).get_next_page.__globals__["__name__"])
    assert "list" not in vars(runs)  # has stepped aside
    again = sa.patch(colour.bare(runs_server.url)).beta.threads.runs
    assert "list" not in vars(again)  # and is not even put there
    sa.unpatch(client)
