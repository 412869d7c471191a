"""The backend over a socket, for clients in other languages: an ASGI app, and the command that runs it."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from .local import LocalBackend
from .outside import Client

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request as HttpRequest
    from starlette.responses import Response as HttpResponse

logger = logging.getLogger("streaming_assistants")

_SHOWN = ("content-type", "content-disposition", "x-request-id", "retry-after")
"""Headers of the upstream's answers that are passed on; the body comes decoded."""


def app(backend: LocalBackend, client: Client) -> Starlette:
    """An ASGI app that answers the Assistants API, with or without ``/v1`` before its paths.

    ``client`` is the AsyncOpenAI that the upstream is asked through. Requests for files and vector stores go
    to its server, with its key; with the echo upstream there is none. Raises ImportError when Starlette is
    not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import Response, StreamingResponse
        from starlette.routing import Route
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error

    from .app import Request
    from .paths import assistants_path, beside_path
    from .transport import pass_on, run_async

    async def answer(http: HttpRequest) -> HttpResponse:
        beside = beside_path(http.url.path)
        path = assistants_path(http.url.path, "") or beside or http.url.path
        headers = {name.lower(): value for name, value in http.headers.items()}
        request = Request(http.method, path, http.url.query, headers, await http.body())
        reply, feed = await run_async(backend, client, request)
        if beside is not None and reply.status == 404 and backend.upstream in ("responses", "chat"):
            return await elsewhere(request)
        if feed is None:
            return Response(reply.body, reply.status, reply.headers)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for chunk in feed:
                    yield chunk
            finally:
                feed.close()

        return StreamingResponse(body(), reply.status, reply.headers)

    async def elsewhere(request: Request) -> HttpResponse:
        try:
            response = await pass_on(client, request)
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2"):
                raise
            logger.warning("The upstream could not be reached: %s", error)
            message = f"The upstream could not be reached: {error}"
            told = {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
            return Response(json.dumps(told), 502, {"content-type": "application/json"})

        async def body() -> AsyncIterator[bytes]:
            try:
                async for chunk in response.aiter_bytes():
                    yield chunk
            finally:
                await response.aclose()

        headers = {name: response.headers[name] for name in _SHOWN if name in response.headers}
        return StreamingResponse(body(), response.status_code, headers)

    methods = ["GET", "POST", "DELETE", "PUT", "PATCH"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)])


def serve(
    *,
    upstream: str = "responses",
    store: str = "sqlite://",
    host: str = "127.0.0.1",
    port: int = 8000,
    base_url: str | None = None,
    models: dict[str, str] | None = None,
) -> None:
    """Serves until the process is told to end. The upstream's key and address come from the environment
    (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``) unless ``base_url`` is given.

    Raises ImportError when uvicorn or Starlette are not installed.
    """
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    with LocalBackend(upstream, store, models=models) as backend:
        uvicorn.run(app(backend, _client(upstream, base_url)), host=host, port=port, log_level="info")


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m streaming_assistants serve``: reads the arguments and serves."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants serve",
        description="Serve the Assistants API, with inference from another API.",
    )
    parser.add_argument(
        "--upstream", default="responses", choices=["responses", "chat", "echo"], help="default: responses"
    )
    parser.add_argument("--store", default="sqlite://", help="SQLAlchemy URL; default: sqlite:// (memory)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--base-url", help="the upstream's address; default: OPENAI_BASE_URL, else OpenAI's")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=UPSTREAM_NAME",
        help="use another model than the one that the assistant names; may be repeated",
    )
    given = parser.parse_args(argv)
    models = dict(pair.split("=", 1) for pair in given.model if "=" in pair)
    if len(models) < len(given.model):
        parser.error("--model takes NAME=UPSTREAM_NAME")
    try:
        serve(
            upstream=given.upstream,
            store=given.store,
            host=given.host,
            port=given.port,
            base_url=given.base_url,
            models=models,
        )
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    return 0


def _client(upstream: str, base_url: str | None) -> Client:
    import openai

    if upstream == "echo":
        return openai.AsyncOpenAI(api_key="unused", base_url=base_url)
    return openai.AsyncOpenAI(base_url=base_url)


def _not_installed(error: ModuleNotFoundError) -> ImportError:
    return ImportError(
        f"Serving needs {error.name}, which is not installed: pip install 'streaming_assistants[serve]'"
    )
