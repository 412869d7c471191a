"""The one table of what is patched: capability, where it lives, how it is judged, what stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from . import _sdk, defects
from .defects import Defect
from .resources import adapt, listing, pages, requests, runs

Method = Callable[..., Any]
Make = Callable[[Any, Method], Method]

SDK = "sdk"
OURS = "streaming_assistants"


@dataclass(frozen=True)
class Capability:
    """One thing that a client can do.

    ``resource`` is the path of the object that carries ``method``, below the client; ``parameter`` names
    the parameter that makes the capability, where a method without it is another thing. ``make`` takes
    the client and the method below, and gives what is put in its place.
    """

    name: str
    resource: str
    method: str
    make: Make
    parameter: str | None = None
    defects: tuple[Defect, ...] = ()

    def missing(self, client: Any) -> str | None:
        """Why the installed SDK does not have it, or None where it does."""
        method = class_method(resolve(client, self.resource), self.method)
        if method is None:
            return f"the SDK has no {self.resource}.{self.method}()"
        if self.parameter is not None and self.parameter not in _sdk.parameters(method):
            return f"{self.method}() of the SDK has no {self.parameter}="
        return None


class Judgement(NamedTuple):
    """Who provides a capability, and why."""

    capability: str
    provider: str
    reason: str


class Capabilities(tuple[Judgement, ...]):
    """The table that ``capabilities(client)`` gives; ``str()`` of it is made to be read."""

    __slots__ = ()

    def __str__(self) -> str:
        widths = [max(len(row[column]) for row in (*self, Judgement._fields)) for column in (0, 1)]
        lines = [("capability", "provider", "reason"), *self]
        return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in lines)

    def provider(self, capability: str) -> str:
        """The provider of one capability. Raises KeyError for a name that is not in the table."""
        for row in self:
            if row.capability == capability:
                return row.provider
        raise KeyError(capability)


def judge(capability: Capability, client: Any, *, repair: bool, full: bool = False) -> Judgement:
    """Decides who provides ``capability``. ``full`` asks for every defect and not just for the first."""
    missing = capability.missing(client)
    if missing is not None:
        return Judgement(capability.name, OURS, f"missing: {missing}")
    found = _present(capability.defects, full)
    if not found:
        return Judgement(capability.name, SDK, "sound")
    provider = OURS if repair else SDK
    return Judgement(capability.name, provider, f"defective: {'; '.join(defect.shows for defect in found)}")


@cache
def _present(listed: tuple[Defect, ...], full: bool) -> tuple[Defect, ...]:
    found: list[Defect] = []
    for defect in listed:
        if defect.present():
            found.append(defect)
            if not full:
                break
    return tuple(found)


def resolve(client: Any, path: str) -> Any:
    """The object at a dotted path below the client, or None."""
    found = client
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def class_method(resource: Any, name: str) -> Method | None:
    """The SDK's own method, whatever stands on the object itself by now."""
    return getattr(type(resource), name, None) if resource is not None else None


# ---------------------------------------------------------------- the table


def _streaming(operation: requests.Operation) -> Make:
    return lambda client, below: runs.streaming(client, operation, below)


def _helper(operation: requests.Operation, name: str) -> Make:
    return lambda client, _: runs.helper(client, operation, name)


def _stream(resource: str, operation: requests.Operation) -> Capability:
    name = f"{resource}.{operation.name}"
    return Capability(
        f"{name}(stream=True)", resource, operation.name, _streaming(operation), "stream", defects.STREAM
    )


def _manager(resource: str, method: str, operation: requests.Operation) -> Capability:
    name = f"{resource}.{method}"
    make = _helper(operation, name.removeprefix("beta."))
    return Capability(f"{name}()", resource, method, make, None, (*defects.HANDLER, *defects.STREAM))


def _pages(resource: str) -> Capability:
    return Capability(f"{resource}.list() auto-paging", resource, "list", pages.guarded, None, defects.PAGES)


THREADS, RUNS, MESSAGES = "beta.threads", "beta.threads.runs", "beta.threads.messages"

TABLE: tuple[Capability, ...] = (
    _stream(RUNS, requests.RUN),
    _stream(THREADS, requests.CREATE_AND_RUN),
    _stream(RUNS, requests.SUBMIT),
    _manager(RUNS, "stream", requests.RUN),
    _manager(RUNS, "create_and_stream", requests.RUN),
    _manager(THREADS, "create_and_run_stream", requests.CREATE_AND_RUN),
    _manager(RUNS, "submit_tool_outputs_stream", requests.SUBMIT),
    _pages("beta.assistants"),
    _pages(MESSAGES),
    _pages(RUNS),
    _pages(f"{RUNS}.steps"),
    Capability(f"{MESSAGES}.list(stream=True)", MESSAGES, "list", listing.listing, "stream"),
)

# ---------------------------------------------------------------- parameters and headers

_ADAPTED = (
    "beta.assistants",
    "beta.threads",
    "beta.threads.messages",
    "beta.threads.runs",
    "beta.threads.runs.steps",
)


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
    for path in _ADAPTED:
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
