"""The client around the calls: headers, copies, Azure, the module, transports, warnings."""

from __future__ import annotations

import importlib
import inspect
import warnings
from typing import Any

import openai

from tests.conformance.kit import Kit, NotApplicable, equal, own_transport, raises, text_of, unpatch
from tests.conformance.registry import Group
from tests.conformance.script import reply, sse
from tests.framings import wire
from tests.objects import (
    MESSAGES,
    ONE_RUN,
    RUN,
    RUNS,
    STEPS,
    THREAD,
    assistant,
    deleted,
    message,
    page,
    run,
    step,
    text,
    thread,
)
from tests.samples import called, closing, hello, opening

clients = Group("client")
V2 = "assistants=v2"


@clients.case()
async def threads_and_assistants(t: Kit) -> None:
    """Threads and assistants are created, retrieved, updated and deleted."""
    t.answers("POST", "/threads(/thread_1)?", reply(thread()))
    t.answers("GET", "/threads/thread_1", reply(thread()))
    t.answers("DELETE", "/threads/thread_1", reply(deleted(THREAD, "thread.deleted")))
    t.answers("POST", "/assistants(/asst_1)?", reply(assistant()))
    t.answers("GET", "/assistants/asst_1", reply(assistant()))
    t.pages("/assistants", [assistant()])
    t.answers("DELETE", "/assistants/asst_1", reply(deleted("asst_1", "assistant.deleted")))
    beta = t.client().beta
    for call in (
        beta.threads.create(),
        beta.threads.retrieve(THREAD),
        beta.threads.update(THREAD, metadata={}),
        beta.threads.delete(THREAD),
    ):
        equal((await t.value(call)).id, THREAD)
    for call in (
        beta.assistants.create(model="gpt-4o"),
        beta.assistants.retrieve("asst_1"),
        beta.assistants.update("asst_1", name="A"),
        beta.assistants.delete("asst_1"),
    ):
        equal((await t.value(call)).id, "asst_1")
    equal([one.id async for one in t.each(beta.assistants.list())], ["asst_1"])


@clients.case()
async def runs_and_steps(t: Kit) -> None:
    """Runs are retrieved, listed, updated and cancelled, run steps retrieved and listed."""
    t.answers("GET", ONE_RUN, reply(run()))
    t.pages(RUNS, [run()])
    t.answers("POST", ONE_RUN, reply(run(metadata={"k": "v"})))
    t.answers("POST", f"{ONE_RUN}/cancel", reply(run("cancelling")))
    t.pages(STEPS, [step()])
    t.answers("GET", f"{STEPS}/step_1", reply(step()))
    runs = t.client().beta.threads.runs
    equal((await t.value(runs.retrieve(RUN, thread_id=THREAD))).status, "completed")
    equal([one.id async for one in t.each(runs.list(THREAD))], [RUN])
    equal((await t.value(runs.update(RUN, thread_id=THREAD, metadata={"k": "v"}))).metadata, {"k": "v"})
    equal((await t.value(runs.cancel(RUN, thread_id=THREAD))).status, "cancelling")
    equal([one.id async for one in t.each(runs.steps.list(RUN, thread_id=THREAD))], ["step_1"])
    equal((await t.value(runs.steps.retrieve("step_1", thread_id=THREAD, run_id=RUN))).status, "completed")


# the header ----------------------------------------------------------------------------------------------


def _beta_headers(t: Kit) -> set[str | None]:
    return {request["headers"].get("openai-beta") for request in t.seen()}


@clients.case()
async def header_of_ordinary_calls(t: Kit) -> None:
    """Ordinary Assistants requests carry `OpenAI-Beta: assistants=v2`."""
    t.answers("POST", RUNS, reply(run()))
    t.answers("POST", "/threads", reply(thread()))
    t.answers("POST", "/assistants", reply(assistant()))
    t.answers("GET", ONE_RUN, reply(run()))
    t.answers("GET", MESSAGES, reply(page(message(text("Hi")))))
    t.answers("GET", STEPS, reply(page(step())))
    beta = t.client().beta
    await t.value(beta.threads.create())
    await t.value(beta.assistants.create(model="gpt-4o"))
    await t.value(beta.threads.runs.create(THREAD, assistant_id="asst_1"))
    await t.value(beta.threads.runs.retrieve(RUN, thread_id=THREAD))
    await t.value(beta.threads.messages.list(THREAD))
    await t.value(beta.threads.runs.steps.list(RUN, thread_id=THREAD))
    equal((_beta_headers(t), len(t.seen())), ({V2}, 6))


@clients.case()
async def header_of_streams(t: Kit) -> None:
    """Streamed Assistants requests carry `OpenAI-Beta: assistants=v2`."""
    await t.read(wire(hello()))
    await t.play(wire(hello()))
    equal(_beta_headers(t), {V2})


@clients.case()
async def header_of_polling(t: Kit) -> None:
    """Polling requests carry `OpenAI-Beta: assistants=v2`."""
    t.answers("GET", ONE_RUN, reply(run()))
    await t.value(t.client().beta.threads.runs.poll(RUN, thread_id=THREAD))
    equal(_beta_headers(t), {V2})


@clients.case()
async def header_of_the_caller(t: Kit) -> None:
    """An `OpenAI-Beta` header given by the caller wins, streamed or not."""
    t.answers("GET", ONE_RUN, reply(run()))
    t.streams(wire(hello()))
    client = t.client()
    mine = {"extra_headers": {"OpenAI-Beta": "assistants=v9"}}
    await t.value(client.beta.threads.runs.retrieve(RUN, thread_id=THREAD, **mine))
    await t.list(await t.raw(client, **mine))
    equal(_beta_headers(t), {"assistants=v9"})


@clients.case()
async def key_and_extras_are_sent(t: Kit) -> None:
    """Streams carry the key, default headers and the `extra_*` arguments as any request does."""
    t.streams(wire(hello()))
    client = t.client(default_headers={"x-default": "1"}, organization="org-1")
    extras = {"extra_headers": {"x-mine": "2"}, "extra_query": {"q": "3"}, "extra_body": {"region": "eu"}}
    async with t.entered(t.managed(client, **extras)) as stream:
        await t.value(stream.until_done())
    (request,) = t.seen()
    sent = request["headers"]
    equal((sent["authorization"], sent["openai-organization"]), ("Bearer sk-conformance", "org-1"))
    equal((sent["x-default"], sent["x-mine"], request["query"]), ("1", "2", {"q": "3"}))
    equal(request["json"], {"assistant_id": "asst_1", "region": "eu", "stream": True})


# copies --------------------------------------------------------------------------------------------------


@clients.case()
async def with_options_streams(t: Kit) -> None:
    """The client that `with_options()` gives streams."""
    equal(text_of(await t.read(wire(hello()), client=t.client().with_options(timeout=9))), "Hello")


@clients.case()
async def copies_stream(t: Kit) -> None:
    """The client that `copy()` gives drives a handler."""
    handler = await t.play(wire(hello()), client=t.client().copy())
    equal(handler.calls.texts("on_text_done"), ["Hello"])


@clients.case("copies_lose_repairs")
async def copies_are_repaired(t: Kit) -> None:
    """Clients from `with_options()` and `copy()`, and copies of copies, are free of the defects too."""
    client = t.client()
    for copied in (client.with_options(timeout=9), client.copy(), client.copy().with_options(max_retries=1)):
        handler = await t.play(wire([*opening(), *called("f", "{}"), *closing()]), client=copied)
        equal(handler.calls.count("on_tool_call_done"), 1)


# Azure ---------------------------------------------------------------------------------------------------


def azure(t: Kit, **options: Any) -> Any:
    endpoint = {"azure_endpoint": t.realm.url, "api_version": "2024-05-01-preview", "api_key": "azure-key"}
    transport = own_transport(is_async=t.is_async)
    return t.adopt(t.sdk_client(azure=True, **{**endpoint, **transport, **options}))


@clients.case()
async def azure_streams(t: Kit) -> None:
    """`AzureOpenAI` streams from `/openai/threads` with its api version and key."""
    t.streams(wire(hello()), path=f"/openai{RUNS}")
    equal(text_of(await t.list(await t.raw(azure(t)))), "Hello")
    (request,) = t.seen()
    equal(
        (request["query"]["api-version"], request["headers"]["api-key"]), ("2024-05-01-preview", "azure-key")
    )


@clients.case("azure_deployment_breaks_threads")
async def azure_with_a_deployment(t: Kit) -> None:
    """`AzureOpenAI(azure_deployment=)` reaches `/openai/threads` and not the deployment's path."""
    t.answers("GET", f"/openai{ONE_RUN}", reply(run()))
    t.streams(wire(hello()), path=f"/openai{RUNS}")
    client = azure(t, azure_deployment="gpt-4o")
    equal((await t.value(client.beta.threads.runs.retrieve(RUN, thread_id=THREAD))).status, "completed")
    equal(text_of(await t.list(await t.raw(client))), "Hello")


# the module ----------------------------------------------------------------------------------------------


@clients.case(only="sync")
async def the_module_is_a_client(t: Kit) -> None:
    """`openai.beta.threads` of the module streams, also after `openai.base_url` and `api_key` change."""
    t.streams(wire(hello()))
    t.answers("POST", f"/other{RUNS}", sse(wire(hello())))
    before = openai.api_key, openai.base_url, openai.http_client
    openai.http_client = own_transport(is_async=False).get("http_client")
    if t.patched:
        importlib.import_module("streaming_assistants").patch(openai)
    try:
        for key, url in (("sk-one", t.realm.url), ("sk-two", f"{t.realm.url}/other")):
            openai.api_key, openai.base_url = key, url + "/"
            stream = openai.beta.threads.runs.create(THREAD, assistant_id="asst_1", stream=True)
            equal(text_of(stream), "Hello")
    finally:
        if t.patched:
            unpatch(openai)
        openai.api_key, openai.base_url, openai.http_client = before
    equal([request["headers"]["authorization"] for request in t.seen()], ["Bearer sk-one", "Bearer sk-two"])


# transports ----------------------------------------------------------------------------------------------


@clients.case()
async def an_httpx_client_of_ones_own(t: Kit) -> None:
    """`http_client=` with a client of httpx, of any release, works for calls and streams."""
    try:
        httpx = importlib.import_module("httpx")
    except ImportError:
        raise NotApplicable("httpx is not installed") from None
    kind = httpx.AsyncClient if t.is_async else httpx.Client
    t.answers("GET", ONE_RUN, reply(run()))
    client = t.client(http_client=kind())
    equal((await t.value(client.beta.threads.runs.retrieve(RUN, thread_id=THREAD))).status, "completed")
    equal(text_of(await t.read(wire(hello()), client=client)), "Hello")


@clients.case()
async def the_transports_own_client(t: Kit) -> None:
    """`http_client=` with a client of the SDK's own transport works for calls and streams."""
    t.answers("GET", ONE_RUN, reply(run()))
    plain = t.client()
    kind = next(k for k in type(plain._client).__mro__ if k.__module__.partition(".")[0].startswith("httpx"))
    client = t.client(http_client=kind())
    equal((await t.value(client.beta.threads.runs.retrieve(RUN, thread_id=THREAD))).status, "completed")
    equal(text_of(await t.read(wire(hello()), client=client)), "Hello")


# warnings ------------------------------------------------------------------------------------------------


@clients.case("deprecations_point_inside")
async def deprecation_warnings_of_helpers(t: Kit) -> None:
    """A stream or polling helper gives at most one deprecation warning, which points at the caller's line."""
    t.streams(wire(hello()))
    t.answers("GET", ONE_RUN, reply(run("queued")), reply(run("queued")), reply(run()))
    client = t.client()
    client.beta.threads.runs.steps  # noqa: B018 - what is imported on first use may warn too
    runs = client.beta.threads.runs
    with t.naps(), warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        async with t.entered(runs.stream(thread_id=THREAD, assistant_id="asst_1")) as stream:
            await t.value(stream.until_done())
        _at_most_one(noted)
        noted.clear()
        await t.value(runs.poll(RUN, thread_id=THREAD))
        _at_most_one(noted)


def _at_most_one(noted: list[warnings.WarningMessage]) -> None:
    found = [one for one in noted if issubclass(one.category, DeprecationWarning)]
    lines = [f"{one.filename.rpartition(chr(47))[2]}:{one.lineno}" for one in found]
    assert len(found) <= 1, f"{len(found)} warnings for one call, at {lines}"
    here = inspect.getsourcefile(deprecation_warnings_of_helpers)
    assert all(one.filename == here for one in found), f"points at {found[0].filename}:{found[0].lineno}"


@clients.case()
async def unknown_arguments_are_refused(t: Kit) -> None:
    """An argument that no SDK knows is a TypeError, streamed or not, and nothing is sent."""
    runs = t.client().beta.threads.runs
    for stream in ({}, {"stream": True}):
        with raises(TypeError):
            await t.value(runs.create(THREAD, assistant_id="asst_1", colour="red", **stream))
    equal(t.seen(), [])
