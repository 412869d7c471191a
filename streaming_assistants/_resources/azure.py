"""Azure OpenAI: which endpoints are a deployment's, and which are the resource's own."""

from __future__ import annotations

from collections.abc import Callable

from streaming_assistants import _sdk

OWN = ("assistants", "threads", "vector_stores", "files")
"""What is served at ``/openai/...`` whatever deployment the client was built with."""


def prepared(client: object, below: Callable[[str], object]) -> Callable[[str], object]:
    """The client's way from an endpoint's path to its URL, without the deployment where it is not one's."""

    def prepare(url: str) -> object:
        is_own = url.lstrip("/").split("/")[0].split("?")[0] in OWN
        return below(_sdk.absolute(client, "/" + url.lstrip("/")) if is_own else url)

    return prepare
