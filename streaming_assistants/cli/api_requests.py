"""Plain requests to a server of OpenAI's API, by a client of the SDK: patient where it asks for patience."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import openai

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Method
from streaming_assistants.backend._data.server_objects import Refused

ATTEMPTS = 10
_LONGEST = 60.0


def client_for(base_url: str | None, api_version: str | None) -> AnyClient:
    """A client for a base URL, with the key of the environment; ``api_version`` is a query of Azure's."""
    options: Arguments = {"max_retries": 0}
    if base_url is not None:
        options["base_url"] = base_url
    if api_version is not None:
        options["default_query"] = {"api-version": api_version}
    made: Method = openai.OpenAI
    try:
        client = made(**options)
    except TypeError:  # releases before 1.55.3 give httpx an argument that 0.28 refuses
        client = made(http_client=_sdk.own_transport().Client(), **options)
    except openai.OpenAIError:  # there is no key in the environment, which a server of one's own may not want
        client = made(api_key="unset", **options)
    if api_version is not None:
        return client.with_options(default_headers={"api-key": client.api_key})
    return client


class ApiRequests:
    """Requests one after another; a server that is asked too often, or is away, is asked again later.

    ``pause`` is for how many seconds one waits between two of them at least.
    """

    def __init__(
        self, client: AnyClient, *, pause: float = 0.0, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._client, self._pause, self._sleep = client, pause, sleep
        self._next = 0.0

    def get(self, path: str, query: Mapping[str, str | int]) -> Json:
        options = {"params": dict(query), "headers": _BETA}
        return self._patiently(lambda: self._client.get(path, cast_to=_sdk.JSON_OBJECT, options=options))

    def content(self, file_id: str) -> bytes:
        content: bytes = self._patiently(lambda: self._client.files.content(file_id).content)
        return content

    def post(self, path: str, body: Json) -> Json:
        """Made again only where it was refused for coming too soon: it has done nothing then."""
        return self._patiently(
            lambda: self._client.post(path, cast_to=_sdk.JSON_OBJECT, body=body), again=_too_soon
        )

    def upload(self, filename: str, content: bytes, purpose: str) -> str:
        id: str = self._patiently(
            lambda: self._client.files.create(file=(filename, content), purpose=purpose).id, again=_too_soon
        )
        return id

    def _patiently(
        self, call: Callable[[], Json], *, again: Callable[[Exception], bool] = lambda error: True
    ) -> Json:
        for attempt in range(ATTEMPTS):
            self._wait_for_turn()
            try:
                return call()
            except openai.APIError as error:
                status = getattr(error, "status_code", None)
                worth = status is None or status in (408, 409, 429) or status >= 500
                if status == 501 or not worth or not again(error) or attempt == ATTEMPTS - 1:
                    if status is None:
                        raise
                    raise Refused(status, " ".join(error.message.split())[:300]) from error
                self._sleep(_seconds(error, attempt))
        raise AssertionError

    def _wait_for_turn(self) -> None:
        now = time.monotonic()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._pause


_BETA = {"OpenAI-Beta": "assistants=v2"}


def _too_soon(error: Exception) -> bool:
    return getattr(error, "status_code", None) in (429, 503)


def _seconds(error: openai.APIError, attempt: int) -> float:
    """What the server says, or longer each time."""
    said = getattr(getattr(error, "response", None), "headers", {}).get("retry-after")
    try:
        return max(0.0, float(said or ""))
    except (TypeError, ValueError):
        return float(min(2.0**attempt, _LONGEST))
