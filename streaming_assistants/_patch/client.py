"""Applies the table to a client, and takes it back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

import openai

from streaming_assistants import _sdk
from streaming_assistants._resources.adapted import saying_once
from streaming_assistants.errors import StreamingAssistantsError

from .adaptations import adaptations
from .closed import explaining
from .display import OURS, Capabilities
from .namespaces import NAMESPACES, judge_namespace, namespaces
from .patches import AddedAttribute, ReplacedMethod
from .raw_views import added_in_raw_views, renew_raw_views
from .table import TABLE, judge, resolve

if TYPE_CHECKING:
    from streaming_assistants._typing import (
        PatchedAsyncAzureOpenAI,
        PatchedAsyncOpenAI,
        PatchedAzureOpenAI,
        PatchedOpenAI,
    )
    from streaming_assistants.backend import LocalBackend
    from streaming_assistants.backend.upstreams.registry import UpstreamName

    Backend: TypeAlias = UpstreamName | LocalBackend | None

ClientT = TypeVar("ClientT")
Method = Callable[..., Any]

log = logging.getLogger("streaming_assistants")

_KEY = "_streaming_assistants"
_LOCK = threading.RLock()  # a module-level client comes to be in whatever thread uses it first


class _Patched:
    """What is kept on a patched client: how it was patched, and how to take it back."""

    def __init__(self, repair: bool) -> None:
        self.repair = repair
        self.backend: LocalBackend | None = None
        self.patches: list[ReplacedMethod | AddedAttribute] = []
        self.detach: Callable[[], None] | None = None

    def patch(
        self,
        owner: object,
        name: str,
        *makes: Callable[[Method], Method],
        takes: Iterable[str] = (),
        leads: tuple[str, ...] = (),
    ) -> None:
        """Puts ``makes`` in the place of a method. With a backend nothing is deprecated."""
        self.patches.append(ReplacedMethod(owner, name, makes, lambda: self.backend is None, takes, leads))

    def place(self, owner: object, name: str, value: object) -> None:
        self.patches.append(AddedAttribute(owner, name, value))

    def attach(self, client: object, backend: LocalBackend) -> None:
        """Has ``backend`` answer the client."""
        self.detach = backend.attach(client)
        self.backend = backend

    def take_back(self) -> None:
        for each in reversed(self.patches):
            each.undo()
        if self.detach is not None:
            self.detach()


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
def patch(client: object, *, repair: bool = True, backend: Backend = None) -> Any:
    """Makes Assistants code work on this client; gives back the same object.

    ``client`` is an ``OpenAI``, ``AsyncOpenAI``, ``AzureOpenAI`` or ``AsyncAzureOpenAI``, or the
    ``openai`` module. What the installed SDK lacks is added; what it has and is defective is replaced,
    unless ``repair`` is False; what is sound stays the SDK's. Copies made with ``with_options()`` or
    ``copy()`` are patched too. Patching twice changes nothing, but a client that has no backend can be given
    one. An exception leaves the client as it was.

    ``backend`` answers the client's Assistants requests in process, for where no server is left that
    does: ``"responses"`` and ``"chat"`` take inference from the client's own server (``POST /responses``,
    ``POST /chat/completions``), ``"echo"`` needs none, and a
    :class:`~streaming_assistants.backend.LocalBackend` says more (a store on disk, names of models).

    Raises TypeError for anything else than a client, ValueError for another backend than the one that a
    patched client has, ImportError where the backend's packages are not installed.
    """
    with _LOCK:
        if isinstance(client, ModuleType):
            _patch_module(_checked_module(client), repair, backend)
        else:
            _patch_client(_checked(client), repair, backend)
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
def unpatch(client: object) -> Any:
    """Takes back what :func:`patch` did; gives back the same object.

    Another library's wrapper that was put on top since stays, and calls the SDK's own again. On a client
    that is not patched nothing happens.
    """
    if isinstance(client, ModuleType):
        _unpatch_module(_checked_module(client))
        return client
    found = _checked(client)
    patched: _Patched | None = vars(found).pop(_KEY, None)
    if patched is not None:
        patched.take_back()
        renew_raw_views(found)
    return client


def capabilities(client: object) -> Capabilities:
    """What the client can do, who provides it, and why: ``print(capabilities(client))``."""
    if isinstance(client, ModuleType):
        client = _sdk.module_client(_checked_module(client))
    client = _checked(client)
    patched: _Patched | None = vars(client).get(_KEY)
    repair = patched.repair if patched is not None else True
    table = [capability for capability in TABLE if capability.concerns(client)]
    rows = [judge(capability, client, repair=repair, full=True) for capability in table]
    spaces = [judge_namespace(client, namespace) for namespace in NAMESPACES]
    # A method that is sound may still lack a parameter: one row tells it.
    adapted = {
        row.capability: row for row in (each.judgement() for each in adaptations(client, repair=repair))
    }
    rows = [adapted.pop(row.capability, row) for row in rows]
    return Capabilities((*spaces, *rows, *adapted.values()))


def _checked(client: object) -> Any:
    """The client, or the one behind a proxy (wrapt's or its like). Raises TypeError for what is neither."""
    if not _sdk.is_client(client):
        raise TypeError(
            "patch() expects an OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI client or the openai "
            f"module, got {client!r:.80} ({type(client).__name__})"
        )
    if issubclass(type(client), client.__class__):
        return client
    behind = getattr(client, "__wrapped__", None)
    if behind is None:
        raise TypeError(
            f"patch() got a {type(client).__name__} that passes for a client and does not say, as "
            "`__wrapped__`, for which: patch the client itself"
        )
    return _checked(behind)


def _checked_module(module: ModuleType) -> ModuleType:
    if module is not openai:
        raise TypeError(f"patch() expects a client or the openai module, got the module {module.__name__!r}")
    return module


def _backend(wanted: str | LocalBackend) -> LocalBackend:
    from streaming_assistants.backend import resolve as resolve_backend  # its packages are an extra

    return resolve_backend(wanted)


def _lacks(patched: _Patched, wanted: str | LocalBackend) -> bool:
    """Whether what is patched has no backend yet. Raises ValueError where it has another than ``wanted``."""
    has = patched.backend
    if has is None:
        return True
    if wanted is not has and wanted != has.upstream:
        raise ValueError("the client is patched with another backend: unpatch() it first")
    return False


def _patch_client(client: object, repair: bool, backend: str | LocalBackend | None) -> None:
    patched: _Patched | None = vars(client).get(_KEY)
    if patched is not None:
        if backend is not None and _lacks(patched, backend):
            _give(client, patched, _backend(backend))
        return
    if resolve(client, "beta.threads.runs") is None:
        raise StreamingAssistantsError(
            f"The installed openai {openai.__version__} has no client.beta.threads to patch: "
            "install an earlier release, which has it."
        )
    patched = _Patched(repair)
    try:
        _put_on(client, patched)
        if backend is not None:
            _give(client, patched, _backend(backend))
    except BaseException:
        patched.take_back()
        renew_raw_views(client)
        raise
    vars(client)[_KEY] = patched


def _put_on(client: object, patched: _Patched) -> None:
    makes: dict[tuple[str, str], list[Callable[[Method], Method]]] = {}
    takes: dict[tuple[str, str], set[str]] = {}
    leads = {(each.resource, each.method): each.leads for each in TABLE if each.leads}
    # Innermost first: an adapted call is what a stream's own call falls back to.
    for adaptation in adaptations(client, repair=patched.repair):
        place = adaptation.resource, adaptation.method
        makes.setdefault(place, []).append(adaptation.make)
        takes.setdefault(place, set()).update(adaptation.later)
    raw: list[tuple[str, str]] = []
    for capability in TABLE:
        if not capability.concerns(client):
            continue
        found = judge(capability, client, repair=patched.repair)
        log.debug("%s: %s (%s)", *found)
        if found.provider == OURS:
            make = _for_client(capability.make, client)
            makes.setdefault((capability.resource, capability.method), []).append(make)
            takes.setdefault((capability.resource, capability.method), set()).update(capability.takes)
            if capability.raw:
                raw.append((capability.resource, capability.method))
    # After the judging, which asks what the SDK has, and before the methods that go on them.
    for owner, name, value in namespaces(client):
        patched.place(owner, name, value)
    for (resource, method), layers in makes.items():
        named = takes.get((resource, method), ())
        first = leads.get((resource, method), ())
        patched.patch(resolve(client, resource), method, *layers, takes=named, leads=first)
    for name in ("copy", "with_options"):
        patched.patch(client, name, lambda below: _patching(below, patched))
    patched.patch(client, "request", saying_once(client), explaining(client))
    renew_raw_views(client)
    patched.patches.extend(added_in_raw_views(client, raw))


def _give(client: object, patched: _Patched, backend: LocalBackend) -> None:
    """Gives a patched client its backend, and takes the SDK's warnings from what was left alone."""
    patched.attach(client, backend)
    for path in _sdk.RESOURCES:
        owner = resolve(client, path)
        for name in _sdk.deprecated_methods(type(owner)):
            if name not in vars(owner):
                patched.patch(owner, name)
    renew_raw_views(client)


def _for_client(make: Callable[[Any, Method], Method], client: object) -> Callable[[Method], Method]:
    return lambda below: make(client, below)


def _patching(below: Method, patched: _Patched) -> Method:
    """A function that makes clients, patched ones."""
    return lambda *args, **kwargs: patch(
        below(*args, **kwargs), repair=patched.repair, backend=patched.backend
    )


def _patch_module(module: ModuleType, repair: bool, backend: str | LocalBackend | None) -> None:
    patched: _Patched | None = vars(module).get(_KEY)
    has = patched or _Patched(repair)
    if backend is not None and _lacks(has, backend):
        has.backend = _backend(backend)
    if patched is None:
        # The module makes its client on first use, and anew after a reset: each is patched as it comes.
        for owner in _sdk.module_loaders():
            has.patch(owner, "_load_client", lambda below: _patching(below, has))
        for namespace in NAMESPACES:
            if not namespace.owner and not hasattr(module, namespace.name):
                has.place(module, namespace.name, _sdk.ModuleAttribute(namespace.name))
        vars(module)[_KEY] = has


def _unpatch_module(module: ModuleType) -> None:
    patched: _Patched | None = vars(module).pop(_KEY, None)
    if patched is not None:
        patched.take_back()
        made = _sdk.made_module_client()
        if made is not None:
            unpatch(made)
