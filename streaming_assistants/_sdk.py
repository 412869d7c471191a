"""The one room for what differs between releases of openai, httpx, httpx2 and pydantic.

Everything private or version-dependent is asked for here, by looking and never by comparing version
numbers. The rest of the library reads as if there were one SDK.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

import openai
import pydantic

JSON: TypeAlias = Any
"""Decoded JSON."""

# As it was at import: a program may put classes of its own there, whose instances patch themselves.
_OpenAI, _AsyncOpenAI, _AzureOpenAI = openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI

ModelT = TypeVar("ModelT", bound=pydantic.BaseModel)

JSON_OBJECT = dict[str, object]
"""``cast_to`` for a plain request whose answer is wanted as it came (1.1 refuses ``object``)."""

PYDANTIC_1 = not hasattr(pydantic.BaseModel, "model_validate")


# ---------------------------------------------------------------- models


@cache
def base_model() -> type[pydantic.BaseModel]:
    """The SDK's own BaseModel: extra fields allowed, ``to_dict`` where the release has it."""
    found = getattr(openai, "BaseModel", None)
    return cast("type[pydantic.BaseModel]", found or importlib.import_module("openai._models").BaseModel)


def find(places: tuple[tuple[str, str], ...]) -> type[pydantic.BaseModel] | None:
    """The first class of the SDK at one of ``places``, each (module below ``openai.types``, name)."""
    for module, name in places:
        try:
            found = getattr(importlib.import_module(f"openai.types.{module}"), name, None)
        except ImportError:
            continue
        if isinstance(found, type) and issubclass(found, pydantic.BaseModel):
            return found
    return None


def fields_of(model: type[pydantic.BaseModel]) -> list[tuple[str, str, JSON, bool, JSON]]:
    """(name, alias, annotation, required, default) of each field, the same from pydantic 1 and 2."""
    if PYDANTIC_1:
        legacy = cast("Mapping[str, Any]", model.__fields__)
        return [(n, f.alias, f.outer_type_, bool(f.required), f.default) for n, f in legacy.items()]
    return [
        (name, field.alias or name, field.annotation, field.is_required(), _default(field))
        for name, field in model.model_fields.items()
    ]


def _default(field: JSON) -> JSON:
    # A required field has the marker PydanticUndefined for its default.
    return None if field.is_required() else field.get_default(call_default_factory=True)


def make(model: type[ModelT], values: dict[str, JSON], given: set[str]) -> ModelT:
    """An instance as it stands, nothing validated; ``given`` are the fields that were set."""
    # pydantic's own function, because the SDK's override rebuilds every nested model.
    construct = pydantic.BaseModel.construct if PYDANTIC_1 else pydantic.BaseModel.model_construct
    made = cast("Any", construct).__func__(model, _fields_set=given, **values)
    return cast(ModelT, made)


def dump(model: JSON) -> dict[str, JSON]:
    """What was set of a model, as plain JSON values under the names of the API."""
    if PYDANTIC_1:
        return cast("dict[str, JSON]", model.dict(exclude_unset=True, by_alias=True))
    # warnings=False: a lenient model may hold what its annotation does not allow
    return cast("dict[str, JSON]", model.model_dump(exclude_unset=True, by_alias=True, warnings=False))


def changed(model: ModelT, **values: JSON) -> ModelT:
    """A shallow copy of ``model`` with other values; ``model`` itself stays as it is."""
    if PYDANTIC_1:
        return model.copy(update=values)
    return model.model_copy(update=values)


def json_validator(model: type[ModelT]) -> Callable[[bytes], ModelT] | None:
    """The model's validator for raw JSON; None under pydantic 1, which has none worth the name."""
    if PYDANTIC_1:
        return None
    # The SDK defers building its models; until then the validator is a mock of pydantic's.
    model.model_rebuild()
    return cast("Callable[[bytes], ModelT]", cast(Any, model).__pydantic_validator__.validate_json)


def json_parser() -> Callable[[bytes], JSON]:
    """Parses UTF-8 JSON; raises ValueError for what is neither."""
    try:
        from pydantic_core import from_json
    except ImportError:
        import json

        return json.loads
    return from_json


def cloner(sample: ModelT) -> Callable[[dict[str, JSON]], ModelT]:
    """A function that makes instances like ``sample`` (same class, same set fields) from a dict of fields.

    The hot path of a stream makes five models for an event; pydantic's general construction costs twice
    as much as setting the four slots of an instance. Where the slots are others, it is used all the same.
    """
    model = type(sample)
    slots = vars(pydantic.BaseModel)
    names = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
    if PYDANTIC_1 or any(name not in slots for name in names):
        given = set[str](getattr(sample, "__fields_set__" if PYDANTIC_1 else "model_fields_set"))
        return lambda values: make(model, values, set(given))
    set_dict, set_given, set_extra, set_private = (slots[name].__set__ for name in names)
    new = object.__new__
    given_copy = sample.model_fields_set.copy

    def clone(values: dict[str, JSON]) -> ModelT:
        made = new(model)
        set_dict(made, values)
        set_given(made, given_copy())
        set_extra(made, {})
        set_private(made, None)
        return made

    return clone


# ---------------------------------------------------------------- clients

Client: TypeAlias = "openai.OpenAI | openai.AsyncOpenAI"


def is_client(value: JSON) -> bool:
    """Whether ``value`` is a client of the SDK, Azure's among them."""
    return isinstance(value, (_OpenAI, _AsyncOpenAI))


def is_async(client: JSON) -> bool:
    """By the client's class: ``iscoroutinefunction`` says False on the SDK's decorated async methods."""
    return isinstance(client, _AsyncOpenAI)


def is_azure(client: JSON) -> bool:
    return isinstance(client, (openai.AzureOpenAI, openai.AsyncAzureOpenAI))


def given(value: JSON) -> bool:
    """False for the SDK's markers of an argument that was left out."""
    return type(value).__name__ not in ("NotGiven", "Omit") or not type(value).__module__.startswith("openai")


@cache
def parameters(method: Callable[..., JSON]) -> frozenset[str]:
    """The names that a method of an SDK class takes."""
    return frozenset(inspect.signature(method).parameters)


RESOURCES = (
    "beta",
    "beta.assistants",
    "beta.threads",
    "beta.threads.messages",
    "beta.threads.runs",
    "beta.threads.runs.steps",
    "vector_stores",
    "vector_stores.files",
    "vector_stores.file_batches",
)
"""Where the objects are that carry the Assistants API's methods, below a client."""


def declares(owner: type, name: str) -> bool:
    """Whether a class of the SDK gives its objects an attribute, whenever that is made."""
    return any(name in vars(base) or name in getattr(base, "__annotations__", {}) for base in owner.__mro__)


def has_deployment(client: JSON) -> bool:
    """Whether it was built with ``azure_deployment``, which puts the deployment into its base URL."""
    return is_azure(client) and "/openai/deployments/" in client.base_url.path


def absolute(client: JSON, url: str) -> str:
    """``url`` of an Azure client, below ``/openai`` and not below a deployment."""
    base = client.base_url
    root = base.raw_path.split(b"/deployments/")[0]
    return str(base.copy_with(raw_path=root + url.encode()))


class ModuleAttribute:
    """What the module-level client has under a name, for a module that has no such attribute."""

    def __init__(self, name: str) -> None:
        self.__name = name

    def __getattr__(self, name: str) -> JSON:
        return getattr(getattr(module_client(openai), self.__name), name)


# ---------------------------------------------------------------- deprecations

_OWN = ("streaming_assistants", "openai", "wrapt", "typing_extensions", "warnings")


def _is_deprecated(method: JSON) -> bool:
    """Whether it is the function that ``deprecated`` made: functools.wraps() copies the mark to others."""
    function = getattr(method, "__func__", method)
    return hasattr(function, "__deprecated__") and _made_in(function) in ("typing_extensions", "warnings")


def _made_in(function: JSON) -> str:
    return str(getattr(function, "__globals__", {}).get("__name__", ""))


def undeprecated(method: JSON) -> JSON:
    """The SDK's method below the decorators that warn of it; some are decorated twice."""
    owner = getattr(method, "__self__", None)
    function: JSON = getattr(method, "__func__", method)
    found = function
    while _is_deprecated(function) or _made_in(function).startswith("openai."):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        if _is_deprecated(function):
            found = inner
        function = inner
    return found if owner is None else found.__get__(owner, type(owner))


def warn_deprecated(method: JSON) -> None:
    """Gives the warning of a method that the SDK deprecates, once, at the line of the code that called it."""
    if not _is_deprecated(method):
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OWN:
        level, frame = level + 1, frame.f_back
    warnings.warn(str(method.__deprecated__), DeprecationWarning, stacklevel=level)


# ---------------------------------------------------------------- requests

RAW_HEADER = {"X-Stainless-Raw-Response": "true"}
"""Asks a client's own ``get`` and ``post`` for the response, as ``with_raw_response`` does."""


def raw(method: Callable[..., JSON]) -> Callable[..., JSON]:
    """The form of a method that ``with_raw_response`` has: it gives the response."""

    def call(*args: JSON, **kwargs: JSON) -> JSON:
        return method(
            *args, **{**kwargs, "extra_headers": {**(kwargs.get("extra_headers") or {}), **RAW_HEADER}}
        )

    return call


def read(response: JSON) -> tuple[JSON, Mapping[str, str], JSON]:
    """(object, headers, request) of a raw response."""
    return response.parse(), response.headers, response.http_request


def capped(found: JSON, seconds: float) -> JSON:
    """A timeout of the SDK or its transport with no part of it longer than ``seconds``."""
    if found is None or isinstance(found, (int, float)):
        return min(found, seconds) if found is not None else seconds
    if isinstance(found, tuple):
        return type(found)(seconds if part is None else min(part, seconds) for part in found)
    parts = {name: getattr(found, name) for name in ("connect", "read", "write", "pool")}
    return type(found)(**{name: seconds if v is None else min(v, seconds) for name, v in parts.items()})


def retry_seconds(client: JSON, error: Exception, failures: int) -> float | None:
    """How long the client itself would wait before it tries again, None where it would not."""
    response = getattr(error, "response", None)
    left = client.max_retries - failures
    worth = (
        isinstance(error, openai.APIConnectionError) if response is None else client._should_retry(response)
    )
    if left <= 0 or not worth:
        return None
    options = importlib.import_module("openai._models").FinalRequestOptions.construct(method="get", url="/")
    headers = None if response is None else response.headers
    return cast("float", client._calculate_retry_timeout(left, options, headers))


# ---------------------------------------------------------------- the module-level client


def module_loaders() -> list[JSON]:
    """The modules that hold the function which makes the module-level client (``openai.beta``)."""
    return [openai, importlib.import_module("openai._module_client")]


def module_client(module: JSON) -> JSON:
    """The module-level client, made if it is not yet."""
    return module._load_client()


def made_module_client() -> JSON:
    """The module-level client if there is one."""
    return getattr(openai, "_client", None)


# ---------------------------------------------------------------- transport


def transports() -> list[JSON]:
    """httpx, httpx2 or both, whichever the process has loaded."""
    return [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]


def transport_errors() -> tuple[type[JSON], ...]:
    """What a connection that breaks raises, and a body that cannot be decompressed."""
    return tuple(module.RequestError for module in transports())


def timeout_errors() -> tuple[type[Exception], ...]:
    """What a transport raises when nothing came in time."""
    return tuple(module.TimeoutException for module in transports())


def interrupt(response: JSON) -> None:
    """Ends the read of a response that another thread waits in.

    ``response.close()`` would close the socket's descriptor, which wakes nobody and may soon be
    another connection's.
    """
    stream = response.extensions.get("network_stream")
    sock = None if stream is None else stream.get_extra_info("socket")
    if response.is_closed:
        return  # the socket may serve another request by now
    if response.http_version != "HTTP/1.1" or not isinstance(sock, socket.socket):
        response.close()
        return
    with contextlib.suppress(OSError):  # not connected any more
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of a TLS socket drops its session first


def probe_client(body: bytes, headers: Mapping[str, str] | None = None, on_request: JSON = None) -> JSON:
    """A client of the SDK whose every request is answered in memory with ``body``."""

    def answer(request: JSON) -> tuple[int, Mapping[str, str], bytes]:
        if on_request is not None:
            on_request(request)
        return 200, {"content-type": "text/event-stream", **(headers or {})}, body

    return probe_client_of(answer)


Answering: TypeAlias = "Callable[[JSON], tuple[int, Mapping[str, str], bytes]]"
"""From a request to (status, headers, body)."""


def probe_client_of(answer: Answering, *, is_async: bool = False) -> JSON:
    """A client of the SDK whose requests ``answer`` answers in memory."""
    kind: JSON = _AsyncOpenAI if is_async else _OpenAI
    http: JSON = _memory(answer, is_async=is_async)
    return kind(api_key="probe", base_url="http://probe.invalid", http_client=http, max_retries=0)


def probe_azure(answer: Answering) -> JSON:
    """An Azure client with a deployment, answered in memory."""
    return _AzureOpenAI(
        api_key="probe",
        azure_endpoint="http://probe.invalid",
        azure_deployment="probe",
        api_version="probe",
        http_client=_memory(answer, is_async=False),
        max_retries=0,
    )


def _memory(answer: Answering, *, is_async: bool) -> JSON:
    module = _own_transport()

    def handle(request: JSON) -> JSON:
        status, headers, body = answer(request)
        return module.Response(status, headers=dict(headers), content=body)

    # Not httpx's MockTransport: recorders of HTTP traffic patch that, and a probe is not traffic.
    class Memory(module.BaseTransport):  # type: ignore[misc,name-defined]
        def handle_request(self, request: JSON) -> JSON:
            return handle(request)

    class AsyncMemory(module.AsyncBaseTransport):  # type: ignore[misc,name-defined]
        async def handle_async_request(self, request: JSON) -> JSON:
            return handle(request)

    if is_async:
        return module.AsyncClient(transport=AsyncMemory(), trust_env=False)
    return module.Client(transport=Memory(), trust_env=False)


def _own_transport() -> JSON:
    """The flavour of httpx that the SDK itself was written for."""
    base = sys.modules["openai._base_client"]
    return getattr(base, "httpx2", None) or vars(base)["httpx"]


def response_class() -> JSON:
    """What ``cast_to`` must be for the SDK to hand out the transport's own response, read to its end."""
    return _own_transport().Response


def response_of(answer: JSON) -> JSON:
    """The transport's response behind what a streamed request of the SDK gave: a stream, or its raw view."""
    return getattr(answer, "http_response", None) or answer.response


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A block in which the SDK's deprecation warnings are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# ---------------------------------------------------------------- handlers


def handler_base(name: str) -> type:
    """The SDK's handler class of that name, or ``object`` before 1.14."""
    return cast("type", getattr(openai, name, None) or _streaming(name) or object)


def _streaming(name: str) -> type | None:
    try:
        module = importlib.import_module("openai.lib.streaming")
    except ImportError:
        return None
    return cast("type | None", getattr(module, name, None))


def closer(stream: JSON) -> Callable[[], JSON]:
    """What closes a stream of the SDK: its own ``close()`` from 1.6 on, its response's before."""
    found = getattr(stream, "close", None)
    if found is None:
        found = getattr(stream.response, "aclose", None) if isinstance(stream, openai.AsyncStream) else None
    return cast("Callable[[], JSON]", found or stream.response.close)


# ---------------------------------------------------------------- pages


def with_page_class(answer: JSON, change: Callable[[type], type]) -> JSON:
    """What a ``list()`` of the SDK gave, with another class for its pages; the same object back.

    That is a page, an async paginator, or a raw response of either.
    """
    for name in ("_page_cls", "_cast_to"):
        found = getattr(answer, name, None)
        if isinstance(found, type):
            setattr(answer, name, change(found))
            return answer
    if hasattr(answer, "get_next_page"):
        # pydantic would look for a field of that name
        object.__setattr__(answer, "__class__", change(type(answer)))
    return answer


# ---------------------------------------------------------------- raw responses

RAW = ("with_raw_response", "with_streaming_response")


def made_raw(headers: Mapping[str, JSON]) -> dict[str, JSON]:
    """The headers by which a raw view marks its requests, out of ``headers``: none for an ordinary call."""
    return {name: value for name, value in headers.items() if name.lower() == "x-stainless-raw-response"}


def raw_views(resource: JSON) -> Iterator[tuple[JSON, JSON]]:
    """(view, what it was made of) for each raw view of ``resource`` that exists by now, nested ones too.

    A view holds bound methods as they were when it was made, so a patch has to make it anew. It is
    looked for where it is kept, in the resource's own ``__dict__``: asking for it would create it.
    """
    for name in RAW:
        view = getattr(resource, "__dict__", {}).get(name)
        if view is not None:
            yield from _nested(view, resource)


def _nested(view: JSON, source: JSON) -> Iterator[tuple[JSON, JSON]]:
    yield view, source
    for name, inner in vars(view).items():
        below = getattr(source, name, None) if not name.startswith("_") else None
        if below is not None and not callable(inner) and not callable(below):
            yield from _nested(inner, below)
