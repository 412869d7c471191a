"""Spans and metrics of OpenTelemetry, by its semantic conventions for HTTP and for generative AI."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .._engine.effects import Events, Steps, Work
from .._engine.observer import Observer, Seen
from .._engine.port import Json, Upstream
from .conversations import Conversations
from .noting import noting
from .run_log import ENDED
from .tracing import NAME, Tracing
from .waiting import Waiting

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNSEEN = "/health"
_FLUSH_MS = 1500


class OpenTelemetry(Tracing, Observer):
    """Watches a backend with OpenTelemetry: ``LocalBackend(observer=OpenTelemetry())``.

    The providers are the process's own where none are given. What users and models say is in no span unless
    ``content`` asks for it, or the environment's ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` where
    that is None. Raises ImportError where OpenTelemetry is not installed.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        content: bool | None = None,
    ) -> None:
        super().__init__(tracer_provider, meter_provider, content)
        self._waiting = Waiting(self)

    def request(
        self, method: str, path: str, headers: Mapping[str, str], *, served: bool
    ) -> AbstractContextManager[Seen]:
        if path.startswith(_UNSEEN):
            return nullcontext(Seen())
        return self._requested(method, headers, served)

    @contextmanager
    def _requested(self, method: str, headers: Mapping[str, str], served: bool) -> Iterator[Seen]:
        kind = self._trace.SpanKind.SERVER if served else self._trace.SpanKind.INTERNAL
        parent = self._propagate.extract(headers) if served else None
        seen, began = Seen(), time.monotonic()
        if method not in _METHODS:  # anybody may make up any number of others
            method = "_OTHER"
        told: dict[str, str | int] = {"http.request.method": method}
        with self.tracer.start_as_current_span(method, parent, kind, told) as span:
            try:
                yield seen
            finally:
                if seen.route:
                    span.update_name(f"{method} {seen.route}")
                    told["http.route"] = seen.route
                if seen.status:
                    told["http.response.status_code"] = seen.status
                if seen.status >= 500:
                    span.set_status(self._trace.StatusCode.ERROR)
                    told["error.type"] = str(seen.status)
                span.set_attributes(told)
                if seen.project:
                    span.set_attribute(f"{NAME}.project", seen.project)
                if served:
                    self.instruments.request(time.monotonic() - began, told)

    def work(self, work: Work) -> Work:
        if work.run is None:
            return work
        return replace(work, steps=self._run(work, self._context.get_current(), time.time()))

    def upstream(self, upstream: Upstream) -> Upstream:
        return Conversations(self, upstream)

    def taken_over(self, run: Json, project: str) -> None:
        self.instruments.taken_over(project)

    def flush(self) -> None:
        for provider in self._providers:
            flush = getattr(provider, "force_flush", None)  # the SDK's have it
            if flush is not None:
                flush(_FLUSH_MS)

    def _run(self, work: Work, parent: Context, asked_at: float) -> Steps[Events]:
        run, project = work.run, work.project or ""
        again = run["started_at"] is not None
        told: dict[str, Json] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": run["assistant_id"],
            "gen_ai.conversation.id": run["thread_id"],
            "gen_ai.request.model": run["model"],
            f"{NAME}.run.id": run["id"],
        }
        if project:
            told[f"{NAME}.project"] = project
        span = self.tracer.start_span("invoke_agent", parent, attributes=told)
        context = self.within(span, parent)
        began = time.monotonic()
        self.instruments.queued(max(0.0, time.time() - asked_at), run["model"], project)
        self._runs[run["id"]] = context, began
        if again:
            self._waiting.ended(run["id"], context)
        try:
            note = partial(self._note, span, run, project, began)
            return (yield from noting(work.steps, note))
        except BaseException as error:
            self.failed(span, type(error).__name__)
            raise
        finally:
            self._runs.pop(run["id"], None)
            span.end()

    def _note(self, span: Span, run: Json, project: str, began: float, ended: Json) -> None:
        """Notes what has become of the run."""
        status = ended["status"]
        span.set_attribute(f"{NAME}.run.status", status)
        usage = ended.get("usage") or {}
        for name, ours in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            if ours in usage:
                span.set_attribute(f"gen_ai.usage.{name}_tokens", usage[ours])
        if status == "requires_action":
            self._waiting.began(ended)
        if status in ("failed", "expired"):
            error = ended.get("last_error") or {}
            self.failed(span, error.get("code") or status, error.get("message", "") if self.content else "")
        if status in ENDED:
            self.instruments.ended(status, time.monotonic() - began, run["model"], project)
