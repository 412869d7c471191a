"""What spans and metrics are made with, and what is known of the runs that are driven here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._engine.port import Json

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

NAME = "streaming_assistants"

_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_SAYS_YES = frozenset({"true", "1", "span_only", "span_and_event"})


class Tracing:
    """Raises ImportError where OpenTelemetry is not installed."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        content: bool | None = None,
    ) -> None:
        try:
            from opentelemetry import context, metrics, propagate, trace
        except ModuleNotFoundError as error:
            raise ImportError(
                f"OpenTelemetry needs {error.name}, which is not installed: "
                "pip install 'streaming_assistants[otel]'"
            ) from None

        from .instruments import Instruments

        self._trace = trace
        self._context = context
        self._propagate = propagate
        tracers = tracer_provider or trace.get_tracer_provider()
        meters = meter_provider or metrics.get_meter_provider()
        self._providers = (tracers, meters)
        self.tracer = trace.get_tracer(NAME, tracer_provider=tracers)
        self.instruments = Instruments(metrics.get_meter(NAME, meter_provider=meters))
        asked = os.environ.get(_CONTENT, "").lower() in _SAYS_YES
        self.content: bool = asked if content is None else content
        self._runs: dict[str, tuple[Context, float]] = {}  # under way, each with its span and when it began

    def within(self, span: Span, parent: Context | None = None) -> Context:
        """The context of what a span holds."""
        return self._trace.set_span_in_context(span, parent)

    def of_run(self, run_id: str) -> tuple[Context | None, float | None]:
        """The context of what a run does that is driven here, and when it began to be driven, on the
        monotonic clock."""
        return self._runs.get(run_id, (None, None))

    def carried(self, context: Context) -> dict[str, str]:
        """The headers that tell another server of a context."""
        headers: dict[str, str] = {}
        self._propagate.inject(headers, context)
        return headers

    def failed(self, span: Span, kind: str, message: str = "") -> None:
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.StatusCode.ERROR, message or None)

    def client_kind(self) -> Json:
        return self._trace.SpanKind.CLIENT
