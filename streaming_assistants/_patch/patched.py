"""What is put on one client, as its objects come to be, and how it is taken back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._resources import operations as requests
from streaming_assistants._resources import stores
from streaming_assistants._sdk.untyped import AnyClient, Method, Resource

from .adaptations import adaptations
from .capability import Capability, resolve
from .late import Late, Place, is_late, when_made
from .namespaces import OWNERS, STORES
from .patches import AddedAttribute, ReplacedMethod
from .table import TABLE

if TYPE_CHECKING:
    from streaming_assistants.backend import LocalBackend

log = logging.getLogger("streaming_assistants")


class _Facts(NamedTuple):
    """What, beside its class, decides which methods of a resource need something."""

    version: str
    is_async: bool
    repair: bool


@cache
def _needs(path: str, kind: type, facts: _Facts) -> dict[str, list[Capability]]:
    """What goes over each method of a resource, innermost first: the same for all clients that have it."""
    needs: dict[str, list[Capability]] = {}
    # An adapted call is what a stream's own call falls back to.
    for adaptation in adaptations(path, kind, **facts._asdict()):
        needs.setdefault(adaptation.method, []).extend(adaptation.capabilities())
    for capability in TABLE:
        if capability.resource != path:
            continue
        if capability.missing(kind) is not None:
            needs.setdefault(capability.method, []).append(replace(capability, story=None))
        elif capability.story is not None and facts.repair:
            needs.setdefault(capability.method, []).append(capability)
    return needs


@cache
def _below(path: str) -> Mapping[str, str]:
    """The paths of the resources that an object carries, by their names there."""
    parted = ((child.rpartition("."), child) for child in _sdk.RESOURCES)
    return {name: child for (owner, _, name), child in parted if owner == path}


class Patched:
    """What is kept of a patched client, or of the module: how it was patched, and how to take it back."""

    def __init__(self, repair: bool, resume: bool = False) -> None:
        self.repair = repair
        self.resume = resume
        self.backend: LocalBackend | None = None
        self.of_class = False  # its class was told so, and nobody of this client
        self._is_on = True
        self._patches: list[ReplacedMethod | AddedAttribute] = []
        self._awaited: list[tuple[Place, str, Late]] = []
        self._places: list[Place] = []
        self._added: set[str] = set()
        self._detach: Callable[[], None] | None = None

    def put_on(self, client: AnyClient) -> None:
        """Puts on a client what it needs: on the objects that it has by now, on others when it has them."""
        self._client = client
        self._facts = _Facts(requests.version(client), _sdk.is_async(client), self.repair)
        places = dict(zip(OWNERS, (Place.of(client), Place.of(client.beta)), strict=True))
        for path, place in places.items():
            self._methods(path, place)
        for name in ("assistants", "threads"):
            self._resource(f"beta.{name}", places["beta"].below(name))
        self._stores(list(places.values()))
        for path, place in reversed(places.items()):
            self._views(path, place)

    def method(self, owner: Resource, name: str, *makes: Callable[[Method], Method]) -> None:
        """Puts ``makes`` in the place of a method, innermost first."""
        self._patches.append(ReplacedMethod(Place.of(owner), name, makes, self._warns))

    def attribute(self, owner: Resource, name: str, value: object) -> None:
        """Puts an attribute where the SDK has none."""
        self._patches.append(AddedAttribute(Place.of(owner), name, value))

    def attach(self, backend: LocalBackend) -> None:
        """Has ``backend`` answer the client, and takes the SDK's warnings from what was left alone."""
        self._detach = backend.attach(self._client)
        self.backend = backend
        for place in self._places:
            if self._quieten(place):
                _renew(place)

    def take_back(self) -> None:
        """Puts everything back; what another program put on top since stays."""
        self._is_on = False
        for each in reversed(self._patches):
            each.undo()
        for place, name, late in self._awaited:
            if is_late(late) and place.space.get(name) is late:
                del place.space[name]
        for place in self._places:
            _renew(place)
        if self._detach is not None:
            self._detach()

    # ---------------------------------------------------------------- one object after the other

    def _resource(self, path: str, place: Place) -> None:
        self._methods(path, place)
        for name, child in _below(path).items():
            self._resource(child, place.below(name))
        self._views(path, place)

    def _methods(self, path: str, place: Place) -> None:
        self._places.append(place)
        for name, needs in _needs(path, place.kind, self._facts).items():
            needed = [each for each in needs if each.concerns(self._client) and each.may_be_needed()]
            if any(each.raw and each.story is None for each in needed):
                self._added.add(path)
            for each in needed if log.isEnabledFor(logging.DEBUG) else ():
                log.debug("%s: %s", each.name, "added" if each.story is None else "judged when it is called")
            if needed:
                makes = [partial(each.over, self._client) for each in needed]
                self._patches.append(ReplacedMethod(place, name, makes, self._warns, needed))
        if self.backend is not None:
            self._quieten(place)

    def _warns(self) -> bool:
        return self.backend is None  # with a backend nothing is deprecated

    def _quieten(self, place: Place) -> bool:
        """Whether there was something that warns."""
        loud = [name for name in _sdk.deprecated_methods(place.kind) if name not in place.space]
        self._patches += [ReplacedMethod(place, name, (), self._warns) for name in loud]
        return bool(loud)

    def _await(self, place: Place, name: str, then: Callable[[Place], None]) -> None:
        late = when_made(place, name, partial(self._made, then))
        if late is not None:
            self._awaited.append((place, name, late))

    def _made(self, then: Callable[[Place], None], place: Place) -> None:
        if self._is_on:
            then(place)

    def _stores(self, places: Iterable[Place]) -> None:
        """One resource for all places: the SDK's, wherever it has that, or ours."""
        having = [place for place in places if _sdk.declares(place.kind, STORES)]
        visit = partial(self._resource, STORES)
        if having:
            self._await(having[0], STORES, visit)
            shared = having[0].below(STORES).owner
        else:
            shared = Late(partial(stores.VectorStores, self._client), partial(self._made, visit))
        for place in places:
            if place not in having:
                self._patches.append(AddedAttribute(place, STORES, shared))

    # ---------------------------------------------------------------- raw views

    def _views(self, path: str, place: Place) -> None:
        """Has the raw views of an object show what is patched, and what the SDK lacks."""
        _renew(place)
        if self._is_shown(path) and not issubclass(
            place.kind, stores.Resource
        ):  # ours show all that they have
            for kind in _sdk.RAW:
                self._await(place, kind, partial(self._view, kind, path))

    def _view(self, kind: str, path: str, view: Place) -> None:
        """Adds to a raw view, of that kind and of what is at ``path``, what the SDK lacks there."""
        below = dict(_below(path))
        if path in OWNERS and not view.has(STORES):
            late = Late(lambda: getattr(resolve(self._client, STORES), kind), lambda _: None)
            self._patches.append(AddedAttribute(view, STORES, late))
        elif path in OWNERS:
            below[STORES] = STORES
        for capability in TABLE:
            name = capability.method
            if capability.raw and capability.resource == path and not view.has(name):
                method = getattr(resolve(self._client, path), name)
                shown = _sdk.in_view(kind, method, is_async=self._facts.is_async)
                self._patches.append(AddedAttribute(view, name, shown))
        for name, child in below.items():
            if self._is_shown(child):
                self._await(view, name, partial(self._view, kind, child))

    def _is_shown(self, path: str) -> bool:
        """Whether a raw view of what is at ``path`` lacks something, or one below it."""
        return path in (*OWNERS, STORES) or any(f"{each}.".startswith(f"{path}.") for each in self._added)


def _renew(place: Place) -> None:
    """Makes the raw views of an object anew, in place: they hold its methods as they were."""
    for view, source in list(_sdk.raw_views(place.space, place.owner)):
        view.__init__(source)
