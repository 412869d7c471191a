"""Requests beside the Assistants API, which a served backend passes on to its upstream's server.

What is passed on is put together from a route of the table and the ids in it, never the caller's own path:
the request goes out with the key of whoever serves. Sans-IO.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from .._engine.port import Json

_ID = r"[A-Za-z0-9_.:=@~+,-]+"
_PATTERNS = {"id": _ID, "file_id": _ID, "batch_id": _ID, "model": rf"{_ID}(?:/{_ID}){{0,3}}"}

# An asterisk: takes a form with a file, too.
_TABLE = """
GET POST*  /files
GET DELETE /files/{id}
GET        /files/{id}/content
POST       /uploads
POST*      /uploads/{id}/parts
POST       /uploads/{id}/complete
POST       /uploads/{id}/cancel
GET POST   /vector_stores
GET POST DELETE /vector_stores/{id}
POST       /vector_stores/{id}/search
GET POST   /vector_stores/{id}/files
GET POST DELETE /vector_stores/{id}/files/{file_id}
GET        /vector_stores/{id}/files/{file_id}/content
POST       /vector_stores/{id}/file_batches
GET        /vector_stores/{id}/file_batches/{batch_id}
POST       /vector_stores/{id}/file_batches/{batch_id}/cancel
GET        /vector_stores/{id}/file_batches/{batch_id}/files
GET POST   /containers
GET DELETE /containers/{id}
GET POST*  /containers/{id}/files
GET DELETE /containers/{id}/files/{file_id}
GET        /containers/{id}/files/{file_id}/content
GET        /models
GET        /models/{model}
POST       /embeddings
POST       /moderations
POST       /chat/completions
POST       /responses
GET DELETE /responses/{id}
POST       /responses/{id}/cancel
GET        /responses/{id}/input_items
POST       /responses/input_tokens
POST       /responses/compact
POST       /images/generations
POST*      /images/edits
POST*      /images/variations
POST       /audio/speech
POST*      /audio/transcriptions
POST*      /audio/translations
"""


_KEPT = ("/files", "/uploads", "/vector_stores", "/containers", "/responses/")


class PassedOn(NamedTuple):
    """A request that is passed on: where to, and whether it may carry a form with a file."""

    path: str
    uploads: bool = False
    model: str | None = None  # of which a client asks what it is

    @property
    def keeps(self) -> bool:
        """Whether it is about what the server keeps, for whoever asks it with the same key."""
        return self.path.startswith(_KEPT)

    @property
    def made_by_runs(self) -> bool:
        """Whether what is asked for may be a file that a tool made in a run of this backend."""
        return self.path.startswith("/files/") and self.path.endswith("/content")


class _Route(NamedTuple):
    template: str
    pattern: re.Pattern[str]
    methods: dict[str, bool]


def _routes() -> list[_Route]:
    routes = []
    for line in _TABLE.split("\n"):
        *methods, template = line.split() or [""]
        pattern = re.sub(r"{(\w+)}", lambda name: f"(?P<{name[1]}>{_PATTERNS[name[1]]})", template)
        taken = {method.rstrip("*"): method.endswith("*") for method in methods}
        routes.append(_Route(template, re.compile(pattern), taken))
    return [route for route in routes if route.methods]


_ROUTES = _routes()


def passed_on(method: str, path: str) -> PassedOn | None:
    """Where a request goes that is not the Assistants API's; None when it goes nowhere.

    >>> passed_on("GET", "/files/file-1/content").path
    '/files/file-1/content'
    >>> passed_on("GET", "/files/../models") is None
    True
    >>> passed_on("DELETE", "/models/gpt-4o") is None
    True
    """
    for route in _ROUTES:
        match = route.pattern.fullmatch(path)
        if match is None or method not in route.methods:
            continue
        ids = match.groupdict()
        if any(part in (".", "..") for id in ids.values() for part in id.split("/")):
            return None
        return PassedOn(route.template.format(**ids), route.methods[method], ids.get("model"))
    return None


def query_of(query: str) -> str:
    """The query, written anew; without Azure's version of an API that another server has no use for."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name != "api-version"])


def with_model(body: Json, models: Mapping[str, str], deployment: str | None) -> Json | None:
    """The body with the model that the upstream knows; None when it can go as it is."""
    if not isinstance(body, dict):
        return None
    named = body.get("model", deployment)
    known = models.get(named, named) if isinstance(named, str) else named
    return None if known == body.get("model") else {**body, "model": known}


def models_answer(status: int, body: bytes, models: Mapping[str, str], asked: str | None) -> bytes | None:
    """The upstream's answer with the names that are mapped: to a list of models, or to one that is ``asked``
    for. None when the upstream's answer stands as it is.

    An upstream that knows nothing of models (404) has those that are mapped.
    """
    try:
        known = json.loads(body) if status == 200 else {}
    except ValueError:
        return None
    if not isinstance(known, dict) or status not in (200, 404):
        return None
    if asked is not None:
        return json.dumps(_model(asked, known)).encode() if asked in models else None
    listed = known.get("data") or []
    if not isinstance(listed, list):
        return None
    ids = {each.get("id"): each for each in listed if isinstance(each, dict)}
    added = [_model(name, ids.get(there)) for name, there in models.items() if name not in ids]
    if not added:
        return None
    return json.dumps({"object": "list", **known, "data": [*listed, *added]}).encode()


def _model(name: str, known: Json) -> Json:
    made = {"object": "model", "created": 0, "owned_by": "system"}
    return {**made, **(known or {}), "id": name}
