"""Which of the SDK's own methods need help to say what today's API expects: parameters, and the version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._resources import adapted as adapt
from streaming_assistants._resources import operations as requests

from .display import OURS, Judgement
from .judge import Act, Beat, Stage, divergence
from .stories_polling import Answer
from .table import resolve

Method = Callable[..., Any]


def _asks(stage: Stage) -> None:
    def answer(request: Any) -> Answer:
        stage.see(str(request.headers.get("OpenAI-Beta")))
        return 200, {"content-type": "application/json"}, b"{}"

    _sdk.probe_client(answer).beta.threads.retrieve("thread_1")


def _includes(stage: Stage) -> None:
    def answer(request: Any) -> Answer:
        stage.see("in the body" if "include" in json.loads(request.content) else "in the query")
        return 200, {"content-type": "application/json"}, b"{}"

    runs = _sdk.probe_client(answer, is_async=True).beta.threads.runs
    _sdk.run_aside(runs.create("thread_1", assistant_id="asst_1", include=["x"]))


VERSION = (Act(_asks, Beat("a request", requests.BETA)),)
INCLUDE = (Act(_includes, Beat("include= of the async runs.create", "in the query")),)
"""From 1.55 on the SDK puts it into the body too."""


class Adaptation(NamedTuple):
    """A method of the SDK that needs help to say what today's API expects.

    ``taken`` are the parameters that it takes, ``misplaced`` those of them that it puts into the wrong place;
    ``header`` is the ``OpenAI-Beta`` that the client speaks, where the SDK says another by itself.
    """

    resource: str
    method: str
    taken: frozenset[str]
    header: str | None
    misplaced: frozenset[str]

    @property
    def path(self) -> str:
        return f"{self.resource}.{self.method}"

    def make(self, below: Method) -> Method:
        return adapt.adapted(self.path, self.taken - self.misplaced, below, header=self.header)

    @property
    def later(self) -> frozenset[str]:
        return adapt.lacking(self.path, self.taken)

    def judgement(self) -> Judgement:
        later = sorted(adapt.lacking(self.path, self.taken))
        said = [f"{self.method}() of the SDK lacks {', '.join(later)}"] if later else []
        if self.header is not None:
            said += [
                "the SDK says assistants=v1" if divergence(VERSION) else f"the client says {self.header}"
            ]
        why = "missing" if said else "defective"
        said += [f"the SDK sends {name} in the body" for name in sorted(self.misplaced)]
        return Judgement(f"{self.path}()", OURS, f"{why}: {'; '.join(said)}")


def adaptations(client: object, *, repair: bool = True) -> Iterator[Adaptation]:
    """The methods of the installed SDK that lack a parameter, misplace one, or say v1."""
    wanted = requests.version(client)
    header = wanted if divergence(VERSION) or wanted != requests.BETA else None
    for path in _sdk.RESOURCES:
        resource = resolve(client, path)
        owner: Any = _sdk.as_shipped(type(resource))
        for name in _methods(owner):
            taken = _sdk.parameters(getattr(owner, name))
            create = repair and (path, name) == ("beta.threads.runs", "create") and _sdk.is_async(client)
            includes = create and "include" in taken and divergence(INCLUDE)
            misplaced = frozenset({"include"} if includes else ())
            if header is not None or misplaced or adapt.lacking(f"{path}.{name}", taken):
                yield Adaptation(path, name, taken, header, misplaced)


@cache
def _methods(resource: type) -> tuple[str, ...]:
    """The methods of a resource class that make a request by themselves."""
    return tuple(
        name
        for name, method in vars(resource).items()
        if not name.startswith("_")
        and callable(method)
        and "extra_headers" in _sdk.parameters(method)
        and not name.endswith(("_stream", "stream", "poll"))
    )
