"""/vector_stores/{id}/search, and what was read of a file in a store."""

from __future__ import annotations

from .._engine import api_errors, checks, vector_stores
from .._engine.api_errors import ApiError
from .._engine.checks import array, boolean, choice, integer, number, one_of, shaped, text
from .._engine.file_port import Hit, Unsearchable
from .._engine.port import Json
from .._engine.searching import Question, embedded, hits
from .._search import filters
from .context import ApiAnswer, Context, NeedsWrite
from .store_requests import store_row

_RANKERS = ("none", "auto", "default-2024-11-15", "default_2024_08_21")
_RANKING = shaped({"ranker": choice(*_RANKERS), "score_threshold": number(0, 1)})
_SEARCH = {
    "query": one_of(text(), array(text(), 50)),
    "filters": filters.checked,
    "max_num_results": integer(1, 50),
    "ranking_options": _RANKING,
    "rewrite_query": boolean,
}
_PASSAGES = 200  # read at once
_USED_SECONDS = 60  # within which another use of a store is not noted


def search(ctx: Context) -> ApiAnswer:
    """What a question finds. It is asked as it is: ``rewrite_query`` has nothing rewritten."""
    checks.fields(_SEARCH, ctx.body, ("query",))
    query = ctx.body["query"]
    queries = [query] if isinstance(query, str) else query
    if not queries:
        raise api_errors.bad("Invalid 'query': empty array. Expected a query.", "query", "empty_array")
    row = store_row(ctx)
    if vector_stores.expired(ctx.keeper, row):
        raise api_errors.expired_store(row["id"])
    vectors = None
    if ctx.files.embedding_model is not None:
        vectors = ctx.errand("vectors", lambda: embedded(ctx.files, queries), None)
        if ctx.wanted:
            return ApiAnswer(None)
    _note_use(ctx, row["data"])
    limit = ctx.body.get("max_num_results") or 10
    question = Question(queries, ctx.body.get("filters"), limit, ctx.body.get("ranking_options"))
    try:
        data = [_shown(hit) for hit in hits(ctx.tx, ctx.files, [row["id"]], question, vectors)]
    except Unsearchable as error:
        refused = ApiError(501, str(error))
        refused.again = False
        raise refused from None
    return ApiAnswer(_page("search_results", data, search_query=queries))


def content(ctx: Context) -> ApiAnswer:
    """A file's text as it is searched: passage by passage, which overlap."""
    store_id, file_id = store_row(ctx)["id"], ctx.ids["file_id"]
    if ctx.tx.get("store_files", vector_stores.entry_id(store_id, file_id)) is None:
        raise api_errors.missing_in_store(file_id, store_id)
    data: list[Json] = []
    while passages := ctx.tx.passages(store_id, file_id, after=len(data), limit=_PASSAGES):
        data += [{"type": "text", "text": passage.text} for passage in passages]
    return ApiAnswer(_page("file_content", data))


def _note_use(ctx: Context, store: Json) -> None:
    """A store that expires some time after its last use is in use."""
    if store["expires_after"] is None or ctx.keeper.now() - store["last_active_at"] < _USED_SECONDS:
        return
    if not ctx.writes:
        raise NeedsWrite
    vector_stores.used(ctx.tx, ctx.keeper, store["id"])


def _shown(hit: Hit) -> Json:
    return {
        "file_id": hit.file_id,
        "filename": hit.filename,
        "score": hit.score,
        "attributes": dict(hit.attributes),
        "content": [{"type": "text", "text": hit.text}],
    }


def _page(kind: str, data: list[Json], **more: Json) -> Json:
    return {"object": f"vector_store.{kind}.page", **more, "data": data, "has_more": False, "next_page": None}
