"""patch() as a guest: what it accepts, what it leaves alone, how it gets along with others, how it goes."""

from __future__ import annotations

import functools
import gc
import inspect
import logging
import subprocess
import sys
import warnings
from typing import Any
from unittest.mock import Mock
from xml.etree import ElementTree

import openai
import pytest
import wrapt

import streaming_assistants
from streaming_assistants import StreamingAssistantsError, capabilities, patch, unpatch
from streaming_assistants._patch.capability import resolve
from streaming_assistants._patch.closed import explaining
from streaming_assistants._patch.judge import Story
from streaming_assistants._patch.table import TABLE
from streaming_assistants.backend import LocalBackend

from .clients import Colour
from .loopback import Loopback, Reply
from .samples import RUN, sse, text_run

pytestmark = pytest.mark.anyio

RUNS = "/threads/thread_1/runs"


@pytest.fixture
def streams(server: Loopback) -> Loopback:
    """A server whose runs stream or do not, as they are asked."""

    def answer(request: Any) -> Reply:
        return Reply.sse([sse(text_run("Hi"))]) if (request.json or {}).get("stream") else Reply.json(RUN)

    return server.on("POST", ".*", answer).on("GET", ".*", answer)


async def streams_now(colour: Colour, client: Any) -> bool:
    events = await colour.list(await colour.created(client))
    return len(events) == 7 and type(events[0]).__name__ == "ThreadRunCreated"


def touched(client: Any) -> dict[str, list[str]]:
    """What stands on the client's own objects and not on their classes."""
    found = {}
    for path in {capability.resource for capability in TABLE}:
        resource = resolve(client, path) if path else None
        here = list(vars(resource).items()) if resource is not None else []  # early SDKs lack some
        names = [n for n, v in here if isinstance(v, wrapt.FunctionWrapper)]
        if names:
            found[path] = sorted(names)
    return found


async def test_the_same_object_of_the_same_type_comes_back(colour: Colour, streams: Loopback) -> None:
    client = colour.bare(streams.url)
    before = type(client)
    assert patch(client) is client
    assert type(client) is before
    assert await streams_now(colour, client)


@pytest.mark.parametrize("made", [openai.AzureOpenAI, openai.AsyncAzureOpenAI])
async def test_azure_clients(made: Any, streams: Loopback) -> None:
    colour = Colour("async" if "Async" in made.__name__ else "sync")
    client = patch(
        made(azure_endpoint=streams.url, api_key="k", api_version="2024-05-01-preview", max_retries=0)
    )
    assert await streams_now(colour, client)
    (request,) = streams.requests
    assert request.path == f"/openai{RUNS}"
    assert (request.query["api-version"], request.headers["api-key"]) == (["2024-05-01-preview"], "k")
    await colour.of(client.close())


@pytest.mark.parametrize(
    "wrong", [None, 5, "client", openai.Stream, object()], ids=lambda w: type(w).__name__
)
@pytest.mark.parametrize("function", [patch, unpatch, capabilities])
async def test_what_is_no_client_is_a_type_error(function: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"expects an OpenAI, AsyncOpenAI.* got"):
        function(wrong)


async def test_another_module_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="got the module 'sys'"):
        patch(sys)


async def test_patching_twice_changes_nothing(colour: Colour, streams: Loopback) -> None:
    client = colour.client(streams.url)
    before = touched(client)
    wrapper = client.beta.threads.runs.create
    patch(client)
    assert touched(client) == before
    assert client.beta.threads.runs.create is wrapper


async def test_unpatch_gives_the_class_its_methods_back(colour: Colour, streams: Loopback) -> None:
    client = colour.client(streams.url)
    assert touched(client)
    assert unpatch(client) is client
    assert touched(client) == {}
    assert client.beta.threads.runs.create == type(client.beta.threads.runs).create.__get__(
        client.beta.threads.runs
    )
    assert "copy" not in vars(client)
    unpatch(client)
    assert await streams_now(colour, patch(client))


async def test_two_clients_do_not_know_of_each_other(colour: Colour, streams: Loopback) -> None:
    one, other = colour.client(streams.url), colour.bare(streams.url)
    assert touched(other) == {}
    unpatch(one)
    assert touched(colour.client(streams.url))


@pytest.mark.parametrize("method", ["with_options", "copy"])
async def test_copies_are_patched_too(colour: Colour, streams: Loopback, method: str) -> None:
    copy = getattr(colour.client(streams.url), method)(timeout=5)
    assert copy.timeout == 5
    assert await streams_now(colour, copy)
    again = copy.with_options(max_retries=1)
    assert await streams_now(colour, again)
    assert touched(again)


async def test_copies_made_after_unpatch_are_not(colour: Colour, streams: Loopback) -> None:
    client = unpatch(colour.client(streams.url))
    assert touched(client.with_options(timeout=5)) == {}


async def test_repair_false_leaves_the_sdks_own_methods(colour: Colour, streams: Loopback) -> None:
    client = patch(colour.bare(streams.url), repair=False)
    for row in capabilities(client):
        assert row.provider == ("streaming_assistants" if row.reason.startswith("missing") else "sdk")
    copy = client.with_options(timeout=3)
    assert touched(copy) == touched(client)
    assert [row[:2] for row in capabilities(copy)] == [row[:2] for row in capabilities(client)]


async def test_an_sdk_without_threads_is_told_in_words(
    colour: Colour, streams: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = colour.bare(streams.url)
    monkeypatch.setattr(client, "beta", object(), raising=False)
    with pytest.raises(StreamingAssistantsError, match=r"has no client\.beta\.threads"):
        patch(client)


# ---------------------------------------------------------------- raw responses

RAW = ["with_raw_response", "with_streaming_response"]


def raw_of(client: Any, name: str, path: str) -> Any:
    """``runs`` through a raw view that was taken at the client, at threads, or at runs itself."""
    owner, _, rest = path.partition("|")
    found = getattr(resolve(client, owner) if owner else client, name)
    for part in filter(None, rest.split(".")):
        found = getattr(found, part)
    return found


PATHS = ["beta.threads.runs|", "beta.threads|runs", "beta|threads.runs", "|beta.threads.runs"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("path", PATHS)
async def test_raw_responses_taken_before_or_after(
    colour: Colour, streams: Loopback, path: str, when: str
) -> None:
    client = colour.bare(streams.url)
    try:
        raw = raw_of(client, "with_raw_response", path)
    except AttributeError:
        pytest.skip("this release has no such raw view")
    patch(client)
    if when == "after":
        raw = raw_of(client, "with_raw_response", path)
    answer = await colour.of(raw.create("thread_1", assistant_id="asst_1", stream=True))
    assert answer.headers["content-type"] == "text/event-stream"
    events = await colour.list(await colour.of(answer.parse()))
    assert len(events) == 7
    plain = await colour.of(raw.create("thread_1", assistant_id="asst_1"))
    assert (await colour.of(plain.parse())).id == "run_1"
    unpatch(client)
    assert raw.create.__wrapped__ == client.beta.threads.runs.create


@pytest.mark.parametrize("when", ["before", "after"])
async def test_streaming_responses_taken_before_or_after(
    colour: Colour, streams: Loopback, when: str
) -> None:
    client = colour.bare(streams.url)
    if not hasattr(client.beta.threads.runs, "with_streaming_response"):
        pytest.skip("this release has no with_streaming_response")
    taken = client.beta.threads.runs.with_streaming_response
    patch(client)
    if when == "after":
        taken = client.beta.threads.runs.with_streaming_response
    async with colour.entered(taken.create("thread_1", assistant_id="asst_1", stream=True)) as answer:
        assert len(await colour.list(await colour.of(answer.parse()))) == 7


# ---------------------------------------------------------------- other libraries' wrappers


def watch(seen: list[str]) -> Any:
    def watcher(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append(f"{kwargs.get('stream', False)}")
        return wrapped(*args, **kwargs)

    return watcher


async def test_a_foreign_wrapper_below_sees_every_call(colour: Colour, streams: Loopback) -> None:
    seen: list[str] = []
    client = colour.bare(streams.url)
    runs = client.beta.threads.runs
    runs.create = wrapt.FunctionWrapper(runs.create, watch(seen))
    patch(client)
    assert await streams_now(colour, client)
    assert (await colour.of(runs.create("thread_1", assistant_id="asst_1"))).id == "run_1"
    assert seen == ["True", "False"]
    unpatch(client)
    await colour.of(runs.create("thread_1", assistant_id="asst_1"))
    assert seen == ["True", "False", "False"]


async def test_a_foreign_wrapper_on_the_class_sees_every_call(
    colour: Colour, streams: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    for when in ("before", "after"):
        seen: list[str] = []
        client = colour.bare(streams.url)
        owner = type(client.beta.threads.runs)
        if when == "after":
            patch(client)
        with monkeypatch.context() as context:
            context.setattr(owner, "create", wrapt.FunctionWrapper(owner.create, watch(seen)))
            assert await streams_now(colour, patch(client))
        assert seen == ["True"], when


async def test_a_foreign_wrapper_on_top_stays_and_still_works(colour: Colour, streams: Loopback) -> None:
    seen: list[str] = []
    client = colour.client(streams.url)
    runs = client.beta.threads.runs
    foreign = runs.create = wrapt.FunctionWrapper(runs.create, watch(seen))
    assert await streams_now(colour, client)
    unpatch(client)
    assert runs.create is foreign
    assert (await colour.of(runs.create("thread_1", assistant_id="asst_1"))).id == "run_1"
    assert seen == ["True", "False"]


# ---------------------------------------------------------------- the module


@pytest.fixture
def module(streams: Loopback, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(openai, "api_key", "test")
    monkeypatch.setattr(openai, "base_url", streams.url)
    monkeypatch.setattr(openai, "http_client", None)  # the module keeps the one of its last client here
    openai._reset_client()
    yield openai
    unpatch(openai)
    client = getattr(openai, "_client", None)
    if client is not None:
        client.close()
    openai._reset_client()


async def test_the_module_level_client(module: Any, streams: Loopback) -> None:
    colour = Colour("sync")
    assert patch(module) is module
    assert await streams_now(colour, module)
    patch(module)
    module._reset_client()
    assert await streams_now(colour, module)
    module.api_key = "another"
    assert await streams_now(colour, module)
    assert [r.headers["authorization"] for r in streams.requests] == [
        "Bearer test",
        "Bearer test",
        "Bearer another",
    ]
    assert len(capabilities(module)) >= len(TABLE)
    unpatch(module)
    assert touched(module) == {}
    assert not isinstance(module._load_client, wrapt.FunctionWrapper)


# ---------------------------------------------------------------- the table


async def test_capabilities_say_who_provides_what_and_why(colour: Colour, streams: Loopback) -> None:
    table = capabilities(colour.client(streams.url))
    names = [row.capability for row in table]
    assert len(names) == len(set(names))
    assert "beta.threads.runs.create(stream=True)" in names
    assert {row.provider for row in table} <= {"sdk", "streaming_assistants"}
    for row in table:
        assert row.reason == "sound" or row.reason.startswith(("missing: ", "defective: "))
        assert (row.provider == "sdk") is (row.reason == "sound")
    assert table.provider("beta.threads.runs.stream()") == "streaming_assistants"
    with pytest.raises(KeyError):
        table.provider("beta.unheard_of")


@pytest.mark.parametrize("repair", [True, False])
async def test_the_table_fits_a_terminal(colour: Colour, streams: Loopback, repair: bool) -> None:
    client = colour.bare(streams.url)
    table = capabilities(patch(client, repair=repair))
    text = str(table)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert set(titles) <= {
        "Added by streaming_assistants",
        "Repaired by streaming_assistants",
        "Left to the SDK, defective",
        "Left to the SDK, sound",
    }
    words = " ".join(text.split())
    for row in table:
        assert lines.count(f"  {row.capability}") == 1  # each once, on a line of its own
        for why in row.reason.partition(": ")[2].split("; "):
            assert why in words
    left = next((place for place, line in enumerate(lines) if line.startswith("Left to")), len(lines))
    assert all((lines.index(f"  {row.capability}") > left) is (row.provider == "sdk") for row in table)


async def test_the_table_reads_well_in_a_notebook(colour: Colour, streams: Loopback) -> None:
    table = capabilities(colour.client(streams.url))
    shown = ElementTree.fromstring(table._repr_html_())
    cells = [["".join(cell.itertext()) for cell in row] for row in shown.iter("tr")]
    assert cells[0] == ["capability", "provider", "reason"]
    assert [row[:2] for row in cells[1:]] == [list(row[:2]) for row in table]
    hostile = type(table)([type(table[0])("<b>&", "sdk", "sound")])
    assert "<b>" not in hostile._repr_html_()


async def test_a_sound_capability_stays_the_sdks(
    colour: Colour, streams: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as on a release of tomorrow, in which every defect is mended
    monkeypatch.setattr(Story, "divergences", lambda _: ())
    monkeypatch.setattr(Story, "divergence", lambda _: None)
    monkeypatch.setattr(Story, "is_told", True, raising=False)
    client = colour.client(streams.url)
    rows = {row.capability: row for row in capabilities(client)}
    for capability in TABLE:
        row = rows.get(capability.name)
        if row is None:
            continue  # is no concern of this release, or of this client
        assert (row.provider, row.reason == "sound") in (("sdk", True), ("streaming_assistants", False))
        if row.provider == "sdk" and capability.method.endswith("stream"):
            # Ours stands before it for calls that want more of it than it does, and gives it all others.
            method = getattr(resolve(client, capability.resource), capability.method)
            given = {"thread_id": "thread_1", "assistant_id": "asst_1", "run_id": "run_1", "tool_outputs": []}
            taken = inspect.signature(method).parameters
            made = method(**{name: value for name, value in given.items() if name in taken})
            assert type(made).__module__.startswith("openai.")
            if colour.is_async:
                made._AsyncAssistantStreamManager__api_request.close()


async def test_names_and_signatures_stay_those_of_the_sdk(colour: Colour, streams: Loopback) -> None:
    runs = colour.client(streams.url).beta.threads.runs
    assert runs.create.__name__ == "create"
    assert "assistant_id" in inspect.signature(runs.create).parameters
    assert runs.stream.__name__ in ("stream",)


async def test_nothing_happens_at_import_and_nothing_is_printed(streams: Loopback) -> None:
    program = (
        "import sys, openai, streaming_assistants as sa\n"
        "assert 'streaming_assistants._protocol.absent_models' not in sys.modules\n"
        "assert not any(name.startswith('streaming_assistants.backend') for name in sys.modules)\n"
        f"sa.unpatch(sa.patch(openai.OpenAI(api_key='k', base_url='{streams.url}')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert streams.requests == []  # probes never leave the process


async def test_logging_is_one_logger_and_holds_no_key(
    colour: Colour, streams: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="streaming_assistants"):
        await streams_now(colour, patch(colour.bare(streams.url, default_headers={"X-Token": "token-1234"})))
    ours = [record for record in caplog.records if record.name.startswith("streaming_assistants")]
    assert {(record.name, record.levelname) for record in ours} == {("streaming_assistants", "DEBUG")}
    assert any("runs.create(stream=True)" in record.getMessage() for record in ours)
    assert not any(word in record.getMessage() for record in ours for word in ("test", "token-1234"))


async def test_all_public_names_are_there() -> None:
    assert all(hasattr(streaming_assistants, name) for name in streaming_assistants.__all__)
    from streaming_assistants import types

    assert all(isinstance(getattr(types, name), type) for name in types.__all__)
    assert set(types.__all__) <= set(dir(types))
    with pytest.raises(AttributeError, match="no attribute 'Unheard'"):
        types.Unheard  # noqa: B018


# ---------------------------------------------------------------- all or nothing


@pytest.mark.parametrize("name", [None, "echo"])
async def test_a_patch_that_fails_leaves_the_client_as_it_was(
    colour: Colour, streams: Loopback, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    client = colour.bare(streams.url)
    raw = client.beta.threads.runs.with_raw_response
    with monkeypatch.context() as context:
        context.setattr(LocalBackend, "attach", refuses)
        context.setattr(
            "streaming_assistants._patch.client.explaining", refuses if name is None else explaining
        )
        with pytest.raises(RuntimeError, match="refused"):
            patch(client, backend=name)
    assert touched(client) == {}
    assert not [value for value in vars(client).values() if type(value).__module__.startswith("streaming")]
    assert raw.create.__wrapped__ == client.beta.threads.runs.create
    assert await streams_now(colour, patch(client))  # and not as one that counts as patched


def refuses(*_: Any) -> Any:
    raise RuntimeError("refused")


async def test_no_request_leaves_the_process_after_a_second_try(
    colour: Colour, streams: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = colour.bare(streams.url)
    with monkeypatch.context() as context:
        context.setattr(LocalBackend, "attach", refuses)
        with pytest.raises(RuntimeError, match="refused"):
            patch(client, backend="echo")
    patch(client, backend="echo")
    assert (await colour.of(client.beta.threads.create())).id
    assert streams.requests == []
    unpatch(client)


# ---------------------------------------------------------------- proxies


async def test_a_proxy_of_a_client_is_patched_as_the_client(colour: Colour, streams: Loopback) -> None:
    client = colour.bare(streams.url)
    proxy = wrapt.ObjectProxy(wrapt.ObjectProxy(client))
    assert patch(proxy) is proxy
    assert await streams_now(colour, proxy)
    assert await streams_now(colour, proxy.with_options(timeout=5))
    assert str(capabilities(proxy)) == str(capabilities(client))
    assert patch(client) is client  # is patched already
    unpatch(proxy)
    assert touched(client) == {}


async def test_what_only_passes_for_a_client_is_told_so(colour: Colour, streams: Loopback) -> None:
    with pytest.raises(TypeError, match=r"passes for a client.*patch the client itself"):
        patch(Mock(spec=colour.bare(streams.url)))


# ---------------------------------------------------------------- a backend for a patched client


async def test_a_patched_client_can_be_given_a_backend(colour: Colour, streams: Loopback) -> None:
    client = colour.client(streams.url)
    with LocalBackend("echo") as backend, LocalBackend("echo") as another:
        assert patch(client, backend=backend) is client
        for each in (client, client.with_options(timeout=5)):
            assert (await colour.of(each.beta.threads.create())).id
        assert streams.requests == []
        patch(client, backend=backend)
        patch(client, backend="echo")
        patch(client)
        for wrong in (another, "responses"):
            with pytest.raises(ValueError, match="patched with another backend"):
                patch(client, backend=wrong)
        unpatch(client)
        await colour.of(client.beta.threads.retrieve("thread_1"))
        assert len(streams.requests) == 1


async def test_the_patched_module_can_be_given_a_backend(module: Any, streams: Loopback) -> None:
    assert await streams_now(Colour("sync"), patch(module))
    with LocalBackend("echo") as backend, LocalBackend("echo") as another:
        patch(module, backend=backend)
        asked = len(streams.requests)
        assert module.beta.threads.create().id
        assert len(streams.requests) == asked
        patch(module, backend=backend)
        with pytest.raises(ValueError, match="patched with another backend"):
            patch(module, backend=another)
        unpatch(module)


# ---------------------------------------------------------------- warnings


async def test_with_a_backend_nothing_is_deprecated(colour: Colour, streams: Loopback) -> None:
    """A copy, a stream, a poll and lists, with warnings that are errors."""
    client = colour.client(streams.url)
    with warnings.catch_warnings(), LocalBackend("echo") as backend:
        warnings.simplefilter("error")
        for each in (patch(client, backend=backend), client.with_options(timeout=5)):
            beta = each.beta
            assistant = await colour.of(beta.assistants.create(model="echo"))
            thread = await colour.of(beta.threads.create(messages=[{"role": "user", "content": "Hi"}]))
            ids = {"thread_id": thread.id, "assistant_id": assistant.id}
            async with colour.entered(beta.threads.runs.stream(**ids)) as stream:
                await colour.of(stream.until_done())
            run = await colour.of(beta.threads.runs.create_and_poll(**ids))
            assert run.status == "completed"
            await colour.list(await colour.of(beta.threads.runs.create(**ids, stream=True)))
            raw = await colour.of(beta.threads.with_raw_response.retrieve(thread.id))
            assert (await colour.of(raw.parse())).id == thread.id
            await colour.of(beta.threads.update(thread.id, metadata={"a": "b"}))
            for listed in (
                beta.threads.messages.list(thread.id),
                beta.threads.runs.list(thread.id),
                beta.threads.runs.steps.list(run.id, thread_id=thread.id),
                beta.assistants.list(),
            ):
                assert await colour.list(listed)
            await colour.of(beta.threads.delete(thread.id))
        unpatch(client)


# ---------------------------------------------------------------- garbage


@pytest.mark.parametrize("backend", [None, "echo"])
async def test_copies_that_are_let_go_leave_nothing(colour: Colour, streams: Loopback, backend: Any) -> None:
    client = patch(colour.bare(streams.url), backend=backend)
    if backend is not None and hasattr(type(client).platform_headers, "cache_info"):
        pytest.skip("this release itself keeps every client whose headers were read")

    def kept(copies: int) -> int:
        for _ in range(copies):
            client.copy().with_options(timeout=5).beta.threads.runs.create  # noqa: B018
        gc.collect()
        return len(gc.get_objects())

    # The collector walks all that the tests before have left, three times: that is what takes long.
    kept(3)  # what is made once
    few, many = kept(1), kept(20)
    assert many - few < 20  # less than one object a copy
    unpatch(client)


# ---------------------------------------------------------------- what tracers see


def by_wrapt(function: Any, seen: list[str]) -> Any:
    def watcher(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append(wrapped.__name__)
        return wrapped(*args, **kwargs)

    return wrapt.FunctionWrapper(function, watcher)


def by_closure(function: Any, seen: list[str]) -> Any:
    @functools.wraps(function)
    def watcher(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(function.__name__)
        return function(self, *args, **kwargs)

    return watcher


@pytest.mark.parametrize("wrap", [by_wrapt, by_closure], ids=["wrapt", "closure"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_tracer_sees_each_request_of_a_polling_helper(
    colour: Colour, server: Loopback, monkeypatch: pytest.MonkeyPatch, when: str, wrap: Any
) -> None:
    statuses = iter(["queued", "in_progress", "completed"])
    server.on("POST", ".*", lambda _: Reply.json({**RUN, "status": "queued"}))
    server.on("GET", ".*", lambda _: Reply.json({**RUN, "status": next(statuses)}))
    client = colour.bare(server.url)
    owner = type(client.beta.threads.runs)
    seen: list[str] = []
    if when == "after":
        patch(client)
    for name in ("create", "retrieve"):
        monkeypatch.setattr(owner, name, wrap(vars(owner)[name], seen))
    runs = patch(client).beta.threads.runs
    run = await colour.of(
        runs.create_and_poll(thread_id="thread_1", assistant_id="asst_1", poll_interval_ms=1)
    )
    assert run.status == "completed"
    assert seen == ["create", "retrieve", "retrieve", "retrieve"]
    assert len(server.requests) == 4


async def test_a_tracer_that_closes_over_the_sdk_sees_a_stream(
    colour: Colour, streams: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    client = colour.client(streams.url)
    owner = type(client.beta.threads.runs)
    monkeypatch.setattr(owner, "create", by_closure(vars(owner)["create"], seen))
    assert await streams_now(colour, client)
    assert seen == ["create"]


@pytest.mark.parametrize(
    ("path", "args", "kwargs"),
    [
        ("beta.threads.runs.poll", ("run_1", "thread_1"), {"poll_interval_ms": 5}),
        ("beta.threads.messages.delete", ("msg_1",), {"thread_id": "thread_1"}),
        ("vector_stores.retrieve", ("vs_1",), {}),
        ("vector_stores.files.create", ("vs_1",), {"file_id": "file-1"}),
        ("vector_stores.files.create_and_poll", ("file-1",), {"vector_store_id": "vs_1"}),
        ("vector_stores.file_batches.poll", ("vsfb_1",), {"vector_store_id": "vs_1"}),
        ("vector_stores.file_batches.create_and_poll", ("vs_1",), {"file_ids": ["file-1"]}),
        ("beta.threads.messages.with_raw_response.delete", ("msg_1",), {"thread_id": "thread_1"}),
        ("vector_stores.with_raw_response.search", ("vs_1",), {"query": "x"}),
    ],
)
async def test_a_tracer_can_bind_a_call_to_the_signature(
    colour: Colour, streams: Loopback, path: str, args: tuple[str, ...], kwargs: dict[str, Any]
) -> None:
    method = resolve(colour.client(streams.url), path)
    assert method.__name__ == path.rpartition(".")[2]
    signature = inspect.signature(method)
    assert set(signature.bind(*args, **kwargs).arguments) == {
        *list(signature.parameters)[: len(args)],
        *kwargs,
    }
    with pytest.raises(TypeError):
        signature.bind(**kwargs)


async def test_signatures_show_what_is_taken(colour: Colour, streams: Loopback) -> None:
    client = colour.client(streams.url)
    runs = client.beta.threads.runs
    names = {
        name: set(inspect.signature(method).parameters)
        for name, method in {
            "create": runs.create,
            "stream": runs.stream,
            "poll": runs.poll,
            "create_and_poll": runs.create_and_poll,
            "upload_and_poll": client.vector_stores.files.upload_and_poll,
            "list": client.beta.threads.messages.list,
        }.items()
    }
    waits = {"poll_interval_ms", "max_wait_seconds", "on_poll"}
    assert {"thread_id", "assistant_id", "stream", "extra_headers", "reasoning_effort"} <= names["create"]
    assert {"thread_id", "assistant_id", "event_handler"} <= names["stream"]
    assert {"run_id", "thread_id", *waits} <= names["poll"]
    assert {"thread_id", "assistant_id", *waits} <= names["create_and_poll"]
    assert {"vector_store_id", "file", *waits} <= names["upload_and_poll"]
    assert {"thread_id", "limit", "stream", "max_wait_seconds"} <= names["list"]
    for name in ("create", "stream", "poll", "create_and_poll"):
        method = getattr(runs, name)
        assert (method.__name__, method.__qualname__) == (name, f"{type(runs).__name__}.{name}")
        assert not {"args", "kwargs", "_", "__"} & names[name]
