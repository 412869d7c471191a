"""OpenTelemetry's SDK, set up as its own environment variables say, for a program that is nobody else's."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


def set_up_sdk() -> None:
    """Has spans and metrics exported as ``OTEL_TRACES_EXPORTER``, ``OTEL_METRICS_EXPORTER`` (``otlp`` where
    they are not set) and the others of the SDK's variables say, unless somebody has set it up already, as
    ``opentelemetry-instrument`` does.

    Raises ImportError where the SDK or an exporter that is asked for is not installed.
    """
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ImportError(
            f"OpenTelemetry needs {error.name}, which is not installed: "
            "pip install 'streaming_assistants[otel]'"
        ) from None
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", "streaming_assistants")
    spans = _exporters("traces")
    readings = [PeriodicExportingMetricReader(exporter()) for exporter in _exporters("metrics")]
    tracers = TracerProvider()
    for exporter in spans:
        tracers.add_span_processor(BatchSpanProcessor(exporter()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider(readings))


def _exporters(signal: str) -> list[Callable[[], Any]]:
    """Those that are asked for."""
    asked = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp")
    installed = {entry.name: entry for entry in entry_points(group=f"opentelemetry_{signal}_exporter")}
    made = []
    for name in filter(None, map(str.strip, asked.split(","))):
        if name == "none":
            continue
        entry = next((installed[each] for each in _names(name, signal) if each in installed), None)
        if entry is None:
            raise ImportError(
                f"OpenTelemetry has no exporter {name!r} for {signal}: pip install opentelemetry-exporter-"
                "otlp-proto-http, or set OTEL_TRACES_EXPORTER and OTEL_METRICS_EXPORTER"
            )
        made.append(entry.load())
    return made


def _names(name: str, signal: str) -> list[str]:
    """What an exporter may be called among those that are installed: OTLP has one for each protocol."""
    if name != "otlp":
        return [name]
    asked = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or os.environ.get(_PROTOCOL)
    if asked is not None:
        return ["otlp_proto_grpc" if asked == "grpc" else "otlp_proto_http"]
    return ["otlp_proto_http", "otlp_proto_grpc"]
