"""The metrics, under the names that the conventions have for them and under ours where they have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._engine.port import Json

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

# The buckets that the conventions recommend.
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

_MODEL = "gen_ai.request.model"
_PROJECT = "streaming_assistants.project"


class Instruments:
    """Times are in seconds."""

    def __init__(self, meter: Meter) -> None:
        def seconds(name: str, what: str, buckets: tuple[float, ...] = _SECONDS) -> Json:
            given = {"explicit_bucket_boundaries_advisory": buckets}
            return meter.create_histogram(name, "s", what, **given)  # type: ignore[arg-type,unused-ignore]

        self._requests = seconds("http.server.request.duration", "Duration of HTTP requests", _REQUEST)
        self._runs = meter.create_counter("streaming_assistants.runs", "{run}", "Runs that have ended")
        self._durations = seconds("streaming_assistants.run.duration", "How long runs were driven")
        self._queued = seconds("streaming_assistants.run.queue_time", "How long runs waited to be driven")
        self._takeovers = meter.create_counter(
            "streaming_assistants.lease.takeovers", "{run}", "Runs taken over from a driver that is gone"
        )
        self._first = seconds(
            "gen_ai.server.time_to_first_token", "From a run's start to its first token", _FIRST_TOKEN
        )
        self._operations = seconds("gen_ai.client.operation.duration", "Duration of requests for inference")
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens that inference used",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def request(self, took: float, told: Mapping[str, str | int]) -> None:
        self._requests.record(took, dict(told))

    def queued(self, took: float, model: str, project: str) -> None:
        self._queued.record(took, _of(model, project))

    def ended(self, status: str, took: float, model: str, project: str) -> None:
        told = {**_of(model, project), "streaming_assistants.run.status": status}
        self._runs.add(1, told)
        self._durations.record(took, told)

    def taken_over(self, project: str) -> None:
        self._takeovers.add(1, {_PROJECT: project} if project else {})

    def first_token(self, took: float, told: Mapping[str, Json]) -> None:
        self._first.record(took, _of_inference(told))

    def asked(self, took: float, told: Mapping[str, Json]) -> None:
        self._operations.record(took, _of_inference(told))

    def used(self, usage: Json, told: Mapping[str, Json]) -> None:
        for kind, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            if usage.get(name) is not None:
                self._tokens.record(usage[name], {**_of_inference(told), "gen_ai.token.type": kind})


def _of(model: str, project: str) -> dict[str, str]:
    return {_MODEL: model, _PROJECT: project} if project else {_MODEL: model}


def _of_inference(told: Mapping[str, Json]) -> dict[str, Json]:
    names = ("gen_ai.operation.name", "gen_ai.provider.name", _MODEL, "error.type")
    return {name: told[name] for name in names if name in told}
