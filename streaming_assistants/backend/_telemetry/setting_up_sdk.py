"""OpenTelemetry's SDK, set up as its own environment variables say, for a program that is nobody else's."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

_CONFIGURATORS = "opentelemetry_configurator"
_DEFAULTS = {
    "OTEL_SERVICE_NAME": "streaming_assistants",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
}


def set_up_sdk() -> None:
    """Has the SDK do what ``opentelemetry-instrument`` has it do, unless somebody has done so already.

    Raises ImportError where the SDK or the exporter that is asked for is not installed.
    """
    try:
        from opentelemetry import trace
    except ModuleNotFoundError as error:
        raise _missing(str(error.name)) from None
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    found = {entry.name: entry for entry in entry_points(group=_CONFIGURATORS)}
    configurator = found.get("configurator") or next(iter(found.values()), None)
    if configurator is None:
        raise _missing("opentelemetry.sdk")
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        configurator.load()().configure()
    except RuntimeError as error:  # which is what the SDK says of an exporter that it does not find
        raise ImportError(
            f"OpenTelemetry cannot send anything: {error}. pip install opentelemetry-exporter-otlp, or set "
            "OTEL_TRACES_EXPORTER and OTEL_METRICS_EXPORTER"
        ) from None


def _missing(name: str) -> ImportError:
    return ImportError(
        f"OpenTelemetry needs {name}, which is not installed: pip install 'streaming_assistants[otel]'"
    )
