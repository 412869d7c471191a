"""One thing that a client can do: whether the SDK has it and does it right, and what stands in for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Method, Resource

from .display import OURS, SDK, Judgement
from .judge import Story

log = logging.getLogger("streaming_assistants")

Make: TypeAlias = Callable[[AnyClient, Method], Method]
"""From a client and the method below to what is put in its place."""


@dataclass(frozen=True)
class Capability:
    """One thing that a client can do.

    ``resource`` is the path of the object that carries ``method``, below the client; ``parameter`` names
    the parameter that makes the capability, where a method without it is another thing.
    """

    name: str
    resource: str
    method: str
    make: Make
    parameter: str | None = None
    story: Story | None = None
    """What the SDK's own has to get right; nothing where it has no known defect."""
    raw: bool = False
    """Whether the resource's raw views have it too."""
    concerns: Callable[[AnyClient], bool] = lambda _: True
    """Whether a client can need it at all."""
    asked: Callable[[Arguments], bool] = lambda _: True
    """Whether a call, by its keyword arguments, asks for it at all."""
    takes: frozenset[str] = frozenset()
    """The parameters that ours takes, for the signature; the SDK's own come first."""
    leads: tuple[str, ...] = ()
    """Those of them that can be given by place, where the SDK does not have the method."""

    def missing(self, kind: type) -> str | None:
        """Why a class of the SDK for the resource does not have it, or None where it does."""
        method = _sdk.own_method(kind, self.method)
        if method is None:
            return f"the SDK has no {self.resource}.{self.method}()"
        if self.parameter is not None and self.parameter not in _sdk.parameters(method):
            return f"{self.method}() of the SDK has no {self.parameter}="
        return None

    def is_needed(self) -> bool:
        """Whether the SDK tells its story wrong, which is found out now if it was not before."""
        return self.story is None or self.story.divergence() is not None

    def may_be_needed(self) -> bool:
        """The same as far as it is known."""
        return self.story is None or not self.story.is_told or self.is_needed()

    def over(self, client: AnyClient, below: Method) -> Method:
        """What stands over ``below``. The SDK is judged by the first call that has to know."""
        if self.story is None:
            return self.make(client, below)

        @cache
        def chosen() -> Method:
            needed = self.is_needed()
            log.debug("%s is judged: %s", self.name, OURS if needed else SDK)
            return self.make(client, below) if needed else below

        def call(*args: object, **kwargs: object) -> object:
            asks = self.asked(kwargs) and (self.parameter is None or self.parameter in kwargs)
            return (chosen() if asks else below)(*args, **kwargs)

        return call


def judge(capability: Capability, client: AnyClient, *, repair: bool) -> Judgement:
    """Decides who provides ``capability``, and tells all that goes wrong."""
    missing = capability.missing(resolve(client, capability.resource).__class__)
    if missing is not None:
        return Judgement(capability.name, OURS, f"missing: {missing}")
    wrong = capability.story.divergences() if capability.story is not None else ()
    if not wrong:
        return Judgement(capability.name, SDK, "sound")
    return Judgement(capability.name, OURS if repair else SDK, f"defective: {'; '.join(wrong)}")


def resolve(client: AnyClient, path: str) -> Resource:
    """The object at a dotted path below the client, or None. A namespace is found wherever the SDK has it."""
    there = _walk(client, path)
    return _walk(client, f"beta.{path}") if there is None and path.startswith("vector_stores") else there


def _walk(resource: Resource, path: str) -> Resource:
    for name in path.split(".") if path else ():
        resource = getattr(resource, name, None)
    return resource
