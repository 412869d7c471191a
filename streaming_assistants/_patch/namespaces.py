"""The attributes that hold resources: each SDK has them in one place, or in another, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from streaming_assistants import _sdk
from streaming_assistants._resources import stores as vector_stores

from .display import OURS, SDK, Judgement
from .table import resolve


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
