"""The one table of what is patched: capability, where it lives, how it is judged, what stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._resources import azure, messages, pages, polling, runs, uploads
from streaming_assistants._resources import message_list as listing
from streaming_assistants._resources import operations as requests
from streaming_assistants._resources import stores as vector_stores
from streaming_assistants._resources.endpoint import Endpoint
from streaming_assistants._resources.params import (
    BatchPollParams,
    BatchUploadParams,
    CreateAndRunPollParams,
    FilePollParams,
    FileUploadParams,
    FileUploadPollParams,
    FileWaitParams,
    RunPollParams,
    RunWaitParams,
    SubmitPollParams,
    names,
)

from . import defects, defects_polling
from . import display as tables
from .defects import Defect

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
    raw: bool = False
    """Whether the resource's raw views have it too."""
    concerns: Callable[[Any], bool] = lambda _: True
    """Whether a client can need it at all."""
    takes: frozenset[str] = frozenset()
    """The parameters that ours takes, for the signature; the SDK's own come first."""

    def missing(self, client: object) -> str | None:
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
    """The table that ``capabilities(client)`` gives; ``str()`` of it, and its HTML, are made to be read."""

    __slots__ = ()

    def __str__(self) -> str:
        return tables.as_text(self)

    def _repr_html_(self) -> str:
        return tables.as_html(self)

    def provider(self, capability: str) -> str:
        """The provider of one capability. Raises KeyError for a name that is not in the table."""
        for row in self:
            if row.capability == capability:
                return row.provider
        raise KeyError(capability)


def judge(capability: Capability, client: object, *, repair: bool, full: bool = False) -> Judgement:
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


def resolve(client: object, path: str) -> Any:
    """The object at a dotted path below the client, or None. A namespace is found wherever the SDK has it."""
    found = _walk(client, path)
    return _walk(client, f"beta.{path}") if found is None and path.startswith("vector_stores") else found


def _walk(found: object, path: str) -> Any:
    for name in path.split(".") if path else ():
        found = getattr(found, name, None)
    return found


def class_method(resource: object, name: str) -> Method | None:
    """The SDK's own method, whatever stands on the object or its class by now."""
    return getattr(_sdk.as_shipped(type(resource)), name, None) if resource is not None else None


# ---------------------------------------------------------------- the table


def _streaming(operation: requests.Operation) -> Make:
    return lambda client, below: runs.streaming(client, operation, below)


def _helper(operation: requests.Operation, name: str) -> Make:
    return lambda client, _: runs.helper(client, operation, name)


def _stream(resource: str, operation: requests.Operation) -> Capability:
    name = f"{resource}.{operation.name}"
    return Capability(
        f"{name}(stream=True)",
        resource,
        operation.name,
        _streaming(operation),
        "stream",
        defects.STREAM,
        takes=operation.params | {"stream"},
    )


def _manager(resource: str, method: str, operation: requests.Operation) -> Capability:
    name = f"{resource}.{method}"
    make = _helper(operation, name.removeprefix("beta."))
    listed = (*defects.HANDLER, *defects.STREAM)
    takes = operation.params | {"event_handler"}
    return Capability(f"{name}()", resource, method, make, None, listed, takes=takes)


def _method(resource: str, endpoint: Endpoint) -> Capability:
    name = endpoint.operation.name
    return Capability(
        f"{resource}.{name}()",
        resource,
        name,
        lambda client, _: endpoint.bound(client),
        raw=True,
        takes=endpoint.operation.params,
    )


def _helping(
    resource: str, method: str, plan: polling.Helper, takes: frozenset[str], *listed: Defect
) -> Capability:
    def make(client: object, _: Method) -> Method:
        return polling.started(client, plan)

    return Capability(f"{resource}.{method}()", resource, method, make, None, listed, takes=takes)


def _waiting(
    resource: str, method: str, plan: polling.Helper, params: type, *listed: Defect, ids: str = ""
) -> tuple[Capability, ...]:
    """A helper that waits, and apart from it the parameters that a release's own helper lacks."""
    takes = names(params) | {*ids.split()}
    later = _later(resource, method, plan, takes, "on_poll", "max_wait_seconds=, on_poll=")
    return _helping(resource, method, plan, takes, *listed), later


def _later(
    resource: str, method: str, plan: polling.Helper, takes: frozenset[str], parameter: str, shown: str
) -> Capability:
    def extended(client: object, below: Method) -> Method:
        sdks = class_method(resolve(client, resource), method)
        return polling.extended(client, plan, _sdk.parameters(sdks) if sdks else frozenset(), below)

    name = f"{resource}.{method}({shown})"
    return Capability(name, resource, method, extended, parameter, takes=takes)


def _pages(resource: str) -> Capability:
    return Capability(f"{resource}.list() auto-paging", resource, "list", pages.guarded, None, defects.PAGES)


THREADS, RUNS, MESSAGES = "beta.threads", "beta.threads.runs", "beta.threads.messages"
STORES, FILES, BATCHES = "vector_stores", "vector_stores.files", "vector_stores.file_batches"

TABLE: tuple[Capability, ...] = (
    _stream(RUNS, requests.RUN),
    _stream(THREADS, requests.CREATE_AND_RUN),
    _stream(RUNS, requests.SUBMIT),
    _manager(RUNS, "stream", requests.RUN),
    _manager(RUNS, "create_and_stream", requests.RUN),
    _manager(THREADS, "create_and_run_stream", requests.CREATE_AND_RUN),
    _manager(RUNS, "submit_tool_outputs_stream", requests.SUBMIT),
    *_waiting(
        RUNS,
        "poll",
        polling.poll_run,
        RunWaitParams,
        *defects_polling.RUNS,
        ids="run_id thread_id",
    ),
    *_waiting(
        RUNS,
        "create_and_poll",
        polling.CREATE_AND_POLL,
        RunPollParams,
        *defects_polling.RUNS,
    ),
    *_waiting(
        RUNS, "submit_tool_outputs_and_poll", polling.SUBMIT_AND_POLL, SubmitPollParams, *defects_polling.RUNS
    ),
    *_waiting(
        THREADS,
        "create_and_run_poll",
        polling.CREATE_AND_RUN_POLL,
        CreateAndRunPollParams,
        *defects_polling.RUNS,
    ),
    _method(MESSAGES, messages.DELETE),
    *(_method(STORES, endpoint) for endpoint in vector_stores.STORES),
    *(_method(FILES, endpoint) for endpoint in vector_stores.FILES),
    *(_method(BATCHES, endpoint) for endpoint in vector_stores.BATCHES),
    *_waiting(
        FILES,
        "poll",
        uploads.poll_file,
        FileWaitParams,
        *defects_polling.FILES,
        ids="file_id",
    ),
    *_waiting(
        FILES, "create_and_poll", uploads.create_file, FilePollParams, *defects_polling.FILES, ids="file_id"
    ),
    _helping(FILES, "upload", uploads.upload, names(FileUploadParams)),
    _later(
        FILES, "upload", uploads.upload, names(FileUploadParams), "chunking_strategy", "chunking_strategy="
    ),
    *_waiting(
        FILES, "upload_and_poll", uploads.upload_and_poll, FileUploadPollParams, *defects_polling.FILES
    ),
    *_waiting(
        BATCHES,
        "poll",
        uploads.poll_batch,
        FileWaitParams,
        *defects_polling.BATCHES,
        ids="batch_id",
    ),
    *_waiting(
        BATCHES,
        "create_and_poll",
        uploads.create_batch,
        BatchPollParams,
        *defects_polling.BATCHES,
        ids="vector_store_id",
    ),
    *_waiting(
        BATCHES,
        "upload_and_poll",
        uploads.upload_batch,
        BatchUploadParams,
        *defects_polling.BATCHES,
        ids="vector_store_id",
    ),
    Capability(
        "azure_deployment",
        "",
        "_prepare_url",
        azure.prepared,
        defects=(defects_polling.AZURE,),
        concerns=_sdk.has_deployment,
    ),
    _pages("beta.assistants"),
    _pages(MESSAGES),
    _pages(RUNS),
    _pages(f"{RUNS}.steps"),
    Capability(
        f"{MESSAGES}.list(stream=True)",
        MESSAGES,
        "list",
        listing.listing,
        "stream",
        takes=listing.LIST.params | {"stream"},
    ),
)

# ---------------------------------------------------------------- namespaces


class Namespace(NamedTuple):
    """An attribute that holds a resource; the SDK has it in one place, or in another, or not at all."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name


NAMESPACES = (Namespace("", "vector_stores"), Namespace("beta", "vector_stores"))


def namespaces(client: object) -> Iterator[tuple[Any, str, Any]]:
    """(owner, name, resource) of each namespace that the SDK lacks; one object stands behind them all."""
    lacking = [each for each in NAMESPACES if not _declared(client, each)]
    if lacking:
        found = resolve(client, "vector_stores") or vector_stores.VectorStores(client)
        for each in lacking:
            yield resolve(client, each.owner), each.name, found


def judge_namespace(client: object, namespace: Namespace) -> Judgement:
    """Decides who provides a namespace."""
    if _declared(client, namespace):
        return Judgement(namespace.path, SDK, "sound")
    return Judgement(namespace.path, OURS, f"missing: the SDK has no client.{namespace.path}")


def _declared(client: object, namespace: Namespace) -> bool:
    return _sdk.declares(type(resolve(client, namespace.owner)), namespace.name)
