"""Passes requests beside the Assistants API on to the upstream's server, and its answers back."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import anyio
import openai

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import AnyClient, HttpResponse

from .._engine import api_errors
from .._engine.api_errors import ApiError
from .._jobs.masking import Mask, MaskedStream, mask_of
from .._strict_json import decoded
from ..upstreams import registry
from . import passing

if TYPE_CHECKING:
    from starlette.responses import Response

logger = logging.getLogger("streaming_assistants")

_SHOWN = (
    "content-type",
    "content-disposition",
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
)
"""Headers of the upstream's answers that are passed back; the body comes decoded."""


class Broken(Exception):
    """The upstream's answer ended before its end."""


class Forwarding:
    """To the server that ``upstream`` asks. ``models`` are names of models in the code and their names
    there."""

    def __init__(self, upstream: str, models: Mapping[str, str]) -> None:
        self._upstream = upstream
        self._models = models

    def route(self, method: str, path: str) -> passing.PassedOn | None:
        return passing.passed_on(method, path)

    def named_for_upstream(self, body: bytes, deployment: str | None) -> bytes:
        """A JSON body with the model by the name that the upstream has for it."""
        if not body.strip():
            return body
        try:
            value = decoded(body)
        except ValueError as error:
            raise api_errors.not_json(error) from None
        changed = passing.with_model(value, self._models, deployment)
        return body if changed is None else json.dumps(changed).encode()

    async def answer(
        self,
        client: AnyClient,
        method: str,
        route: passing.PassedOn,
        query: str,
        headers: Mapping[str, str],
        content: bytes | AsyncIterator[bytes],
    ) -> Response:
        """What the client's server answers, without the key that it was asked with."""
        from starlette.responses import Response, StreamingResponse

        if self._upstream not in registry.with_server():
            return self._alone(route)
        query = passing.query_of(query)
        response = await self._sent(client, method, self._path(route), query, headers, content)
        mask = mask_of(client, response.request)
        if route.path == "/models" or route.model in self._models:
            body = mask.data(await self._whole(response, mask))
            changed = passing.models_answer(response.status_code, body, self._models, route.model)
            if changed is not None:
                return Response(changed, 200, media_type="application/json")
            return Response(body, response.status_code, _shown(response, mask))
        return StreamingResponse(_passed_back(response, mask), response.status_code, _shown(response, mask))

    def _path(self, route: passing.PassedOn) -> str:
        if route.model is None:
            return route.path
        return f"/models/{self._models.get(route.model, route.model)}"

    async def _sent(
        self,
        client: AnyClient,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        content: bytes | AsyncIterator[bytes],
    ) -> HttpResponse:
        try:
            given = _passed_on(headers, content)
            return await _sdk.send_as(client, method, path, query, given, content)
        except (*_sdk.transport_errors(), openai.OpenAIError) as error:
            raise _unreachable(error, mask_of(client, _sdk.request_of(error))) from None

    async def _whole(self, response: HttpResponse, mask: Mask) -> bytes:
        try:
            body: bytes = await response.aread()
            return body
        except _sdk.transport_errors() as error:
            raise _unreachable(error, mask) from None
        finally:
            await response.aclose()

    def _alone(self, route: passing.PassedOn) -> Response:
        """What is answered where there is no server: the names of models."""
        from starlette.responses import Response

        models = {self._upstream: self._upstream, **self._models}
        changed = None
        if route.path == "/models" or route.model is not None:
            changed = passing.models_answer(404, b"", models, route.model)
        if changed is None:
            raise ApiError(
                404, f"The upstream '{self._upstream}' has no server that could answer {route.path}."
            )
        return Response(changed, 200, media_type="application/json")


async def _passed_back(response: HttpResponse, mask: Mask) -> AsyncIterator[bytes]:
    masked = MaskedStream(mask)
    try:
        async for chunk in response.aiter_bytes():
            if shown := masked.feed(chunk):
                yield shown
        yield masked.close()
    except _sdk.transport_errors() as error:
        raise Broken(mask.text(str(error) or type(error).__name__)) from None
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()


def _shown(response: HttpResponse, mask: Mask) -> dict[str, str]:
    return {name: mask.text(response.headers[name]) for name in _SHOWN if name in response.headers}


def _unreachable(error: Exception, mask: Mask) -> ApiError:
    message = mask.text(f"The upstream could not be reached: {str(error) or type(error).__name__}")
    logger.warning("%s", message)
    return ApiError(502, message)


def _passed_on(headers: Mapping[str, str], content: bytes | AsyncIterator[bytes]) -> dict[str, str]:
    """Those of the caller's headers that say what the body is."""
    names = ("accept", "content-type", "openai-beta")
    given = {name: headers[name] for name in names if headers.get(name, "\xff").isascii()}
    length = headers.get("content-length", "")
    if not isinstance(content, bytes) and length.isdecimal() and "transfer-encoding" not in headers:
        given["content-length"] = length
    return given
