"""Whether a server answers the Assistants API, and what to do where it does not."""

from __future__ import annotations

import os
import re
import warnings
from typing import NamedTuple

import openai

from streaming_assistants import _sdk, patch
from streaming_assistants._patch.closed import is_closed
from streaming_assistants._sdk.untyped import AnyClient, Arguments, Method
from streaming_assistants.backend.upstreams import registry

_SECONDS = 10.0


class ServerCheck(NamedTuple):
    """What came of asking a server for its assistants."""

    url: str
    answers: bool
    said: str
    advice: str = ""


def ask(base_url: str, api_version: str | None = None) -> ServerCheck:
    """Makes one GET request for assistants; a server without them is asked for its models, too."""
    key = os.environ.get("AZURE_OPENAI_API_KEY" if api_version else "OPENAI_API_KEY") or "unset"
    asked = _Asked(_without_password(base_url), key, bool(api_version))
    try:
        client = _client(base_url, key, api_version)
    except Exception as error:  # noqa: BLE001  (what a bad URL raises differs from release to release)
        return asked.no(f"{type(error).__name__}: {error}", _URL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK deprecates its method; who asks has not called it
        return asked.of(client)


def _client(base_url: str, key: str, api_version: str | None) -> AnyClient:
    options: Arguments = {"api_key": key, "max_retries": 0, "timeout": _SECONDS}
    made: Method = openai.OpenAI
    if api_version:
        made = openai.AzureOpenAI
        options |= {"azure_endpoint": base_url.split("/openai")[0], "api_version": api_version}
    else:
        options["base_url"] = base_url
    try:
        return patch(made(**options))
    except TypeError:  # releases before 1.55.3 give httpx an argument that 0.28 refuses
        return patch(made(http_client=_sdk.own_transport().Client(), **options))


class _Asked:
    """One question to one server; keys and passwords never get into an answer."""

    def __init__(self, url: str, key: str, azure: bool) -> None:
        self._url = url
        self._key = key
        self._name = "AZURE_OPENAI_API_KEY" if azure else "OPENAI_API_KEY"

    def no(self, said: str, advice: str) -> ServerCheck:
        return ServerCheck(self._url, False, self._clean(said), advice)

    def _clean(self, text: str) -> str:
        text = _without_password(text.replace(self._key, "***") if len(self._key) > 5 else text)
        # Servers repeat a key, shortened in one way or another, when they refuse it.
        text = re.sub(r"\b(sk|pk|key)-[\w*.…-]+", "***", text)
        return " ".join(text.split())[:300]

    def of(self, client: AnyClient) -> ServerCheck:
        with client:
            try:
                page = client.beta.assistants.list(limit=1)
            except openai.APIStatusError as error:
                return self._refused(error, client)
            except openai.APIConnectionError as error:
                cause = error.__cause__ or error
                return self.no(f"no answer: {str(cause) or type(cause).__name__}", _NETWORK)
            except _sdk.transport_errors() as error:  # releases before 1.3 let them out
                return self.no(f"no answer: {error}", _NETWORK)
            except openai.OpenAIError as error:
                return self.no(f"an answer that is not the API's: {error}", _BACKEND)
            except (ValueError, TypeError, AttributeError) as error:  # JSON of another shape, or none
                return self.no(f"an answer that is not the API's: {error}", _BACKEND)
        if not isinstance(getattr(page, "data", None), list):
            return self.no("an answer that is not the API's (no list of assistants)", _BACKEND)
        return ServerCheck(self._url, True, "answers the Assistants API")

    def _refused(self, error: openai.APIStatusError, client: object) -> ServerCheck:
        status = error.status_code
        said = f"HTTP {status}: {error.message}"
        if is_closed(error):
            return self.no(f"HTTP {status}: the hosted Assistants API, which is closed", _CLOSED)
        if status in (401, 403):
            return self.no(said, f"The server wants another key: set {self._name}.")
        if status in (404, 405, 410, 501):
            if _speaks(client):
                return self.no(f"HTTP {status}: no Assistants API, but it has models", _of_upstreams())
            return self.no(f"HTTP {status}: no Assistants API here", _BACKEND)
        return self.no(said, "The server has an error of its own: look into its log.")


def _speaks(client: AnyClient) -> bool:
    """Whether a server without assistants speaks OpenAI's API otherwise."""
    try:
        return isinstance(client.models.list().data, list)
    except (openai.OpenAIError, ValueError, AttributeError, TypeError):
        return False


def _without_password(url: str) -> str:
    return re.sub(r"//[^/\s]*@", "//", url)


def _of_upstreams() -> str:
    ways = [f"backend={name!r} on its {path}" for name, path in registry.with_server().items()]
    return f"patch(client, ...) runs Assistants code on one that it has: {', or '.join(ways)}."


_CLOSED = (
    "Since 2026-08-26 nobody hosts it: patch(client, backend='responses') runs the same code on the "
    "Responses API of this server. See docs/migration.md."
)
_NETWORK = "Check the address, the network, and that the server runs."
_URL = "Check the URL: it is what OpenAI(base_url=) takes."
_BACKEND = "Is the path right? Most servers want base_url to end in /v1."
