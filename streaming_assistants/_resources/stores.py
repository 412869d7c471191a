"""Vector stores where the SDK has none (before 1.21): the endpoints, and the objects that carry them.

The objects come empty: the table in ``_patch/table.py`` puts the methods on them, as it puts on the SDK's
own what a release of it lacks.
"""

from __future__ import annotations

from streaming_assistants import _sdk
from streaming_assistants._sdk.untyped import AnyClient, Method

from .endpoint import Endpoint
from .operations import Operation
from .params import RequestParams, names

_STORE, _FILE, _BATCH = "VectorStore", "VectorStoreFile", "VectorStoreFileBatch"
_ROOT = "/vector_stores"
_ONE = f"{_ROOT}/{{vector_store_id}}"
_FILES, _ONE_FILE = f"{_ONE}/files", f"{_ONE}/files/{{file_id}}"
_BATCHES, _ONE_BATCH = f"{_ONE}/file_batches", f"{_ONE}/file_batches/{{batch_id}}"

_PAGING = ("after", "before", "limit", "order")
_FILTERED = (*_PAGING, "filter")


def _endpoint(
    verb: str,
    name: str,
    path: str,
    model: str,
    required: str = "",
    body: str = "",
    query: tuple[str, ...] = (),
    page: str = "",
) -> Endpoint:
    """``required`` and ``body`` are names in a row; the first required one may be given by position."""
    ids = tuple(required.split())
    taken = names(RequestParams) | {*ids, *body.split(), *query}
    operation = Operation(name, path, frozenset(taken), ids, ids[:1], query)
    return Endpoint(verb, operation, model, page or ("CursorPage" if query else ""))


_FILE_BODY = "attributes chunking_strategy"

STORES = (
    _endpoint(
        "post", "create", _ROOT, _STORE,
        body="chunking_strategy description expires_after file_ids metadata name",
    ),
    _endpoint("get", "retrieve", _ONE, _STORE, "vector_store_id"),
    _endpoint("post", "update", _ONE, _STORE, "vector_store_id", "expires_after metadata name"),
    _endpoint("get", "list", _ROOT, _STORE, query=_PAGING),
    _endpoint("delete", "delete", _ONE, "VectorStoreDeleted", "vector_store_id"),
    _endpoint(
        "post", "search", f"{_ONE}/search", "VectorStoreSearchResponse", "vector_store_id query",
        "filters max_num_results ranking_options rewrite_query", page="Page",
    ),
)  # fmt: skip

CREATE_FILE = _endpoint("post", "create", _FILES, _FILE, "vector_store_id file_id", _FILE_BODY)
RETRIEVE_FILE = _endpoint("get", "retrieve", _ONE_FILE, _FILE, "file_id vector_store_id")
FILES = (
    CREATE_FILE,
    RETRIEVE_FILE,
    _endpoint("post", "update", _ONE_FILE, _FILE, "file_id vector_store_id attributes"),
    _endpoint("get", "list", _FILES, _FILE, "vector_store_id", query=_FILTERED),
    _endpoint("delete", "delete", _ONE_FILE, "VectorStoreFileDeleted", "file_id vector_store_id"),
    _endpoint(
        "get",
        "content",
        f"{_ONE_FILE}/content",
        "FileContentResponse",
        "file_id vector_store_id",
        page="Page",
    ),
)

CREATE_BATCH = _endpoint(
    "post", "create", _BATCHES, _BATCH, "vector_store_id", f"file_ids files {_FILE_BODY}"
)
RETRIEVE_BATCH = _endpoint("get", "retrieve", _ONE_BATCH, _BATCH, "batch_id vector_store_id")
BATCHES = (
    CREATE_BATCH,
    RETRIEVE_BATCH,
    _endpoint("post", "cancel", f"{_ONE_BATCH}/cancel", _BATCH, "batch_id vector_store_id"),
    _endpoint("get", "list_files", f"{_ONE_BATCH}/files", _FILE, "batch_id vector_store_id", query=_FILTERED),
)


class View:
    """A raw view of a resource: its endpoints, each giving the response as the view of that name does."""

    def __init__(self, resource: Resource, name: str) -> None:
        self._resource, self._name = resource, name

    def __getattr__(self, name: str) -> View | Method:
        resource = self._resource
        below = vars(resource).get(name)
        if isinstance(below, Resource):
            return View(below, self._name)
        if name not in resource._endpoints:
            raise AttributeError(f"{type(resource).__name__!r} has no raw response for {name!r}")
        return _sdk.in_view(self._name, getattr(resource, name), is_async=_sdk.is_async(resource._client))


class Resource:
    """A resource of a client, of either colour."""

    _endpoints: frozenset[str]

    def __init__(self, client: AnyClient) -> None:
        self._client = client

    @property
    def with_raw_response(self) -> View:
        """The same methods, giving the HTTP response; its ``parse()`` gives the object."""
        return View(self, "with_raw_response")

    @property
    def with_streaming_response(self) -> View:
        """The same methods, giving a context manager of the response, which is read when it is asked for.

        It came to the SDK with 1.8: an AttributeError before.
        """
        if not hasattr(self._client, "with_streaming_response"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'with_streaming_response'")
        return View(self, "with_streaming_response")


class Files(Resource):
    """``client.vector_stores.files``."""

    _endpoints = frozenset(endpoint.operation.name for endpoint in FILES)


class FileBatches(Resource):
    """``client.vector_stores.file_batches``."""

    _endpoints = frozenset(endpoint.operation.name for endpoint in BATCHES)


class VectorStores(Resource):
    """``client.vector_stores``."""

    _endpoints = frozenset(endpoint.operation.name for endpoint in STORES)

    def __init__(self, client: AnyClient) -> None:
        super().__init__(client)
        self.files = Files(client)
        self.file_batches = FileBatches(client)
