"""What an observer sees of a backend: OpenTelemetry's own SDK holds it in memory; and the log of runs."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from streaming_assistants.backend._engine.port import ContentDelta, Sleep, Turn
from tests.backend import fakes
from tests.loopback import Loopback

from .conftest import WEATHER, Api
from .test_file_search_runs import filled

pytest.importorskip("opentelemetry.sdk", reason="needs streaming_assistants[otel]")

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streaming_assistants.backend import OpenTelemetry

pytestmark = pytest.mark.anyio
MakeApi = Callable[..., Api]

SECRET = "the launch code is 8812"


class Watched:
    """An observer, and what it has told OpenTelemetry."""

    def __init__(self, **options: Any) -> None:
        self.exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")
        meters = MeterProvider([self._reader])
        self.observer = OpenTelemetry(tracer_provider=provider, meter_provider=meters, **options)

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        (span,) = self.spans(name)
        return span

    def metrics(self) -> dict[str, Any]:
        data: Any = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: metric.data.data_points for scope in scopes for metric in scope.metrics}


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


async def ended(api: Api, run: Any) -> Any:
    """The run, and the job that drove it has ended as well."""
    run = await api.settled(run)
    await api.aclose()
    return run


async def test_a_run_is_one_trace_from_the_caller_to_the_upstream(
    make_api: MakeApi, server: Loopback
) -> None:
    watched = Watched()
    fakes.serve_chat(server, fakes.chat_text("Hello"))
    api = make_api("chat", client={"base_url": server.url}, observer=watched.observer)
    assistant_id, thread_id = await api.assistant(tools=[], temperature=0.5), await api.thread(SECRET)
    with watched.tracer.start_as_current_span("the program"):
        run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    run = await ended(api, run)

    program, request = watched.span("the program"), watched.span("POST /threads/{thread_id}/runs")
    agent, turn, chat = watched.span("invoke_agent"), watched.span("turn"), watched.span("chat gpt-4o")
    assert [parent(each) for each in (request, agent, turn, chat)] == [
        id_of(each) for each in (program, request, agent, turn)
    ]
    sent = server.requests[-1].headers["traceparent"]
    assert sent.startswith(f"00-{program.context.trace_id:032x}-{id_of(chat):016x}-")

    assert told(request)["http.response.status_code"] == 200
    assert told(agent) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": assistant_id,
        "gen_ai.conversation.id": thread_id,
        "gen_ai.request.model": "gpt-4o",
        "streaming_assistants.run.id": run["id"],
        "streaming_assistants.run.status": "completed",
        "gen_ai.usage.input_tokens": run["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": run["usage"]["completion_tokens"],
    }
    assert chat.kind is trace.SpanKind.CLIENT
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.output_tokens": run["usage"]["completion_tokens"],
        "gen_ai.response.finish_reasons": ("stop",),
    }.items() <= told(chat).items()
    assert told(turn)["streaming_assistants.time_to_first_token"] > 0

    metrics = watched.metrics()
    (runs,) = metrics["streaming_assistants.runs"]
    assert runs.value == 1
    assert runs.attributes["streaming_assistants.run.status"] == "completed"
    for name in (
        "gen_ai.server.time_to_first_token",
        "gen_ai.client.operation.duration",
        "streaming_assistants.run.queue_time",
        "streaming_assistants.run.duration",
    ):
        assert [point.count for point in metrics[name]] == [1], name
    assert {point.attributes["gen_ai.token.type"] for point in metrics["gen_ai.client.token.usage"]} == {
        "input",
        "output",
    }


@pytest.mark.any_sdk
def test_nobody_needs_it_who_does_not_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys, streaming_assistants.backend as b; b.LocalBackend('echo').close()"
    code += "; sys.exit('opentelemetry' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"pip install 'streaming_assistants\[otel\]'"):
        OpenTelemetry()


@pytest.mark.any_sdk
@pytest.mark.parametrize("content", [False, True])
async def test_what_is_said_is_in_no_span_unless_somebody_asks_for_it(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch, content: bool
) -> None:
    if content:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    watched = Watched()
    api = make_api("echo", observer=watched.observer)
    run = await api.run(SECRET, {"tools": [], "instructions": f"Say that {SECRET}."})
    await ended(api, run)
    spans = [span.to_json() for span in watched.exporter.get_finished_spans()]
    assert any("launch code" in each for each in spans) is content
    turn = told(watched.span("turn"))
    assert {name for name in turn if name.endswith(("messages", "instructions"))} == (
        {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"}
        if content
        else set()
    )


@pytest.mark.any_sdk
async def test_a_tool_of_the_client_is_a_span_from_its_call_to_its_output(make_api: MakeApi) -> None:
    watched = Watched()
    api = make_api("echo", observer=watched.observer)
    run = await api.run(
        "weather", {"tools": [WEATHER]}, tool_choice={"type": "function", "function": {"name": "get_weather"}}
    )
    run = await api.settled(run)
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": SECRET}]}
    run = await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs", outputs)
    await ended(api, run)
    stretches = watched.spans("invoke_agent")
    statuses = [told(each)["streaming_assistants.run.status"] for each in stretches]
    assert statuses == ["requires_action", "completed"]
    tool = watched.span("execute_tool get_weather")
    assert parent(tool) == id_of(stretches[1])
    assert told(tool)["gen_ai.tool.call.id"] == call["id"]
    assert [point.value for point in watched.metrics()["streaming_assistants.runs"]] == [1]


@pytest.mark.any_sdk
async def test_a_search_is_a_span_within_its_tool(make_api: MakeApi, server: Loopback) -> None:
    watched = Watched()
    fakes.serve_searching_chat(server)
    api = make_api("chat", client={"base_url": server.url}, observer=watched.observer)
    store = await filled(api)
    resources = {"file_search": {"vector_store_ids": [store]}}
    run = await api.run("tacos", {"tools": [{"type": "file_search"}], "tool_resources": resources})
    assert (await ended(api, run))["status"] == "completed"
    search, turn = watched.span("retrieval"), watched.span("turn")
    assert told(search)["gen_ai.data_source.id"] == store
    assert told(search)["streaming_assistants.search.results"] > 0
    assert "tacos" not in search.to_json()
    tool = watched.span("execute_tool file_search")
    assert (parent(search), parent(tool)) == (id_of(tool), id_of(turn))
    assert len(watched.spans("chat gpt-4o")) == 2


@pytest.mark.any_sdk
async def test_what_fails_is_told_by_its_kind_alone(make_api: MakeApi, server: Loopback) -> None:
    watched = Watched()
    fakes.serve_chat(server, fakes.http_error(429, f"No: {SECRET}"))
    api = make_api("chat", client={"base_url": server.url, "max_retries": 0}, observer=watched.observer)
    run = await ended(api, await api.run("x", {"tools": []}))
    assert run["status"] == "failed"
    chat, agent = watched.span("chat gpt-4o"), watched.span("invoke_agent")
    assert told(chat)["error.type"] == "429"
    assert told(agent)["error.type"] == "rate_limit_exceeded"
    assert agent.status.status_code is trace.StatusCode.ERROR
    assert not any("launch code" in span.to_json() for span in watched.exporter.get_finished_spans())


@pytest.mark.any_sdk
async def test_a_run_has_a_line_in_the_log_where_it_begins_and_where_it_ends(
    make_api: MakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api = make_api("echo")
    await ended(api, await api.run(SECRET, {"tools": []}))
    assert not [record for record in caplog.records if hasattr(record, "run")]
    caplog.set_level(logging.INFO, "streaming_assistants")
    api = make_api("echo")
    run = await ended(api, await api.run(SECRET, {"tools": [], "model": "a model\nof two lines"}))
    began, end = [record for record in caplog.records if hasattr(record, "run")]
    ids = {"run_id": run["id"], "thread_id": run["thread_id"], "assistant_id": run["assistant_id"]}
    assert ids.items() <= began.run.items()  # type: ignore[attr-defined]
    assert {**ids, "event": "ended", "status": "completed"}.items() <= end.run.items()  # type: ignore[attr-defined]
    assert end.run["completion_tokens"] == run["usage"]["completion_tokens"]  # type: ignore[attr-defined]
    assert end.run["seconds"] >= 0  # type: ignore[attr-defined]
    assert end.getMessage().startswith(f"Run ended: run_id={run['id']} ")
    assert "launch code" not in caplog.text
    assert "\n" not in end.getMessage()


def stalls(turn: Turn) -> Any:
    yield ContentDelta({"index": 0, "type": "text", "text": {"value": "Half a"}})
    while True:
        yield Sleep(0.2)


@pytest.mark.any_sdk
@pytest.mark.parametrize("callers", [False, True])
async def test_a_run_that_is_taken_over_is_counted_and_one_with_its_callers_key_ends(
    make_api: MakeApi, tmp_path: Path, callers: bool
) -> None:
    watched = Watched()
    api = make_api(stalls, tmp_path / "s.db", observer=watched.observer)
    run = await api.run("x", {"tools": []})
    with anyio.fail_after(20):
        while len(await api.messages(run["thread_id"])) < 2:
            await anyio.sleep(0.01)
    with api.backend.store.write() as tx:
        row = tx.get("runs", run["id"], lock=True)
        assert row is not None
        key = {"upstream_key": "caller"} if callers else {}
        tx.change("runs", run["id"], {}, row=row, owner="owner_gone", hidden={**row["hidden"], **key})
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    run = await api.get(path)
    assert [point.value for point in watched.metrics()["streaming_assistants.lease.takeovers"]] == [1]
    if callers:
        run = await api.settled(run)
        assert run["status"] == "failed"
        assert "nobody else has the key" in run["last_error"]["message"]
    else:
        assert run["status"] == "in_progress"
        await api.settled(await api.post(f"{path}/cancel"))


def test_methods_that_anybody_makes_up_are_one() -> None:
    watched = Watched()
    for number in range(3):
        with watched.observer.request(f"MADE-UP{number}", "/v1/threads", {}, served=True) as seen:
            seen.status = 401
    (point,) = watched.metrics()["http.server.request.duration"]
    assert (point.count, point.attributes["http.request.method"]) == (3, "_OTHER")
