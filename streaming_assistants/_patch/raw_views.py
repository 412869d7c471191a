"""Keeps ``with_raw_response`` and ``with_streaming_response`` in step with what is patched."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_assistants import _sdk

from .namespaces import NAMESPACES
from .patches import AddedAttribute
from .table import resolve


def renew_raw_views(client: object) -> None:
    """Makes every ``with_raw_response`` anew, in place: it holds the methods as they were."""
    resources = [client, *(resolve(client, path) for path in _sdk.RESOURCES)]
    views = [pair for resource in resources if resource is not None for pair in _sdk.raw_views(resource)]
    for view, source in views:
        view.__init__(source)


def added_in_raw_views(client: object, raw: list[tuple[str, str]]) -> Iterator[AddedAttribute]:
    """Shows what the SDK lacks in every raw view that leads to it: the namespaces, then the methods."""
    for namespace in NAMESPACES:
        for kind, view in _sdk.views_of(client, namespace.owner):
            if not hasattr(view, namespace.name):
                yield AddedAttribute(view, namespace.name, getattr(resolve(client, namespace.path), kind))
    for resource in {resource for resource, _ in raw}:
        owner = resolve(client, resource)
        added = {method: getattr(owner, method) for path, method in raw if path == resource}
        for path in (resource, f"beta.{resource}"):  # a namespace is found wherever the SDK has it
            for kind, view in _sdk.views_of(client, path):
                for method, found in added.items():
                    if not hasattr(view, method):
                        yield AddedAttribute(
                            view, method, _sdk.in_view(kind, found, is_async=_sdk.is_async(client))
                        )
