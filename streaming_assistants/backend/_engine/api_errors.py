"""What the API says when it refuses, in its own words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from streaming_assistants._json import Json

from .port import UpstreamError


class ApiError(Exception):
    """An answer of 4xx or 5xx; ``body`` is the JSON that the client receives."""

    missing: tuple[str, str] | None = None
    """What was not found: the API's word for it, and its id."""

    again = True
    """Whether a client may try the request again, where it does so for the status."""

    after: float | None = None
    """Seconds until it is worth trying again, where that is known."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = kind or ("invalid_request_error" if status < 500 else "server_error")
        self.body: dict[str, Json] = {
            "error": {"message": message, "type": kind, "param": param, "code": code}
        }

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the answer, for a client that would try again."""
        told = {} if self.after is None else {"retry-after": str(max(1, math.ceil(self.after)))}
        return told if self.again else {**told, "x-should-retry": "false"}


def bad(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, param=param, code=code)


def missing(kind: str, id: str) -> ApiError:
    """``kind`` is the word of the API: assistant, thread, message, run, run step, file, vector
    store."""
    error = ApiError(404, f"No {kind} found with id '{id}'.")
    error.missing = (kind, id)
    return error


def missing_in_store(file_id: str, vector_store_id: str) -> ApiError:
    return ApiError(404, f"No file found with id '{file_id}' in vector store '{vector_store_id}'.")


def unsupported_files(extensions: Iterable[str], param: str = "file_ids") -> ApiError:
    named = ", ".join(sorted(set(extensions)))
    return bad(
        f"Files with extensions [{named}] are not supported for retrieval. See the file search documentation "
        "for the list.",
        param,
        "unsupported_file",
    )


def required(name: str) -> ApiError:
    return bad(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def expired_store(id: str) -> ApiError:
    return bad(f"Vector store {id} is expired.", code="vector_store_expired")


def missing_in_memory(kind: str, id: str) -> ApiError:
    """For an id as backends make them, where the store is in memory: it may well be of another one."""
    return ApiError(
        404,
        f"No {kind} found with id '{id}'. This backend keeps its objects in memory and has none of those "
        "that another LocalBackend or an earlier process made. Use one LocalBackend for all clients, or a "
        'file: LocalBackend(store="assistants.db").',
    )


def not_json(error: ValueError) -> ApiError:
    return bad(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
        "your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid "
        f"JSON: {error})"
    )


def no_form(reason: str) -> ApiError:
    return bad(f"Could not parse multipart form: {reason}.")


def wrong_type(given: str) -> ApiError:
    """The words for a body that is neither JSON nor, where files are taken, a form."""
    return ApiError(
        415,
        f"Unsupported content type: '{given}'. This API method only accepts 'application/json' requests, but "
        f"you specified the header 'Content-Type: {given}'. Please try again with a supported content type.",
        code="unsupported_content_type",
    )


def too_slow() -> ApiError:
    return ApiError(408, "The request's body took too long to come.")


def too_large(limit: int) -> ApiError:
    return ApiError(413, f"The request's body is larger than the {limit:,} bytes that this server takes.")


def deleted(kind: str, id: str, run_id: str) -> ApiError:
    """For whoever reads a run that was under way."""
    return ApiError(404, f"The {kind} '{id}' was deleted while run '{run_id}' was under way.")


def store_away(*, again: bool) -> ApiError:
    """For a request whose transaction could not be. ``again``: nothing of it is kept, and it may be sent
    again."""
    told = (
        "Please try again." if again else "What was asked for may have been done: look before asking again."
    )
    refused = ApiError(503, f"The backend's store is away at the moment. {told}")
    refused.again, refused.after = again, 1.0 if again else None
    return refused


def kept_for_all(project: str, path: str) -> ApiError:
    """For what the upstream's server keeps, where it is asked with a key that projects share."""
    return ApiError(
        403,
        f"The project '{project}' may not ask for {path}: what the upstream's server keeps is there for all "
        "that ask it with one key. Files are kept here with --files local; with a key of its own in "
        "--upstream-key-file a project may ask.",
    )


def unknown_url(method: str, path: str) -> ApiError:
    return ApiError(404, f"Invalid URL ({method} {path})")


def not_sent(method: str, path: str, others: Iterable[str]) -> ApiError:
    """``others`` are the upstreams that leave such requests to the client's own server."""
    named = " and ".join(f'"{name}"' for name in others)
    return bad(
        f'{method} {path} was not sent: an upstream like "echo" sends nothing anywhere, and answers the '
        f"Assistants API's requests alone. The upstreams {named} leave others to the client's own server.",
        code="not_sent",
    )


def of_upstream(error: UpstreamError) -> ApiError:
    """What the upstream's server refused, in its words."""
    refused = ApiError(error.status or 502, error.message, param=error.param, code=error.code)
    refused.again = False  # the client's own retries have been made
    return refused


def busy_for_run(thread_id: str, run_id: str) -> ApiError:
    return bad(f"Thread {thread_id} already has an active run {run_id}.")


def busy_for_message(thread_id: str, run_id: str) -> ApiError:
    return bad(f"Can't add messages to {thread_id} while a run {run_id} is active.")


def nothing_to_answer() -> ApiError:
    return bad(
        "Run creation requires a Thread with a user message or an assistant with instructions.",
        code="invalid_thread",
    )


def not_waiting(status: str) -> ApiError:
    return bad(f'Runs in status "{status}" do not accept tool outputs.')


def wrong_outputs(expected: list[str], got: list[str]) -> ApiError:
    return bad(f"Expected tool outputs for call_ids {expected}, got {got}")


def not_cancellable(status: str) -> ApiError:
    return bad(f"Cannot cancel run with status '{status}'.")


def closed() -> ApiError:
    return ApiError(500, "The backend has been closed.")


def forked() -> ApiError:
    """Connections, locks and threads do not survive a fork."""
    return ApiError(
        500,
        "This backend was made before its process forked. Make a LocalBackend in each process; give them "
        "one store (sqlite:///file.db) if they are to share assistants and threads.",
    )
