"""From a call to a request: paths, bodies, headers. No colour, and no request is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

import pydantic

from streaming_assistants import _sdk
from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import AnyClient, Arguments

from .params import CreateAndRunParams, RequestParams, RunParams, RunReadParams, SubmitParams, names

BETA = "assistants=v2"


def version(client: object) -> str:
    """The version that a client speaks to its server: what its ``default_headers`` say, or v2."""
    return _sdk.said(client, "openai-beta") or BETA


def spoken(client: AnyClient, options: Mapping[str, Json]) -> Arguments:
    """``options`` of a request in the client's version, unless the call says another."""
    return {**options, "headers": with_headers({"OpenAI-Beta": version(client)}, options.get("headers"))}


class Request(NamedTuple):
    """What is sent: path below the base URL, JSON body, and the SDK's request options; and what was said."""

    path: str
    body: dict[str, Json]
    options: Arguments
    said: Mapping[str, object]
    """The call's arguments, by name."""
    method: str = "post"


@dataclass(frozen=True)
class Operation:
    """An endpoint that starts or continues a run, and what a call of it may say."""

    name: str
    path: str
    params: frozenset[str]
    required: tuple[str, ...]
    positional: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    """Parameters that go into the query; the rest of what is not in the path goes into the body."""
    method: str = "post"

    @property
    def in_path(self) -> tuple[str, ...]:
        return tuple(name for name in self.required if f"{{{name}}}" in self.path)

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Arguments:
        """The call's arguments by name, as Python would bind them. Raises TypeError as Python would."""
        if len(args) > len(self.positional):
            raise TypeError(
                f"{self.name}() takes {len(self.positional)} positional arguments but {len(args)} were given"
            )
        bound = dict(zip(self.positional, args, strict=False))
        for name, value in kwargs.items():
            if name in bound:
                raise TypeError(f"{self.name}() got multiple values for argument {name!r}")
            if name not in self.params:
                raise TypeError(f"{self.name}() got an unexpected keyword argument {name!r}")
            bound[name] = value
        bound = {name: value for name, value in bound.items() if _sdk.given(value)}
        missing = [name for name in self.required if name not in bound]
        if missing:
            raise TypeError(
                f"{self.name}() missing {len(missing)} required keyword-only "
                f"argument{'s' if len(missing) > 1 else ''}: {', '.join(map(repr, missing))}"
            )
        return bound

    def request(self, args: tuple[object, ...], kwargs: Mapping[str, object], **headers: str) -> Request:
        """The streamed request for a call; ``headers`` are the library's, and the caller's win over them."""
        return self.plain(args, {**kwargs, "stream": True}, **headers)

    def plain(self, args: tuple[object, ...], kwargs: Mapping[str, object], **headers: str) -> Request:
        """The request for a call; its body says ``stream`` where the call does."""
        kwargs = dict(kwargs)
        stream = {"stream": kwargs.pop("stream")} if "stream" in kwargs else {}
        bound = self.bind(args, kwargs)
        said = {**bound, **stream}
        options = {name: bound.pop(name) for name in names(RequestParams) if name in bound}
        ids = {name: quote(checked_id(name, bound.pop(name)), safe="") for name in self.in_path}
        query = {name: bound.pop(name) for name in self.query if name in bound}
        if self.method == "get" and stream:
            query["stream"] = "true"  # which releases write in different ways
        for name in bound.keys() & _KINDS.keys():
            checked_id(name, bound[name])
        body = {**{name: plain(value) for name, value in bound.items()}, **stream}
        body.update(plain(extra("extra_body", options.get("extra_body"))))
        return Request(
            self.path.format(**ids),
            body,
            request_options(options, query, {name.replace("_", "-"): v for name, v in headers.items()}),
            said,
            self.method,
        )


def request_options(
    given: Mapping[str, object], query: Mapping[str, object], headers: Mapping[str, str]
) -> Arguments:
    """The SDK's request options from ``extra_headers``, ``extra_query`` and ``timeout``."""
    options: Arguments = {"headers": with_headers(headers, given.get("extra_headers"))}
    params = {**_bracketed(query), **extra("extra_query", given.get("extra_query"))}
    if params:
        options["params"] = params
    if "timeout" in given:
        options["timeout"] = given["timeout"]  # None is no timeout at all
    return options


def with_headers(defaults: Mapping[str, object], given: object) -> Arguments:
    """``given`` over ``defaults``; header names have no case. Raises TypeError for what is no mapping."""
    said = extra("extra_headers", given)
    taken = {name.lower() for name in said}
    return {**{name: value for name, value in defaults.items() if name.lower() not in taken}, **said}


def extra(name: str, value: object) -> Mapping[str, object]:
    """``extra_body`` and its like; none is an empty one. Raises TypeError for what cannot be added."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a mapping, got {value!r:.80} ({type(value).__name__})")
    return value


def _bracketed(query: Mapping[str, object]) -> Arguments:
    # Releases differ in how they write a list; one value under the API's own name is the same in all.
    out: Arguments = {}
    for name, value in query.items():
        one = list(value) if isinstance(value, (list, tuple)) else None
        out.update({f"{name}[]": one[0]} if one is not None and len(one) == 1 else {name: value})
    return out


_KINDS = {
    "assistant_id": ("asst_",),
    "batch_id": ("vsfb_", "batch_"),
    "file_id": ("file-", "file_"),
    "message_id": ("msg_",),
    "run_id": ("run_",),
    "step_id": ("step_",),
    "thread_id": ("thread_",),
    "vector_store_id": ("vs_",),
}
"""What the API's ids begin with. Other servers have other ids: only another kind's beginning is refused."""

_KIND_OF = {start: name for name, starts in _KINDS.items() for start in starts}


def checked_id(name: str, value: object) -> str:
    """An id that may stand in a path. Raises TypeError or ValueError, which say what came."""
    if not isinstance(value, str):
        raise TypeError(f"Expected a string for `{name}` but received {value!r} ({type(value).__name__})")
    if not value:
        raise ValueError(f"Expected a non-empty value for `{name}` but received {value!r}")
    for start, kind in _KIND_OF.items():
        if name in _KINDS and kind != name and value.startswith(start):
            raise ValueError(f"Expected a `{name}` but received {value!r}, which is a `{kind}`")
    return value


def plain(value: object) -> Json:
    """JSON from what callers pass: models become objects, iterables lists, left-out arguments vanish."""
    if isinstance(value, pydantic.BaseModel):
        return _sdk.dump(value)
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items() if _sdk.given(inner)}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [plain(inner) for inner in value]
    return value


RUN = Operation(
    "create", "/threads/{thread_id}/runs", names(RunParams), ("thread_id", "assistant_id"), ("thread_id",),
    ("include",),
)  # fmt: skip
CREATE_AND_RUN = Operation(
    "create_and_run", "/threads/runs", names(CreateAndRunParams), ("assistant_id",)
)  # fmt: skip
SUBMIT = Operation(
    "submit_tool_outputs", "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", names(SubmitParams),
    ("thread_id", "run_id", "tool_outputs"), ("run_id",),
)  # fmt: skip
READ = Operation(
    "retrieve", "/threads/{thread_id}/runs/{run_id}", names(RunReadParams),
    ("run_id", "thread_id"), ("run_id",), ("starting_after",), "get",
)  # fmt: skip
