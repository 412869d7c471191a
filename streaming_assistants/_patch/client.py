"""Applies the table to a client, and takes it back."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, TypeVar, overload

import openai

from streaming_assistants import _sdk
from streaming_assistants._resources.adapted import saying_once
from streaming_assistants._sdk.untyped import AnyClient, Method
from streaming_assistants.errors import StreamingAssistantsError

from .adaptations import judge_adaptations
from .by_class import ClientClass, PatchedClass, left_alone, patched_class
from .capability import judge
from .closed import explaining
from .defaults import KEY
from .display import Capabilities
from .late import PATCHING
from .namespaces import OWNERS, STORES, judge_namespace
from .patched import Patched
from .table import TABLE

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


# An Azure client is an OpenAI client too, so it comes first; its type is the more exact one.
@overload
def patch(
    client: openai.AzureOpenAI, *, repair: bool = True, resume: bool = False, backend: Backend = None
) -> PatchedAzureOpenAI: ...
@overload
def patch(
    client: openai.AsyncAzureOpenAI, *, repair: bool = True, resume: bool = False, backend: Backend = None
) -> PatchedAsyncAzureOpenAI: ...
@overload
def patch(
    client: openai.OpenAI, *, repair: bool = True, resume: bool = False, backend: Backend = None
) -> PatchedOpenAI: ...
@overload
def patch(
    client: openai.AsyncOpenAI, *, repair: bool = True, resume: bool = False, backend: Backend = None
) -> PatchedAsyncOpenAI: ...
@overload
def patch(
    client: ModuleType, *, repair: bool = True, resume: bool = False, backend: Backend = None
) -> ModuleType: ...
@overload
def patch(
    client: type[ClientT], *, repair: bool = True, resume: bool = False, backend: Backend = None
) -> type[ClientT]: ...
def patch(client: object, *, repair: bool = True, resume: bool = False, backend: Backend = None) -> object:
    """Makes Assistants code work on this client; gives back the same object.

    ``client`` is an ``OpenAI``, ``AsyncOpenAI``, ``AzureOpenAI`` or ``AsyncAzureOpenAI``, the ``openai``
    module, or one of those classes: then each client that is made of it from now on is patched. What the
    installed SDK lacks is added; what it has and is defective is replaced, unless ``repair`` is False; what
    is sound stays the SDK's. Whether it is sound is found out by the first call that has to know, once in a
    process; :func:`capabilities` asks everything at once. Copies made with ``with_options()`` or ``copy()``
    are patched too. Patching twice changes nothing, but a client that has no backend can be given one, and
    its streams can be made to resume. An exception leaves the client as it was.

    ``resume``: a run's stream whose connection breaks goes on, unless its call says ``resume=False``.

    ``backend`` answers the client's Assistants requests in process, for where no server is left that
    does: ``"responses"`` and ``"chat"`` take inference from the client's own server (``POST /responses``,
    ``POST /chat/completions``), ``"echo"`` needs none, and a
    :class:`~streaming_assistants.backend.LocalBackend` says more (a store on disk, names of models).
    Clients of one address and key share one ``"responses"`` or ``"chat"`` backend; an ``"echo"`` is each
    client's own.

    Raises TypeError for anything else than a client, ValueError for another backend than the one that a
    patched client has, ImportError where the backend's packages are not installed.
    """
    with PATCHING:
        if isinstance(client, ModuleType):
            _patch_module(_checked_module(client), repair, resume, backend)
        elif _sdk.is_client_class(client):
            patch_class(client, repair=repair, resume=resume, backend=backend)
        else:
            _patch_client(_checked(client), repair, resume, backend)
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
def unpatch(client: object) -> object:
    """Takes back what :func:`patch` did; gives back the same object.

    Another library's wrapper that was put on top since stays, and calls the SDK's own again. On a client
    that is not patched nothing happens.
    """
    with PATCHING:
        if isinstance(client, ModuleType):
            _unpatch_module(_checked_module(client))
        elif _sdk.is_client_class(client):
            of_class = patched_class(client)
            if of_class is not None:
                of_class.take_back()
        else:
            patched: Patched | None = _checked(client).__dict__.pop(KEY, None)
            if patched is not None:
                patched.take_back()
    return client


def capabilities(client: object) -> Capabilities:
    """What the client can do, who provides it, and why: ``print(capabilities(client))``."""
    if isinstance(client, ModuleType):
        client = _sdk.module_client(_checked_module(client))
    client = _checked(client)
    patched: Patched | None = client.__dict__.get(KEY)
    repair = patched.repair if patched is not None else True
    spaces = [judge_namespace(client, owner) for owner in OWNERS]
    rows = [judge(each, client, repair=repair) for each in TABLE if each.concerns(client)]
    # A method that is sound may still lack a parameter: one row tells it.
    adapted = {row.capability: row for row in judge_adaptations(client, repair=repair)}
    rows = [adapted.pop(row.capability, row) for row in rows]
    return Capabilities((*spaces, *rows, *adapted.values()))


def _checked(client: AnyClient) -> AnyClient:
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


def patch_class(
    kind: ClientClass,
    *,
    repair: bool = True,
    resume: bool = False,
    backend: Backend = None,
    ready: Callable[[AnyClient], object] | None = None,
) -> PatchedClass:
    """Has the clients of a class patched as they are made; ``ready`` is called with each before that.

    What :func:`patch` is told of one of them later goes over this. Raises ValueError where the class is
    patched already.
    """
    if patched_class(kind) is not None:
        raise ValueError(f"the class {kind.__name__} is patched already: unpatch() it first")
    if isinstance(backend, str):
        _backend(backend).close()  # for its errors, now and not with the first client

    def patched(client: AnyClient) -> None:
        with PATCHING:
            if ready is not None:
                ready(client)
            _patch_client(client, repair, resume, backend)
            client.__dict__[KEY].of_class = True

    return PatchedClass(kind, patched)


def _backend(wanted: str | LocalBackend, client: AnyClient = None) -> LocalBackend:
    from streaming_assistants.backend import resolve as resolve_backend  # its packages are an extra

    return resolve_backend(wanted, client)


def _lacks(patched: Patched, wanted: str | LocalBackend) -> bool:
    """Whether what is patched has no backend yet. Raises ValueError where it has another than ``wanted``."""
    has = patched.backend
    if has is None:
        return True
    if wanted is not has and wanted != has.upstream:
        raise ValueError("the client is patched with another backend: unpatch() it first")
    return False


def _patch_client(client: AnyClient, repair: bool, resume: bool, backend: str | LocalBackend | None) -> None:
    patched: Patched | None = client.__dict__.get(KEY)
    is_said_anew = backend is not None and patched is not None and backend is not patched.backend
    if patched is not None and is_said_anew and patched.of_class and patched.backend is not None:
        client.__dict__.pop(KEY).take_back()  # what is said of one client goes over what its class was told
        patched = None
    if patched is not None:
        if backend is not None and _lacks(patched, backend):
            patched.attach(_backend(backend, client))
        patched.resume = patched.resume or resume
        return
    if not _sdk.declares(client.beta.__class__, "threads"):
        raise StreamingAssistantsError(
            f"The installed openai {openai.__version__} has no client.beta.threads to patch: "
            "install an earlier release, which has it."
        )
    patched = Patched(repair, resume)
    try:
        patched.put_on(client)
        for name in ("copy", "with_options"):
            patched.method(client, name, _patching(patched))
        patched.method(client, "request", saying_once(client), explaining(client))
        if backend is not None:
            patched.attach(_backend(backend, client))
    except BaseException:
        patched.take_back()
        raise
    client.__dict__[KEY] = patched


def _patching(patched: Patched) -> Callable[[Method], Method]:
    """For a function that makes clients: patched ones."""

    def make(below: Method) -> Method:
        def made(*args: object, **kwargs: object) -> AnyClient:
            with left_alone():
                client = below(*args, **kwargs)
            return patch(client, repair=patched.repair, resume=patched.resume, backend=patched.backend)

        return made

    return make


def _patch_module(module: ModuleType, repair: bool, resume: bool, backend: str | LocalBackend | None) -> None:
    patched: Patched | None = module.__dict__.get(KEY)
    has = patched or Patched(repair, resume)
    if backend is not None and _lacks(has, backend):
        has.backend = _backend(backend)
    has.resume = has.resume or resume
    if patched is None:
        # The module makes its client on first use, and anew after a reset: each is patched as it comes.
        for owner in _sdk.module_loaders():
            has.method(owner, "_load_client", _patching(has))
        if not hasattr(module, STORES):
            has.attribute(module, STORES, _sdk.ModuleAttribute(STORES))
        module.__dict__[KEY] = has


def _unpatch_module(module: ModuleType) -> None:
    patched: Patched | None = module.__dict__.pop(KEY, None)
    if patched is not None:
        patched.take_back()
        made = _sdk.made_module_client()
        if made is not None:
            unpatch(made)
