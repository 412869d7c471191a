"""Applies the table to a client, and takes it back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar, overload

import openai

from . import _sdk
from .adaptations import adaptations
from .capabilities import (
    NAMESPACES,
    OURS,
    TABLE,
    Capabilities,
    judge,
    judge_namespace,
    namespaces,
    resolve,
)
from .closed import explaining
from .errors import StreamingAssistantsError
from .patches import Patch, Placed
from .resources.adapt import saying_once

if TYPE_CHECKING:
    from ._typing import PatchedAsyncAzureOpenAI, PatchedAsyncOpenAI, PatchedAzureOpenAI, PatchedOpenAI
    from .backend import LocalBackend

    Backend: TypeAlias = Literal["responses", "chat", "echo"] | LocalBackend | None

ClientT = TypeVar("ClientT")
Method = Callable[..., Any]

log = logging.getLogger("streaming_assistants")

_KEY = "_streaming_assistants"


class Options(NamedTuple):
    """What patch() was asked for; copies of a client are patched the same way."""

    repair: bool
    backend: LocalBackend | None


class _Patched:
    """What is kept on a patched client: how it was patched, and how to take it back."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.patches: list[Patch | Placed] = []
        self.detach: Callable[[], None] | None = None


# An Azure client is an OpenAI client too, so it comes first; its type is the more exact one.
@overload
def patch(
    client: openai.AzureOpenAI, *, repair: bool = True, backend: Backend = None
) -> PatchedAzureOpenAI: ...
@overload
def patch(
    client: openai.AsyncAzureOpenAI, *, repair: bool = True, backend: Backend = None
) -> PatchedAsyncAzureOpenAI: ...
@overload
def patch(client: openai.OpenAI, *, repair: bool = True, backend: Backend = None) -> PatchedOpenAI: ...
@overload
def patch(
    client: openai.AsyncOpenAI, *, repair: bool = True, backend: Backend = None
) -> PatchedAsyncOpenAI: ...
@overload
def patch(client: ModuleType, *, repair: bool = True, backend: Backend = None) -> ModuleType: ...
def patch(client: Any, *, repair: bool = True, backend: Backend = None) -> Any:
    """Makes Assistants code work on this client; gives back the same object.

    ``client`` is an ``OpenAI``, ``AsyncOpenAI``, ``AzureOpenAI`` or ``AsyncAzureOpenAI``, or the
    ``openai`` module. What the installed SDK lacks is added; what it has and is defective is replaced,
    unless ``repair`` is False; what is sound stays the SDK's. Copies made with ``with_options()`` or
    ``copy()`` are patched too. Patching twice changes nothing.

    ``backend`` answers the client's Assistants requests in process, for where no server is left that
    does: ``"responses"`` and ``"chat"`` take inference from the client's own server (``POST /responses``,
    ``POST /chat/completions``), ``"echo"`` needs none, and a
    :class:`~streaming_assistants.backend.LocalBackend` says more (a store on disk, names of models).

    Raises TypeError for anything else than a client, ValueError for another backend than the one that a
    patched client has, ImportError where the backend's packages are not installed.
    """
    if isinstance(client, ModuleType):
        _patch_module(_checked_module(client), Options(repair, _backend(backend)))
        return client
    patched: _Patched | None = vars(_checked(client)).get(_KEY)
    if patched is None:
        _patch_client(client, Options(repair, _backend(backend)))
    elif backend is not None and not _same(backend, patched.options.backend):
        raise ValueError("the client is patched with another backend, or none: unpatch() it first")
    return client


@overload
def unpatch(client: PatchedAzureOpenAI) -> openai.AzureOpenAI: ...
@overload
def unpatch(client: PatchedAsyncAzureOpenAI) -> openai.AsyncAzureOpenAI: ...
@overload
def unpatch(client: PatchedOpenAI) -> openai.OpenAI: ...
@overload
def unpatch(client: PatchedAsyncOpenAI) -> openai.AsyncOpenAI: ...
@overload
def unpatch(client: ClientT) -> ClientT: ...
def unpatch(client: Any) -> Any:
    """Takes back what :func:`patch` did; gives back the same object.

    Another library's wrapper that was put on top since stays, and calls the SDK's own again. On a client
    that is not patched nothing happens.
    """
    if isinstance(client, ModuleType):
        _unpatch_module(_checked_module(client))
        return client
    patched: _Patched | None = vars(_checked(client)).pop(_KEY, None)
    if patched is not None:
        for each in reversed(patched.patches):
            each.undo()
        if patched.detach is not None:
            patched.detach()
        _renew_raw_views(client)
    return client


def capabilities(client: Any) -> Capabilities:
    """What the client can do, who provides it, and why: ``print(capabilities(client))``."""
    if isinstance(client, ModuleType):
        client = _sdk.module_client(_checked_module(client))
    patched: _Patched | None = vars(_checked(client)).get(_KEY)
    repair = patched.options.repair if patched is not None else True
    table = [capability for capability in TABLE if capability.concerns(client)]
    rows = [judge(capability, client, repair=repair, full=True) for capability in table]
    spaces = [judge_namespace(client, namespace) for namespace in NAMESPACES]
    # A method that is sound may still lack a parameter: one row tells it.
    adapted = {
        row.capability: row for row in (each.judgement() for each in adaptations(client, repair=repair))
    }
    rows = [adapted.pop(row.capability, row) for row in rows]
    return Capabilities((*spaces, *rows, *adapted.values()))


def _checked(client: Any) -> Any:
    if not _sdk.is_client(client):
        raise TypeError(
            "patch() expects an OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI client or the openai "
            f"module, got {client!r:.80} ({type(client).__name__})"
        )
    return client


def _checked_module(module: ModuleType) -> ModuleType:
    if module is not openai:
        raise TypeError(f"patch() expects a client or the openai module, got the module {module.__name__!r}")
    return module


def _backend(wanted: str | LocalBackend | None) -> LocalBackend | None:
    if wanted is None:
        return None
    from .backend import resolve as resolve_backend  # its packages are an extra

    return resolve_backend(wanted)


def _same(wanted: str | LocalBackend, has: LocalBackend | None) -> bool:
    return wanted is has or (isinstance(wanted, str) and has is not None and wanted == has.upstream)


def _patch_client(client: Any, options: Options) -> None:
    if resolve(client, "beta.threads.runs") is None:
        raise StreamingAssistantsError(
            f"The installed openai {openai.__version__} has no client.beta.threads to patch: "
            "install an earlier release, which has it."
        )
    patched = vars(client)[_KEY] = _Patched(options)
    makes: dict[tuple[str, str], list[Callable[[Method], Method]]] = {}
    # Innermost first: an adapted call is what a stream's own call falls back to.
    for adaptation in adaptations(client, repair=options.repair):
        makes.setdefault((adaptation.resource, adaptation.method), []).append(adaptation.make)
    raw: list[tuple[str, str]] = []
    for capability in TABLE:
        if not capability.concerns(client):
            continue
        found = judge(capability, client, repair=options.repair)
        log.debug("%s: %s (%s)", *found)
        if found.provider == OURS:
            make = _for_client(capability.make, client)
            makes.setdefault((capability.resource, capability.method), []).append(make)
            if capability.raw:
                raw.append((capability.resource, capability.method))
    # After the judging, which asks what the SDK has, and before the methods that go on them.
    for owner, name, value in namespaces(client):
        patched.patches.append(Placed(owner, name, value))
    for (resource, method), layers in makes.items():
        patched.patches.append(Patch(resolve(client, resource), method, layers))
    for name in ("copy", "with_options"):
        patched.patches.append(Patch(client, name, [lambda below: _patching(below, options)]))
    patched.patches.append(Patch(client, "request", [saying_once(client), explaining(client)]))
    if options.backend is not None:
        patched.detach = options.backend.attach(client)
    _renew_raw_views(client)
    patched.patches.extend(_in_raw_views(client, raw))


def _for_client(make: Callable[[Any, Method], Method], client: Any) -> Callable[[Method], Method]:
    return lambda below: make(client, below)


def _patching(below: Method, options: Options) -> Method:
    """A function that makes clients, patched ones."""
    return lambda *args, **kwargs: patch(
        below(*args, **kwargs), repair=options.repair, backend=options.backend
    )


def _renew_raw_views(client: Any) -> None:
    """Makes every ``with_raw_response`` anew, in place: it holds the methods as they were."""
    resources = [client, *(resolve(client, path) for path in _sdk.RESOURCES)]
    views = [pair for resource in resources if resource is not None for pair in _sdk.raw_views(resource)]
    for view, source in views:
        view.__init__(source)


def _in_raw_views(client: Any, raw: list[tuple[str, str]]) -> Iterator[Placed]:
    """Shows what the SDK lacks in every raw view that leads to it: the namespaces, then the methods."""
    for namespace in NAMESPACES:
        for kind, view in _sdk.views_of(client, namespace.owner):
            if not hasattr(view, namespace.name):
                yield Placed(view, namespace.name, getattr(resolve(client, namespace.path), kind))
    for resource in {resource for resource, _ in raw}:
        owner = resolve(client, resource)
        added = {method: getattr(owner, method) for path, method in raw if path == resource}
        for path in (resource, f"beta.{resource}"):  # a namespace is found wherever the SDK has it
            for kind, view in _sdk.views_of(client, path):
                for method, found in added.items():
                    if not hasattr(view, method):
                        yield Placed(view, method, _sdk.in_view(kind, found, is_async=_sdk.is_async(client)))


def _patch_module(module: ModuleType, options: Options) -> None:
    if _KEY in vars(module):
        return
    patched = vars(module)[_KEY] = _Patched(options)
    # The module makes its client on first use, and anew after a reset: each is patched as it comes.
    for owner in _sdk.module_loaders():
        patched.patches.append(Patch(owner, "_load_client", [lambda below: _patching(below, options)]))
    for namespace in NAMESPACES:
        if not namespace.owner and not hasattr(module, namespace.name):
            patched.patches.append(Placed(module, namespace.name, _sdk.ModuleAttribute(namespace.name)))


def _unpatch_module(module: ModuleType) -> None:
    patched: _Patched | None = vars(module).pop(_KEY, None)
    if patched is not None:
        for each in reversed(patched.patches):
            each.undo()
        made = _sdk.made_module_client()
        if made is not None:
            unpatch(made)
