"""What is installed in this process: the classes of clients, and the backend that they share."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING

import openai

from streaming_assistants import _sdk
from streaming_assistants._patch.by_class import PatchedClass
from streaming_assistants._patch.client import patch, patch_class, unpatch
from streaming_assistants._sdk.untyped import AnyClient

from .settings import Settings, from_environment

if TYPE_CHECKING:
    from streaming_assistants.backend import LocalBackend


class Installed:
    """Settings, put on all clients that this process makes from now on."""

    def __init__(self, settings: Settings, given: LocalBackend | None) -> None:
        self.settings = settings
        self._own = _made(settings)
        self.backend = given or self._own
        self._clients: weakref.WeakSet[AnyClient] = weakref.WeakSet()
        self._classes: list[PatchedClass] = []
        self._asked = openai.base_url
        try:
            for name in _sdk.CLIENTS:
                made = patch_class(
                    getattr(openai, name),
                    repair=settings.repair,
                    resume=settings.resume,
                    backend=self.backend,
                    ready=self._ready,
                )
                self._classes.append(made)
            if settings.base_url is not None:
                openai.base_url = settings.base_url
            patch(openai, repair=settings.repair, resume=settings.resume, backend=self.backend)
        except BaseException:
            self.take_back()
            raise

    def _ready(self, client: AnyClient) -> None:
        self._clients.add(client)
        if self.settings.base_url is not None:
            _sdk.send_elsewhere(client, self.settings.base_url)

    def take_back(self) -> None:
        """Takes it from the classes, and from the clients that there are."""
        for each in reversed(self._classes):
            each.take_back()
        unpatch(openai)
        if self.settings.base_url is not None:
            openai.base_url = self._asked
        for client in list(self._clients):
            unpatch(client)
        if self._own is not None:
            self._own.close()


class _Process:
    """What is installed in this process."""

    installed: Installed | None = None


def install(
    backend: str | LocalBackend | None = None,
    store: str | os.PathLike[str] | None = None,
    *,
    repair: bool = True,
    resume: bool = False,
    base_url: str | None = None,
    models: Mapping[str, str] | None = None,
) -> None:
    """Has every client patched that this program makes from now on, whoever makes it.

    ``OpenAI``, ``AsyncOpenAI``, ``AzureOpenAI``, ``AsyncAzureOpenAI``, classes that derive from them, and
    the ``openai`` module's own client: each is patched as it is made, as ``patch(client, repair=repair,
    resume=resume, backend=backend)`` does it. With ``backend`` all clients of the process share one, on
    ``store`` (the path of a SQLite file or a SQLAlchemy URL; in memory by default), and each asks for
    inference itself. A process that forks off has one of its own, on the same store. ``models`` maps names
    of models in the code to those that the upstream knows. ``base_url`` is what every client asks,
    whatever the program says.

    The same settings may be installed again. Raises ValueError for others than those that are installed,
    for an unknown backend, and for a store or models without one; ImportError where the backend's packages
    are not installed.
    """
    if backend is None or isinstance(backend, str):
        named = None if store is None else os.fspath(store)
        settings = Settings(backend, named, base_url, dict(models or {}), repair, resume)
        given = None
    else:
        if store is not None or models:
            raise ValueError("store= and models= are for a backend by its name: this one has its own.")
        settings, given = Settings(None, None, base_url, {}, repair, resume), backend
    there = _Process.installed
    if there is not None:
        if there.settings != settings or (given is not None and given is not there.backend):
            raise ValueError("other settings are installed in this process: uninstall() them first.")
        return
    _Process.installed = Installed(settings, given)


def uninstall() -> None:
    """Takes back what :func:`install` did, from the clients that were made meanwhile, too; their backend is
    closed. Where nothing is installed nothing happens."""
    there, _Process.installed = _Process.installed, None
    if there is not None:
        there.take_back()


def install_from_environment() -> None:
    """:func:`install` with what the environment says. Raises what that does."""
    settings = from_environment(os.environ)
    install(settings.backend, settings.store, base_url=settings.base_url, models=settings.models)


def _made(settings: Settings) -> LocalBackend | None:
    """The backend of the process."""
    name = settings.backend
    if name is None:
        return None
    from streaming_assistants.backend import LocalBackend  # its packages are an extra
    from streaming_assistants.backend._sharing import ProcessBackend

    store = settings.store or "sqlite://"
    return ProcessBackend(lambda: LocalBackend(name, store, models=settings.models))
