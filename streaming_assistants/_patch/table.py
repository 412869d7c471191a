"""The one table of what is patched: capability, where it lives, how it is judged, what stands in for it."""

from __future__ import annotations

from streaming_assistants import _sdk
from streaming_assistants._resources import (
    active,
    azure,
    manners,
    messages,
    pages,
    polling,
    quotes,
    run_polling,
    runs,
    thread_list,
    uploads,
)
from streaming_assistants._resources import message_list as listing
from streaming_assistants._resources import operations as requests
from streaming_assistants._resources import stores as vector_stores
from streaming_assistants._resources.endpoint import Endpoint
from streaming_assistants._resources.params import (
    CreateAndRunPollParams,
    RunPollParams,
    RunWaitParams,
    SubmitPollParams,
    names,
)
from streaming_assistants._resources.store_params import (
    BatchPollParams,
    BatchUploadParams,
    FilePollParams,
    FileUploadParams,
    FileUploadPollParams,
    FileWaitParams,
)
from streaming_assistants._resources.tool_params import TOOLS
from streaming_assistants._sdk.untyped import AnyClient, Method

from . import stories
from . import stories_polling as polled
from .capability import Capability, resolve
from .judge import Story

_WISHES = "tool_handlers="


def _stream(resource: str, operation: requests.Operation) -> tuple[Capability, ...]:
    """``create(stream=True)`` and its like, and apart from it what a release's own stream lacks."""
    name = f"{resource}.{operation.name}"

    def make(client: object, below: Method) -> Method:
        return runs.streaming(client, operation, below)

    def wishing(client: object, below: Method) -> Method:
        return runs.wishing(client, operation, make(client, below), below, asks=True)

    takes = operation.params | {"stream"}
    wished = takes | manners.parameters(operation)
    place = resource, operation.name
    return (
        Capability(f"{name}(stream=True)", *place, make, "stream", stories.STREAM, takes=takes),
        Capability(f"{name}(stream=True, {_WISHES})", *place, wishing, "tool_handlers", takes=wished),
    )


def _manager(resource: str, method: str, operation: requests.Operation) -> tuple[Capability, ...]:
    """``stream()`` and its like, and apart from it what a release's own lacks."""
    name = f"{resource}.{method}"

    def make(client: object, _: Method) -> Method:
        return runs.helper(client, operation, name.removeprefix("beta."))

    def wishing(client: object, below: Method) -> Method:
        return runs.wishing(client, operation, make(client, below), below, asks=False)

    takes = operation.params | {"event_handler"}
    wished = takes | manners.parameters(operation)
    return (
        Capability(f"{name}()", resource, method, make, None, stories.HELPER, takes=takes),
        Capability(f"{name}({_WISHES})", resource, method, wishing, "tool_handlers", takes=wished),
    )


def _reading(resource: str) -> tuple[Capability, ...]:
    """The events of a run that there is, and a handler of them."""
    takes = requests.READ.params | manners.parameters(requests.READ)
    return (
        Capability(
            f"{resource}.retrieve(stream=True)",
            resource,
            "retrieve",
            runs.reading,
            "stream",
            takes=takes | {"stream"},
        ),
        Capability(
            f"{resource}.resume()",
            resource,
            "resume",
            lambda client, _: runs.resuming(client),
            "starting_after",
            takes=takes | {"event_handler"},
            leads=requests.READ.positional,
        ),
    )


def _method(resource: str, endpoint: Endpoint) -> Capability:
    name = endpoint.operation.name
    return Capability(
        f"{resource}.{name}()",
        resource,
        name,
        lambda client, _: endpoint.bound(client),
        raw=True,
        takes=endpoint.operation.params,
        leads=endpoint.operation.positional,
    )


def _helping(
    resource: str,
    method: str,
    plan: polling.Helper,
    takes: frozenset[str],
    story: Story | None = None,
    leads: tuple[str, ...] = (),
) -> Capability:
    def make(client: AnyClient, _: Method) -> Method:
        return polling.started(client, plan)

    return Capability(f"{resource}.{method}()", resource, method, make, None, story, takes=takes, leads=leads)


def _waiting(
    resource: str, method: str, plan: polling.Helper, params: frozenset[str], story: Story, ids: str = ""
) -> tuple[Capability, ...]:
    """A helper that waits, and apart from it the parameters that a release's own helper lacks."""
    leads = tuple(ids.split())
    takes = params | {*leads}
    later = _later(resource, method, plan, takes, "on_poll", "max_wait_seconds=, on_poll=")
    return _helping(resource, method, plan, takes, story, leads), later


def _later(
    resource: str, method: str, plan: polling.Helper, takes: frozenset[str], parameter: str, shown: str
) -> Capability:
    def extended(client: AnyClient, below: Method) -> Method:
        own = _sdk.own_method(resolve(client, resource).__class__, method)
        return polling.extended(client, plan, _sdk.parameters(own) if own else frozenset(), below)

    name = f"{resource}.{method}({shown})"
    return Capability(name, resource, method, extended, parameter, takes=takes)


def _posting(resource: str) -> Capability:
    name = f"{resource}.create(if_active=)"
    return Capability(name, resource, "create", active.posting, "if_active", takes=active.TAKES)


def _pages(resource: str) -> Capability:
    return Capability(f"{resource}.list() auto-paging", resource, "list", pages.guarded, None, stories.PAGES)


THREADS, RUNS, MESSAGES = "beta.threads", "beta.threads.runs", "beta.threads.messages"
STORES, FILES, BATCHES = "vector_stores", "vector_stores.files", "vector_stores.file_batches"

TABLE: tuple[Capability, ...] = (
    *_stream(RUNS, requests.RUN),
    *_stream(THREADS, requests.CREATE_AND_RUN),
    *_stream(RUNS, requests.SUBMIT),
    *_manager(RUNS, "stream", requests.RUN),
    *_manager(RUNS, "create_and_stream", requests.RUN),
    *_manager(THREADS, "create_and_run_stream", requests.CREATE_AND_RUN),
    *_manager(RUNS, "submit_tool_outputs_stream", requests.SUBMIT),
    *_reading(RUNS),
    _posting(RUNS),
    _posting(MESSAGES),
    *_waiting(
        RUNS, "poll", run_polling.poll_run, names(RunWaitParams) | TOOLS, polled.RUNS, ids="run_id thread_id"
    ),
    *_waiting(
        RUNS, "create_and_poll", run_polling.create_and_poll, names(RunPollParams) | TOOLS, polled.RUNS
    ),
    *_waiting(
        RUNS,
        "submit_tool_outputs_and_poll",
        run_polling.submit_and_poll,
        names(SubmitPollParams) | TOOLS,
        polled.RUNS,
    ),
    *_waiting(
        THREADS,
        "create_and_run_poll",
        run_polling.create_and_run_poll,
        names(CreateAndRunPollParams) | TOOLS,
        polled.RUNS,
    ),
    _method(MESSAGES, messages.DELETE),
    _method(THREADS, thread_list.LIST_THREADS),
    *(_method(STORES, endpoint) for endpoint in vector_stores.STORES),
    *(_method(FILES, endpoint) for endpoint in vector_stores.FILES),
    *(_method(BATCHES, endpoint) for endpoint in vector_stores.BATCHES),
    *_waiting(FILES, "poll", uploads.poll_file, names(FileWaitParams), polled.FILES, ids="file_id"),
    *_waiting(
        FILES, "create_and_poll", uploads.create_file, names(FilePollParams), polled.FILES, ids="file_id"
    ),
    _helping(FILES, "upload", uploads.upload, names(FileUploadParams)),
    _later(
        FILES, "upload", uploads.upload, names(FileUploadParams), "chunking_strategy", "chunking_strategy="
    ),
    *_waiting(FILES, "upload_and_poll", uploads.upload_and_poll, names(FileUploadPollParams), polled.FILES),
    *_waiting(BATCHES, "poll", uploads.poll_batch, names(FileWaitParams), polled.BATCHES, ids="batch_id"),
    *_waiting(
        BATCHES,
        "create_and_poll",
        uploads.create_batch,
        names(BatchPollParams),
        polled.BATCHES,
        ids="vector_store_id",
    ),
    *_waiting(
        BATCHES,
        "upload_and_poll",
        uploads.upload_batch,
        names(BatchUploadParams),
        polled.BATCHES,
        ids="vector_store_id",
    ),
    Capability(
        "azure_deployment",
        "",
        "_prepare_url",
        azure.prepared,
        story=polled.AZURE,
        concerns=_sdk.has_deployment,
    ),
    Capability(
        "citations without a quote",
        "",
        "_process_response_data",
        quotes.read,
        story=polled.CITATIONS,
        asked=quotes.among,
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
