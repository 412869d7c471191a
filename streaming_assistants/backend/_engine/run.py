"""A run from ``queued`` to its end: a conversation's pieces in, stored objects and events out. Sans-IO."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import TypeAlias

from streaming_assistants._protocol.plan import Outcome

from . import lifecycle, objects, run_files, taking
from .effects import Abandoned, Do, Event, Events, Interrupted, Steps, WorkEffect
from .file_settings import FileSettings
from .held_run import HeldRun, Lost, Stopped
from .past import Past
from .patient import patient
from .picking_up import Answers, Strayed
from .port import (
    Answering,
    Call,
    ContentDelta,
    Conversation,
    Failed,
    FileContent,
    Finished,
    Indexed,
    Json,
    Kept,
    MessageEnd,
    Next,
    Open,
    ReadFile,
    Search,
    Sleep,
    StepEnd,
    ThreadResources,
    ToolCallDelta,
    Turn,
    Upstream,
    UpstreamError,
    wants_more,
)
from .run_failures import refused
from .store_port import StoreAway, StoreClosed, Transaction
from .turn import turn_of
from .unfinished import Unfinished

_SAVE_EVERY = 0.1  # seconds between two writes of a message that grows
_FIRST_PAUSE = 0.1  # seconds until a store that was away is asked again; each pause is twice the last
_LONGEST_PAUSE = 5.0
_LAST_PAUSE = 0.4  # of a process that ends
_CANCEL_SECONDS = 5.0  # that the upstream has to take a cancel
_ASKS = (Call, Open, Next, Sleep)
_NOTHING_YET = Outcome()

Ending: TypeAlias = Callable[[Transaction], list[Event]]
"""The transaction that ends a stretch, and the events that tell of it."""

logger = logging.getLogger("streaming_assistants")


class Execution:
    """One run, or one stretch of it between two submits."""

    def __init__(
        self,
        stretch: lifecycle.Stretch,
        keeper: lifecycle.Keeper,
        upstream: Upstream,
        *,
        models: Mapping[str, str],
        generating: bool = False,
        files: FileSettings | None = None,
    ) -> None:
        self._stretch = stretch
        self._hidden = stretch.hidden
        self._files = files
        self._run = HeldRun(stretch, keeper)
        self._answers = Answers(stretch, self._run)
        self._keeper = keeper
        self._upstream = upstream
        self._models = models
        self._generating = generating
        self._unfinished = Unfinished(stretch.run, keeper, on_message=self._note_generating)
        self._save_at = keeper.clock() + _SAVE_EVERY
        self._resources: Json = stretch.thread["tool_resources"]  # as the upstream knows them

    def steps(self) -> Steps[Events]:
        try:
            return (yield from self._steps())
        except (StoreClosed, Abandoned):
            raise
        except Exception as error:
            # A defect of ours, or a store that failed: the thread must not stay busy for it.
            logger.exception("Run %s broke off.", self._run.id)
            failed = self._failed("server_error", f"The backend raised {type(error).__name__}.")
            return (yield from self._end(failed))

    def _steps(self) -> Steps[Events]:
        abandoned = False
        try:
            try:
                ending = yield from patient(self._go_on(), f"run {self._run.id}")
            except Stopped as stopped:
                said = yield from self._end(self._end_as(stopped.status, None))
                yield from self._cancel_answer()
                return said
            except Abandoned:
                abandoned = True
                ending = self._failed("server_error", taking.ENDED)
        except Lost as lost:
            logger.debug("Run %s is not ours any more.", self._run.id)
            if lost.ended:
                yield from self._cancel_answer()
            return lost.events
        return (yield from self._end(ending, abandoned))

    def _end(self, ending: Ending, abandoned: bool = False) -> Steps[Events]:
        """Ends the stretch; what its reader is told besides. A store that is away is asked again until it is
        back: a run that nobody ends keeps its thread locked. Where the process ends, it is asked a few times
        more."""
        pause = _FIRST_PAUSE
        while True:
            try:
                yield Do(ending, says=True)
                return ()
            except Lost as lost:
                return lost.events
            except StoreAway as error:
                logger.warning("The store is away; run %s ends when it is back: %s", self._run.id, error)
                if abandoned and pause > _LAST_PAUSE:
                    raise Abandoned from error
            try:
                yield Sleep(pause)
            except Interrupted:
                logger.debug("Run %s is asked for; its end is tried now.", self._run.id)
            except Abandoned:
                abandoned = True
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _cancel_answer(self) -> Steps[None]:
        """Has the upstream stop what nobody waits for any more and what would go on there."""
        path = self._answers.open
        while path is not None:
            try:
                yield Call("POST", path, seconds=_CANCEL_SECONDS)
                return
            except Interrupted:  # noqa: PERF203 - by what has ended the run
                logger.debug("Run %s is over.", self._run.id)
            except (UpstreamError, Abandoned) as error:
                logger.warning("The answer to run %s goes on at its server: %r", self._run.id, error)
                return

    def _go_on(self) -> Steps[Ending]:
        refusal = taking.refusal(self._stretch)
        if refusal is not None:
            yield from taking.taken_up(self._stretch, self._run, self._keeper)
            return self._failed("server_error", refusal)
        if self._answers.to_pick_up:
            try:
                return (yield from self._picked_up())
            except Strayed:
                logger.warning(
                    "The answer to run %s cannot be picked up; it is asked for again.", self._run.id
                )
                self._hidden = self._answers.forget(self._hidden)
                self._unfinished = Unfinished(self._stretch.run, self._keeper, self._note_generating)
        yield from taking.taken_up(self._stretch, self._run, self._keeper)
        turn = yield from self._read()
        return (yield from self._converse(turn))

    def _picked_up(self) -> Steps[Ending]:
        """Goes on with the upstream's own answer to a turn that another has asked."""
        yield from self._answers.read(self._stretch, self._keeper)
        items = self._answers.items
        rows = [row for item in items for row in (item.step, item.message) if row is not None]
        turn = yield from self._read({row["id"] for row in rows})
        if items and not items[-1].whole:
            self._unfinished.adopt(items[-1].step, items[-1].message, items[-1].said)
        return (yield from self._converse(turn))

    def _read(self, without: Container[str] = ()) -> Steps[Turn]:
        """Reads of the thread what the model is given, and no more where the upstream says what it takes."""
        past = Past(self._stretch.run, without)
        while True:
            yield Do(past.read_on, writes=False)
            turn = turn_of(self._stretch, past.items(), self._models)
            if past.whole or not wants_more(self._upstream, turn):
                self._unfinished.after = past.newest
                return turn

    def _converse(self, turn: Turn) -> Steps[Ending]:
        """Drives the conversation; answers with the transaction that ends the stretch."""
        if turn.max_completion_tokens is not None and turn.max_completion_tokens <= 0:
            return self._finish(Finished("max_completion_tokens"))
        conversation: Conversation | None = None
        try:
            conversation = self._upstream(turn)
            said = yield from self._listen(conversation)
        except (Lost, Stopped, Abandoned, Strayed, StoreClosed, StoreAway):
            raise
        except UpstreamError as error:
            said = refused(error)
        except Exception as error:
            logger.exception("The upstream of run %s raised.", self._run.id)
            said = Failed("server_error", f"The upstream raised {type(error).__name__}: {error}")
        finally:
            if conversation is not None:
                conversation.close()
        if isinstance(said, Failed):
            return self._failed(said.code, said.message)
        return self._finish(said)

    def _listen(self, conversation: Conversation) -> Steps[Finished | Failed]:
        outcome = _NOTHING_YET
        while True:
            try:
                piece = outcome.into(conversation)
            except StopIteration:
                return Finished()
            outcome = _NOTHING_YET
            piece = self._answers.unsaid(piece)
            if piece is None:
                continue
            if isinstance(piece, Call):
                piece = run_files.own(self._files, piece) or piece
            if isinstance(piece, _ASKS):
                outcome = yield from self._ask(piece)
            elif isinstance(piece, ContentDelta):
                yield from self._unfinished.add_content(piece.part)
            elif isinstance(piece, MessageEnd):
                self._unfinished.end_message()
            elif isinstance(piece, ToolCallDelta):
                yield from self._unfinished.add_tool_call(piece.call)
            elif isinstance(piece, (Search, Indexed, ReadFile)):
                outcome = yield from run_files.done(self._files, piece, self._ask)
            elif isinstance(piece, StepEnd):
                spent = objects.usage(piece.usage)  # before the run's end
                usage = objects.add_usage(self._hidden.get("usage"), spent)
                hidden = self._answers.forget(self._hidden)
                # What is whole is not asked again, whoever goes on from here.
                turn = {"after": max(hidden["turn"].get("after", 0), self._unfinished.step_seq)}
                self._hidden = {**hidden, "usage": usage, "turn": turn}
                spend = partial(self._run.change, changes={}, hidden=self._hidden)
                yield from self._unfinished.close(spent, spend)
            elif isinstance(piece, (Finished, Failed)):
                return piece
            elif isinstance(piece, Kept):
                yield Do(self._run.within(partial(self._unfinished.keep, piece.value)))
            elif isinstance(piece, ThreadResources):
                yield Do(self._run.within(partial(self._keep_resources, piece.tool_resources)))
                self._resources = piece.tool_resources
            elif isinstance(piece, FileContent):
                yield Do(self._run.within(partial(_keep_file, piece)))
            elif isinstance(piece, Answering):
                self._hidden = self._answers.noted(piece, self._hidden)
                yield Do(partial(self._run.change, changes={}, hidden=self._hidden))
            else:
                raise TypeError(f"An upstream yielded {type(piece).__name__}, which is no piece.")

    def _ask(self, piece: WorkEffect) -> Steps[Outcome]:
        """What came of a request, or of a wait."""
        if self._keeper.clock() >= self._save_at:
            yield from self._glance()  # before the wait, which may be long
        again = isinstance(piece, Open) and self._answers.to_pick_up
        try:
            return Outcome((yield self._answers.opened(piece) if isinstance(piece, Open) else piece))
        except UpstreamError as error:
            if again:
                raise Strayed from error
            return Outcome(error=error)
        except Interrupted:
            yield from self._glance()
            return Outcome(error=UpstreamError("The request to the upstream was broken off."))

    def _glance(self) -> Steps[None]:
        """Looks at the store; while that is away, the run goes on as long as it needs nothing of it."""
        try:
            yield Do(self.look, durable=False, says=True, waits=False)
        except StoreAway as error:
            logger.warning("The store is away, and run %s goes on without it: %s", self._run.id, error)
            self._save_at = self._keeper.clock() + _LONGEST_PAUSE
        else:
            self.looked()

    @property
    def unsaved(self) -> bool:
        """Whether something has grown since the last look."""
        return self._unfinished.unsaved

    def look(self, tx: Transaction) -> Events:
        """Sees what others did to the run, and stores what has grown since the last look."""
        began = self._keeper.clock()
        self._run.row(tx)
        self._unfinished.save(tx)
        # A slow store is asked less often.
        now = self._keeper.clock()
        self._save_at = now + max(_SAVE_EVERY, 10 * (now - began))
        return ()

    def looked(self) -> None:
        """What the last look has stored is committed."""
        self._unfinished.saved()

    def _keep_resources(self, resources: Json, tx: Transaction) -> None:
        # Indexing takes its time, in which a client may have given the thread other resources.
        row = tx.get("threads", self._run.thread_id, lock=True)
        if row is None:
            raise self._run.lost(tx)
        merged = objects.changed(row["data"]["tool_resources"], self._resources, resources)
        tx.change("threads", self._run.thread_id, {"tool_resources": merged}, row=row)

    def _note_generating(self, tx: Transaction, begun: bool) -> None:
        if self._generating:
            self._run.change(tx, {"status": "generating" if begun else "in_progress"})
        else:
            self._run.row(tx)

    def _failed(self, code: str, message: str) -> Ending:
        return self._end_as("failed", {"last_error": {"code": code, "message": message}})

    def _end_as(self, status: str, changes: Json) -> Ending:
        def action(tx: Transaction) -> list[Event]:
            row = self._run.row_to_end(tx)
            events = self._unfinished.break_off(tx)
            return [*events, *lifecycle.end(tx, self._keeper, row, status, changes)]

        return action

    def _finish(self, said: Finished) -> Ending:
        def action(tx: Transaction) -> list[Event]:
            hidden = self._hidden
            spent = objects.usage(said.usage)
            total = objects.add_usage(hidden.get("usage"), spent)
            hidden = {**hidden, "usage": total, "rounds": hidden.get("rounds", 0) + 1}
            waiting = self._unfinished.calls_without_output() if said.reason is None else []
            if waiting:
                needed = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": waiting}}
                told: Json = {"status": "requires_action", "required_action": needed}
                hidden["step_usage"] = spent
            else:
                told = {"status": "completed", "completed_at": self._keeper.now(), "expires_at": None}
                told["usage"] = total or objects.nothing()
                if said.reason is not None:
                    told["status"] = "incomplete"
                    told["incomplete_details"] = {"reason": said.reason}
            try:
                run = self._run.change(tx, told, active=bool(waiting), owner=None, hidden=hidden)
            except Stopped as stopped:
                return self._end_as(stopped.status, None)(tx)
            if waiting:
                self._unfinished.save(tx)
                return [("thread.run.requires_action", run)]
            events = self._unfinished.end_all(tx, said.reason, spent)
            return [*events, (f"thread.run.{told['status']}", run)]

        return action


def _keep_file(file: FileContent, tx: Transaction) -> None:
    tx.keep_file(file.file_id, file.filename, file.content)
