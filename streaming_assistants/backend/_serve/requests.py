"""A request as it came over the socket: its path, what its body is, whether its caller is still there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import anyio

from .._engine import api_errors
from .._engine.api_errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope


def target(scope: Scope) -> bytes:
    """The path as it was sent, from where the app is mounted on."""
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    root: bytes = scope.get("root_path", "").encode()
    return target[len(root) :] if root and target.startswith(root + b"/") else target


def is_form(headers: Mapping[str, str], *, taken: bool) -> bool:
    """Whether the body is a form. Raises for a body that is neither that, where it is taken, nor JSON."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    given = headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if taken and kind == "multipart/form-data":
        return True
    if kind != "application/json":
        raise api_errors.wrong_type(given)
    return False


def refused(error: ApiError) -> Response:
    """The answer to a request that is refused."""
    from starlette.responses import Response

    return Response(json.dumps(error.body), error.status, error.headers, "application/json")


async def while_there(http: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
    """The answer; the upstream is not asked on for a caller who has hung up. The body has been read."""
    from starlette.requests import ClientDisconnect

    came: list[Response | Exception] = []
    async with anyio.create_task_group() as group:

        async def asked() -> None:
            try:
                came.append(await answer())
            except Exception as error:  # noqa: BLE001 - raised below, out of the group
                came.append(error)
            group.cancel_scope.cancel()

        group.start_soon(asked)
        while (await http.receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()
    if not came:
        raise ClientDisconnect
    if isinstance(came[0], Exception):
        raise came[0]
    return came[0]
