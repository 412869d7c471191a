"""/threads/runs, /threads/{id}/runs and their steps"""

from __future__ import annotations

from streaming_assistants._protocol.status import PENDING

from .._engine import api_errors, checks, event_log, lifecycle, objects, refusals, shapes, standing
from .._engine.effects import Event
from .._engine.event_log import Reads
from .._engine.lifecycle import Stretch
from .._engine.port import Json
from .._engine.store_port import Row
from .context import ApiAnswer, Context, NeedsWrite
from .file_search import attach
from .threads import add_thread, thread_row, with_metadata

_POLL_AFTER_MS = 100
_DIGITS = 9  # of a number that an event can have


def create(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.RUN, ctx.body, ("assistant_id",))
    _refuse(ctx)
    return _begin(ctx, ctx.ids["thread_id"], [])


def create_thread_and_run(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.THREAD_AND_RUN, ctx.body, ("assistant_id",))
    _refuse(ctx)
    ctx.row("assistants", "assistant", ctx.body["assistant_id"])
    given = dict(ctx.body.get("thread") or {})
    if ctx.body.get("tool_resources"):
        given["tool_resources"] = {**(given.get("tool_resources") or {}), **ctx.body["tool_resources"]}
    thread = add_thread(ctx, given, "thread.")
    return _begin(ctx, thread["id"], [("thread.created", thread)])


def retrieve(ctx: Context) -> ApiAnswer:
    row = _row(ctx)
    run = row["data"]
    if _flag(ctx, "stream"):
        return ApiAnswer(run, reads=_reads(ctx, row), include=ctx.include)
    if "starting_after" in ctx.query:
        raise api_errors.bad("'starting_after' takes 'stream=true'.", "starting_after")
    return ApiAnswer(run, poll_after_ms=_POLL_AFTER_MS if run["status"] in PENDING else None)


def update(ctx: Context) -> ApiAnswer:
    return with_metadata(ctx, "runs", _row)


def index(ctx: Context) -> ApiAnswer:
    thread_id = thread_row(ctx)["id"]
    active = ctx.tx.newest("runs", thread_id=thread_id, active=True)
    if active is not None:
        _settled(ctx, active)
    return ApiAnswer(ctx.page("runs", "run", thread_id=thread_id))


def cancel(ctx: Context) -> ApiAnswer:
    return ApiAnswer(lifecycle.cancel(ctx.tx, ctx.keeper, _row(ctx)), interrupts=[ctx.ids["run_id"]])


def submit(ctx: Context) -> ApiAnswer:
    checks.fields(shapes.TOOL_OUTPUTS, ctx.body, ("tool_outputs",))
    thread = thread_row(ctx)
    row = _row_of(ctx, thread)
    stretch, events = lifecycle.submit(ctx.tx, ctx.keeper, thread, row, ctx.body["tool_outputs"])
    return _go_on(ctx, stretch, events, row["hidden"].get("include", False))


def steps(ctx: Context) -> ApiAnswer:
    run_id = _row(ctx)["id"]
    page = ctx.page("steps", "run step", run_id=run_id)
    return ApiAnswer({**page, "data": [_at_rest(step) for step in page["data"]]}, include=ctx.include)


def step(ctx: Context) -> ApiAnswer:
    run_id = _row(ctx)["id"]
    row = ctx.row("steps", "run step", ctx.ids["step_id"], run_id=run_id)
    return ApiAnswer(_at_rest(row["data"]), include=ctx.include)


def _refuse(ctx: Context) -> None:
    """What the hosted API refused of a run before it looked for its assistant."""
    if ctx.strict:
        refusals.ids({"assistant_id": ctx.body["assistant_id"]})
        refusals.truncation(ctx.body.get("truncation_strategy"))
        refusals.messages(ctx.body.get("additional_messages"), "additional_messages")


def _begin(ctx: Context, thread_id: str, events: list[Event]) -> ApiAnswer:
    stretch = lifecycle.begin(
        ctx.tx, ctx.keeper, thread_id, ctx.body, ctx.include, callers_key=ctx.callers_key
    )
    if ctx.strict:
        refusals.assistant(ctx.body, stretch.queued, ctx.settings.models, v1=ctx.v1)
    messages = ctx.body.get("additional_messages") or []
    if _searches(ctx, stretch) and stretch.assistant is not None:
        # The hosted API kept them with the assistant; here they are searched in the thread's store.
        # One that has been deleted since is not searched any more.
        ids = objects.searched_files(stretch.assistant["tool_resources"])
        kept = [id for id in ids if ctx.tx.get("stored_files", id) is not None]
        messages = [*messages, {"file_ids": kept}]
    thread = attach(ctx, stretch.thread, messages)
    created = ("thread.run.created", stretch.queued)
    return _go_on(ctx, stretch._replace(thread=thread), [*events, created], ctx.include, last=0)


def _go_on(
    ctx: Context, stretch: Stretch, events: list[Event], include: bool, *, last: int | None = None
) -> ApiAnswer:
    run = stretch.queued
    begun = event_log.keep(ctx.tx, ctx.keeper, run["id"], [*events, *stretch.opening], last=last)
    work = ctx.settings.work(stretch, begun, project=ctx.project)
    reads = None
    if ctx.body.get("stream") is True:
        after = begun[0].number - 1
        reads = Reads(run["id"], run["thread_id"], after, begun[-1].number, one_stretch=True)
    return ApiAnswer(run, work, reads=reads, include=include, poll_after_ms=_POLL_AFTER_MS)


def _reads(ctx: Context, row: Row) -> Reads:
    """What is shown of a run that is asked for as a stream."""
    run_id, thread_id = row["id"], row["thread_id"]
    last = event_log.last_of(ctx.tx, ctx.keeper, run_id)
    stopped = row["data"]["status"] not in PENDING
    while stopped:  # as of a moment at which nothing was told: it may go on between two statements
        stopped = ctx.row("runs", "run", run_id)["data"]["status"] not in PENDING
        before, last = last, event_log.last_of(ctx.tx, ctx.keeper, run_id)
        if last == before:
            break
    after = _starting_after(ctx)
    if not last and stopped:  # its events are not kept any more, or never were
        state = event_log.unnumbered(event_log.final_state(ctx.tx, row))
        return Reads(run_id, thread_id, after, after, stopped=True, instead=state)
    if after > last:
        raise api_errors.bad(
            f"Invalid 'starting_after': the run '{run_id}' has told {last} events, and none that is {after}.",
            "starting_after",
            "invalid_value",
        )
    return Reads(run_id, thread_id, after, last, stopped=stopped)


def _flag(ctx: Context, name: str) -> bool:
    given = ctx.query.get(name, "false")
    if given.lower() not in ("true", "false"):
        raise api_errors.bad(
            f"Invalid type for '{name}': expected a boolean, but got '{given}' instead.", name, "invalid_type"
        )
    return given.lower() == "true"


def _starting_after(ctx: Context) -> int:
    """The number of the last event that the client has; the header counts where the parameter is not
    given."""
    given = ctx.query.get("starting_after")
    name = "Last-Event-ID" if given is None else "starting_after"
    if given is None:
        given = ctx.last_event_id or "0"
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        raise api_errors.bad(
            f"Invalid type for '{name}': expected an integer of 0 or more, but got '{given}' instead.",
            name,
            "invalid_type",
        )
    return int(given)


def _searches(ctx: Context, stretch: Stretch) -> bool:
    """Whether the run searches files that are kept here."""
    tools = stretch.run["tools"]
    return ctx.settings.files is not None and any(tool["type"] == "file_search" for tool in tools)


def _row(ctx: Context) -> Row:
    return _row_of(ctx, thread_row(ctx))


def _row_of(ctx: Context, thread: Row) -> Row:
    row = ctx.row("runs", "run", ctx.ids["run_id"], thread_id=thread["id"])
    return _settled(ctx, row)


def _settled(ctx: Context, row: Row) -> Row:
    """The row, after a run whose time is over has been ended. Raises LeftBehind."""
    status = standing.overdue(ctx.tx, ctx.keeper, row)
    if status is None:
        if standing.left_behind(ctx.tx, ctx.keeper, row):
            raise standing.LeftBehind(row["id"])
        return row
    if not ctx.writes:
        raise NeedsWrite
    lifecycle.end_elsewhere(ctx.tx, ctx.keeper, row, status)
    return ctx.row("runs", "run", row["id"])


def _at_rest(step: Json) -> Json:
    """A step as a plain answer shows it: only what still goes on expires."""
    return step if step["status"] == "in_progress" else {**step, "expires_at": None}
