"""Which of the SDK's own methods need help to say what today's API expects: parameters, and the v2 header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from . import _sdk
from .capabilities import OURS, Judgement, resolve
from .resources import adapt, requests

Method = Callable[..., Any]


@cache
def says_v2() -> bool:
    """Whether the SDK's own requests carry ``OpenAI-Beta: assistants=v2``."""
    sent: list[Any] = []
    client = _sdk.probe_client(b"{}", {"content-type": "application/json"}, sent.append)
    with _sdk.quiet():
        client.beta.threads.retrieve("thread_1")
    return bool(sent[0].headers.get("OpenAI-Beta") == requests.BETA)


class Adaptation(NamedTuple):
    """A method of the SDK that needs help to say what today's API expects."""

    resource: str
    method: str
    taken: frozenset[str]
    header: bool

    @property
    def path(self) -> str:
        return f"{self.resource}.{self.method}"

    def make(self, below: Method) -> Method:
        return adapt.adapted(self.path, self.taken, below, header=self.header)

    def judgement(self) -> Judgement:
        later = sorted(adapt.lacking(self.path, self.taken))
        said = [f"{self.method}() of the SDK lacks {', '.join(later)}"] if later else []
        said += ["the SDK says assistants=v1"] if self.header else []
        return Judgement(f"{self.path}()", OURS, f"missing: {'; '.join(said)}")


def adaptations(client: Any) -> Iterator[Adaptation]:
    """The methods of the installed SDK that lack a parameter, or say v1."""
    header = not says_v2()
    for path in _sdk.RESOURCES:
        resource = resolve(client, path)
        owner: Any = type(resource)
        for name in _methods(owner):
            taken = _sdk.parameters(getattr(owner, name))
            if header or adapt.lacking(f"{path}.{name}", taken):
                yield Adaptation(path, name, taken, header)


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
