"""Which of the SDK's own methods need help to say what today's API expects: parameters, and the version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._resources import adapted as adapt
from streaming_assistants._resources import operations as requests

from .defects import Defect
from .table import OURS, Judgement, resolve

Method = Callable[..., Any]


def _says_v1() -> bool:
    sent: list[Any] = []
    client = _sdk.probe_client(b"{}", {"content-type": "application/json"}, sent.append)
    client.beta.threads.retrieve("thread_1")
    return bool(sent[0].headers.get("OpenAI-Beta") != requests.BETA)


def _strays() -> bool:
    sent: list[Any] = []

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        sent.append(json.loads(request.content))
        return 200, {"content-type": "application/json"}, b"{}"

    runs = _sdk.probe_client_of(answer, is_async=True).beta.threads.runs
    if "include" not in _sdk.parameters(type(runs).create):
        return False
    _sdk.run_aside(runs.create("thread_1", assistant_id="asst_1", include=["x"]))
    return "include" in sent[0]


V1 = Defect("requests_say_v1", "the SDK says assistants=v1", _says_v1)
ASTRAY = Defect("include_in_the_body", "the async runs.create puts include into the body too (1.55)", _strays)


class Adaptation(NamedTuple):
    """A method of the SDK that needs help to say what today's API expects.

    ``taken`` are the parameters that it takes, ``astray`` those of them that it puts into the wrong place;
    ``header`` is the ``OpenAI-Beta`` that the client speaks, where the SDK says another by itself.
    """

    resource: str
    method: str
    taken: frozenset[str]
    header: str | None
    astray: frozenset[str]

    @property
    def path(self) -> str:
        return f"{self.resource}.{self.method}"

    def make(self, below: Method) -> Method:
        return adapt.adapted(self.path, self.taken - self.astray, below, header=self.header)

    @property
    def later(self) -> frozenset[str]:
        return adapt.lacking(self.path, self.taken)

    def judgement(self) -> Judgement:
        later = sorted(adapt.lacking(self.path, self.taken))
        said = [f"{self.method}() of the SDK lacks {', '.join(later)}"] if later else []
        if self.header is not None:
            said += ["the SDK says assistants=v1" if V1.present() else f"the client says {self.header}"]
        why = "missing" if said else "defective"
        said += [f"the SDK sends {name} in the body" for name in sorted(self.astray)]
        return Judgement(f"{self.path}()", OURS, f"{why}: {'; '.join(said)}")


def adaptations(client: object, *, repair: bool = True) -> Iterator[Adaptation]:
    """The methods of the installed SDK that lack a parameter, misplace one, or say v1."""
    wanted = requests.version(client)
    header = wanted if V1.present() or wanted != requests.BETA else None
    for path in _sdk.RESOURCES:
        resource = resolve(client, path)
        owner: Any = _sdk.as_shipped(type(resource))
        for name in _methods(owner):
            taken = _sdk.parameters(getattr(owner, name))
            create = repair and (path, name) == ("beta.threads.runs", "create") and _sdk.is_async(client)
            astray = frozenset({"include"} & taken if create and ASTRAY.present() else ())
            if header is not None or astray or adapt.lacking(f"{path}.{name}", taken):
                yield Adaptation(path, name, taken, header, astray)


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
