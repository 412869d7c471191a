"""Which of the SDK's own methods need help to say what today's API expects: parameters, and the version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._resources import adapted as adapt
from streaming_assistants._resources import operations as requests
from streaming_assistants._sdk.untyped import AnyClient, HttpRequest, Method

from .capability import Capability, resolve
from .display import OURS, Judgement
from .judge import Act, Beat, Stage, Story


def _includes(stage: Stage) -> None:
    def answer(request: HttpRequest) -> _sdk.Answered:
        place = "body" if "include" in json.loads(request.content) else "query"
        stage.see(f"send it in the {place}")
        return 200, {"content-type": "application/json"}, b"{}"

    runs = _sdk.probe_client(answer, is_async=True).beta.threads.runs
    _sdk.run_aside(runs.create("thread_1", assistant_id="asst_1", include=["x"]))


INCLUDE = Story(Act(_includes, Beat("include= of the async runs.create", "send it in the query")))
"""From 1.55 on the SDK puts it into the body too."""


class Adaptation(NamedTuple):
    """A method of the SDK that needs help to say what today's API expects.

    ``own`` is the SDK's function, ``lacks`` the later parameters that it does not take; ``header`` is the
    ``OpenAI-Beta`` that the client speaks, where the SDK says another by itself, and ``misplaces`` whether it
    may put ``include`` into the wrong place.
    """

    resource: str
    method: str
    own: Callable[..., object]
    header: str | None
    misplaces: bool

    @property
    def path(self) -> str:
        return f"{self.resource}.{self.method}"

    @property
    def lacks(self) -> frozenset[str]:
        return adapt.lacking(self.path, _sdk.parameters(self.own))

    def capabilities(self) -> Iterator[Capability]:
        """What stands over the method for it, innermost first."""
        place, taken = (f"{self.path}()", self.resource, self.method), _sdk.parameters(self.own)
        if self.header is not None or self.lacks:
            yield Capability(*place, partial(_adapted, self.path, taken, self.header), takes=self.lacks)
        if self.misplaces:
            moved = partial(_adapted, self.path, taken - {"include"}, None)
            yield Capability(*place, moved, "include", INCLUDE)

    def judgement(self) -> Judgement | None:
        """The row of the table; None where nothing is amiss."""
        said = []
        if self.lacks:
            said.append(f"{self.method}() of the SDK lacks {', '.join(sorted(self.lacks))}")
        if self.header is not None:
            is_old = _sdk.says(self.own, "assistants=v1")
            said.append("the SDK says assistants=v1" if is_old else f"the client says {self.header}")
        why = "missing" if said else "defective"
        if self.misplaces and INCLUDE.divergence() is not None:
            said.append("the SDK sends include in the body")
        return Judgement(f"{self.path}()", OURS, f"{why}: {'; '.join(said)}") if said else None


def _adapted(path: str, taken: frozenset[str], header: str | None, _: AnyClient, below: Method) -> Method:
    return adapt.adapted(path, taken, below, header=header)


def adaptations(path: str, kind: type, *, version: str, is_async: bool, repair: bool) -> Iterator[Adaptation]:
    """The methods of a class of the SDK for the resource at ``path`` that lack a parameter, may misplace one,
    or do not say the version that the client speaks."""
    for name in _sdk.own_methods(kind):
        own = _sdk.own_method(kind, name)
        taken = _sdk.parameters(own) if own is not None else frozenset()
        # Those that call others say nothing by themselves.
        if own is None or "extra_headers" not in taken or name.endswith(("_stream", "stream", "poll")):
            continue
        header = version if version != requests.BETA or not _sdk.says(own, version) else None
        creates = (path, name) == ("beta.threads.runs", "create")
        misplaces = repair and is_async and creates and "include" in taken
        if header is not None or misplaces or adapt.lacking(f"{path}.{name}", taken):
            yield Adaptation(path, name, own, header, misplaces)


def judge_adaptations(client: AnyClient, *, repair: bool) -> Iterator[Judgement]:
    """The rows of the table that tell of them."""
    version, is_async = requests.version(client), _sdk.is_async(client)
    for path in _sdk.RESOURCES:
        kind = resolve(client, path).__class__
        for each in adaptations(path, kind, version=version, is_async=is_async, repair=repair):
            row = each.judgement()
            if row is not None:
                yield row
