"""One endpoint of the API, and how a client of either colour calls it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from streaming_assistants import _sdk
from streaming_assistants._patch.patches import through
from streaming_assistants._protocol import models
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Method, Model

from .operations import Operation, Request, spoken
from .pages import advancing


@dataclass(frozen=True)
class Endpoint:
    """``verb`` and ``operation`` make the request, ``model`` names what comes back.

    ``page`` is the SDK's kind of page that it comes in, without the colour; none for one object. ``path``
    is where a client has the SDK's method for it, whose wrappers see the call as they see the SDK's.
    """

    verb: str
    operation: Operation
    model: str
    page: str = ""
    path: str = ""

    def request(self, args: tuple[object, ...], kwargs: Mapping[str, object], **headers: str) -> Request:
        """The request for a call. Raises TypeError and ValueError for what is wrong with it."""
        return self.operation.plain(args, kwargs, **headers)

    def send(self, client: object, request: Request, **options: object) -> Model:
        """What the server answers; from an async client an awaitable of it, and a page is also iterable."""
        model = models.model(self.model)
        options = spoken(client, {**request.options, **options})
        if self.path:
            said = {**request.said, "extra_headers": options["headers"]}
            return through(client, self.path, lambda: self._sent(client, request, model, options), said)
        return self._sent(client, request, model, options)

    def _sent(self, client: AnyClient, request: Request, model: object, options: Arguments) -> Model:
        if self.page:
            pages = importlib.import_module("openai.pagination")
            kind = getattr(pages, ("Async" if _sdk.is_async(client) else "Sync") + self.page)
            return client.get_api_list(
                request.path,
                page=advancing(kind[model]),
                model=model,
                body=request.body or None,
                options=options,
                method=self.verb,
            )
        call = getattr(client, self.verb)
        if self.verb == "get":
            return call(request.path, cast_to=model, options=options)
        return call(request.path, cast_to=model, body=request.body or None, options=options)

    def raw(self, client: object, request: Request, **options: object) -> Model:
        """The response instead of the object."""
        headers = {**request.options["headers"], **_sdk.RAW_HEADER}
        return self.send(client, request, headers=headers, **options)

    def bound(self, client: object) -> Method:
        """The method that calls it."""

        def call(*args: object, **kwargs: object) -> Model:
            return self.send(client, self.request(args, kwargs))

        call.__name__ = call.__qualname__ = self.operation.name
        return call
