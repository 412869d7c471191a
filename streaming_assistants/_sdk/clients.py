"""Clients, their resources, and the module-level client."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from typing import TypeAlias, TypeGuard, cast

import openai
from openai._models import FinalRequestOptions
from openai._types import NOT_GIVEN as NOT_GIVEN
from openai._types import Omit

from .basemodels import JSON

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Client: TypeAlias = "openai.OpenAI | openai.AsyncOpenAI"


def is_client(value: JSON) -> bool:
    """Whether ``value`` is a client of the SDK, Azure's among them."""
    return bool(_kinds(value) & {"OpenAI", "AsyncOpenAI"})


def is_async(client: JSON) -> bool:
    """By the client's class: ``iscoroutinefunction`` says False on the SDK's decorated async methods."""
    return "AsyncOpenAI" in _kinds(client)


def is_azure(client: JSON) -> bool:
    return bool(_kinds(client) & {"AzureOpenAI", "AsyncAzureOpenAI"})


def is_client_class(value: object) -> TypeGuard[type[JSON]]:
    """Whether it is a class of clients, the SDK's or one that derives from those."""
    return isinstance(value, type) and bool(_kinds_of(value) & {"OpenAI", "AsyncOpenAI"})


def _kinds(value: JSON) -> set[str]:
    return _kinds_of(value.__class__)


def _kinds_of(kind: type) -> set[str]:
    """The SDK's client classes that it is of, by name: programs put classes of their own in their places."""
    return {each.__name__ for each in kind.__mro__ if each.__module__.partition(".")[0] == "openai"}


def said(client: JSON, header: str) -> str | None:
    """What the caller says under ``header`` (in lower case) for all of a client's requests, or None."""
    values = [text for name, text in _own_headers(client).items() if name.lower() == header]
    return values[-1] if values and isinstance(values[-1], str) else None


def _own_headers(client: JSON) -> Mapping[str, JSON]:
    """Those that a client was made with, unless a class of the program's has more to say.

    1.1 keeps each client for ever whose ``default_headers`` were read.
    """
    getter = getattr(inspect.getattr_static(type(client), "default_headers"), "fget", None)
    is_the_sdks = str(getattr(getter, "__module__", "")).startswith("openai.")
    return cast("Mapping[str, JSON]", client._custom_headers if is_the_sdks else client.default_headers)


def say_once(client: JSON, options: JSON, header: str) -> None:
    """Leaves one spelling of ``header`` (in lower case) in a request's options: the last one's value.

    The SDK merges headers by their spelling, and would send a caller's ``openai-beta`` beside its own.
    """
    headers = options.headers
    names = [name for name in headers if name.lower() == header] if isinstance(headers, Mapping) else []
    if names:
        spelt = next((name for name in client.default_headers if name.lower() == header), names[-1])
        rest = {name: text for name, text in headers.items() if name not in names}
        options.headers = {**rest, spelt: headers[names[-1]]}


def given(value: JSON) -> bool:
    """False for the SDK's markers of an argument that was left out."""
    return type(value).__name__ not in ("NotGiven", "Omit") or not type(value).__module__.startswith("openai")


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


_KEY_HEADERS = ("authorization", "api-key", "x-api-key")


def keys_of(client: JSON) -> list[str]:
    """What a client proves itself with: none of it belongs into a store, a log or an answer."""
    headers = {**client.default_headers, **client.auth_headers}
    others = [client.api_key, getattr(client, "_azure_ad_token", None), client.base_url.password]
    return [*keys_in(headers), *(key for key in others if isinstance(key, str) and key)]


def keys_in(headers: Mapping[str, JSON]) -> list[str]:
    """The keys that a request carries in its headers."""
    values = [value for name, value in headers.items() if name.lower() in _KEY_HEADERS]
    return [value.rpartition(" ")[2] for value in values if isinstance(value, str)]


CLIENTS = ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI")
"""The SDK's client classes."""

_ELSEWHERE = "_streaming_assistants_elsewhere"


def send_elsewhere(client: JSON, url: str) -> None:
    """Has a client ask ``url``, whatever it was made with."""
    if type(client).__name__ == "_ModuleClient":
        return  # the module's own asks where ``openai.base_url`` says
    made = type(client.base_url)(url.rstrip("/") + "/")
    client.base_url = made
    if client.base_url != made:  # 1.1 gives it to its transport alone, and asks by the other
        client._base_url = made
    if is_azure(client):
        client.__dict__[_ELSEWHERE] = client.base_url


def inference_url(client: JSON, path: str) -> tuple[str, dict[str, object]]:
    """Where a client's request for inference goes, and what it adds to the query.

    A version of Azure's API from the Assistants years has no ``/responses``, and its routes go by and by;
    ``/openai/v1`` is there on every resource and takes no version by date.
    """
    elsewhere = client.__dict__.get(_ELSEWHERE)
    if elsewhere is not None:  # no server of Azure's: the SDK puts a deployment into a path, not into a URL
        raw_path = elsewhere.raw_path.rstrip(b"/") + path.encode()
        return str(elsewhere.copy_with(raw_path=raw_path)), {"api-version": Omit()}
    root = client.base_url.raw_path.split(b"/deployments/")[0].rstrip(b"/") if is_azure(client) else b""
    if not root.endswith((b"/openai", b"/openai/v1")):
        return path, {}
    if not root.endswith(b"/v1"):
        root += b"/v1"
    dated = _DATE.match(str(client._custom_query.get("api-version", "")))
    query: dict[str, object] = {"api-version": Omit()} if dated else {}
    return str(client.base_url.copy_with(raw_path=root + path.encode())), query


async def request_to(client: JSON, method: str, path: str) -> JSON:
    """A request without a body, as an async client sends it: to its server, with its key of the moment."""
    url, query = inference_url(client, path)
    options = FinalRequestOptions.construct(method=method.lower(), url=url, params=query)
    prepared = await client._prepare_options(options)  # the oldest releases change what they are given
    return client._build_request(options if prepared is None else prepared)


def request_of(error: Exception) -> JSON:
    """The request that an exception of the SDK or the transport is about, or None."""
    try:
        return getattr(error, "request", None)
    except RuntimeError:  # the transport's own has none
        return None


class ModuleAttribute:
    """What the module-level client has under a name, for a module that has no such attribute."""

    def __init__(self, name: str) -> None:
        self.__name = name

    def __getattr__(self, name: str) -> JSON:
        return getattr(getattr(module_client(openai), self.__name), name)


def module_loaders() -> list[JSON]:
    """The modules that hold the function which makes the module-level client (``openai.beta``)."""
    return [openai, importlib.import_module("openai._module_client")]


def module_client(module: JSON) -> JSON:
    """The module-level client, made if it is not yet."""
    return module._load_client()


def made_module_client() -> JSON:
    """The module-level client if there is one."""
    return getattr(openai, "_client", None)
