"""What a client of a hosted Assistants API that has closed is told.

OpenAI's answers 404 with an empty body since 2026-08-26, Azure OpenAI's 410 with the code
``assistants_api_deprecated``. Neither says what to do.
"""

from __future__ import annotations

from collections.abc import Callable

import openai

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import Method, Model

ADVICE = (
    "The hosted Assistants API is closed (OpenAI's and Azure OpenAI's, since 2026-08-26): "
    "patch(client, backend='responses') runs this code on the Responses API of the same server."
)


def is_closed(error: openai.APIStatusError) -> bool:
    """Whether an error is the answer of an Assistants API that has closed."""
    url = error.response.request.url
    if not any(f"/{name}" in url.path for name in ("assistants", "threads")):
        return False
    if error.status_code == 410:
        return b"assistants_api_deprecated" in error.response.content
    return error.status_code == 404 and url.host.endswith(".openai.com") and not error.response.content


UNLISTED = (
    "This server lists no threads: the hosted API had no such request, and programs kept the ids. "
    "The backend of streaming_assistants answers it, in process and served."
)


def is_unlisted(error: openai.APIStatusError) -> bool:
    """Whether an error is the answer of a server that has no list of threads."""
    request = error.response.request
    return (
        request.method == "GET"
        and request.url.path.rstrip("/").endswith("/threads")
        and error.status_code in (404, 405, 501)
        and b"No thread found" not in error.response.content  # of a list that has no such cursor
    )


def explaining(client: object) -> Callable[[Method], Method]:
    """For ``client.request``: the SDK's own errors, with advice where the API has closed or lacks a list."""

    def make(below: Method) -> Method:
        def request(*args: object, **kwargs: object) -> Model:
            try:
                return below(*args, **kwargs)
            except openai.APIStatusError as error:
                raise _advised(error) from error.__cause__

        async def request_async(*args: object, **kwargs: object) -> Model:
            try:
                return await below(*args, **kwargs)
            except openai.APIStatusError as error:
                raise _advised(error) from error.__cause__

        return request_async if _sdk.is_async(client) else request

    return make


def _advised(error: openai.APIStatusError) -> openai.APIStatusError:
    advice = ADVICE if is_closed(error) else UNLISTED if is_unlisted(error) else None
    if advice is not None:
        said = error.message.strip()
        error.message = f"{advice} (The server said: {said})" if said else advice
        error.args = (error.message, *error.args[1:])
    return error
