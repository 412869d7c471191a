"""The bodies of requests, as they come: bounded in size and in time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from .._engine import api_errors
from .._engine.api_errors import ApiError
from .._http.forms import LARGEST_FORM, Form, FormReader

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_UPLOAD = LARGEST_FORM
LARGEST_JSON = 20 * 1024 * 1024
PATIENCE = 60.0
"""Seconds that a body may take,"""
_SLOWEST = 8192  # and one more for so many bytes
_FORM_OVERHEAD = 128 * 1024  # what a form may have beside its file


class Bodies:
    """Reads them. ``max_upload`` and ``max_json`` bound them, in bytes."""

    def __init__(self, max_upload: int, max_json: int, patience: float) -> None:
        self._max_upload = max_upload
        self._max_json = max_json
        self._patience = patience
        self._stopping = False
        self._reading: set[anyio.CancelScope] = set()

    def stop(self) -> None:
        """Waits for no more of them."""
        self._stopping = True
        for scope in list(self._reading):
            scope.cancel()

    def limit(self, headers: Mapping[str, str], *, form: bool, ours: bool) -> int:
        """How large a body may be. Raises the API's 413 for one that says that it is larger."""
        limit = self._max_upload if form else self._max_json
        told = headers.get("content-length", "")
        if told.isdecimal() and int(told) > limit + (_FORM_OVERHEAD if form and ours else 0):
            raise api_errors.too_large(limit)
        return limit

    async def whole(self, http: Request, limit: int) -> bytes:
        return b"".join([part async for part in self.parts(http, limit)])

    async def form(self, http: Request, headers: Mapping[str, str], limit: int) -> Form:
        """The body, which is a form. What has come of one whose sender leaves is dropped."""
        reader = FormReader(headers["content-type"], min(limit, LARGEST_FORM))
        try:
            async for part in self.parts(http, limit + _FORM_OVERHEAD):
                reader.feed(part)
            return reader.close()
        except BaseException:
            reader.abandon()
            raise

    async def parts(self, http: Request, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes."""
        stream, size, waited = http.stream(), 0, 0.0
        while True:
            part: bytes | None = None
            began = anyio.current_time()
            late = began + self._patience + size / _SLOWEST - waited
            with anyio.CancelScope(deadline=late) as waiting, listed(self._reading, waiting):
                part = await anext(stream, b"")
            waited += anyio.current_time() - began
            if self._stopping:
                raise shutting_down()
            if part is None:
                raise api_errors.too_slow()
            if not part:
                return
            size += len(part)
            if size > limit:
                raise api_errors.too_large(limit)
            yield part


def shutting_down() -> ApiError:
    return ApiError(503, "The server is being shut down.")


@contextmanager
def listed(scopes: set[anyio.CancelScope], scope: anyio.CancelScope) -> Iterator[None]:
    """Has a scope among the others as long as it lasts."""
    scopes.add(scope)
    try:
        yield
    finally:
        scopes.discard(scope)
