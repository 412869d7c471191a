"""What a thread holds, read from its newest end, as far back as the model can be given it."""

from __future__ import annotations

from collections.abc import Container

from .bulk_port import LOWEST
from .port import Json
from .store_port import Row, Transaction

_FEWEST = 20  # rows that are asked for at once
_MORE = 5  # times as many are asked for each next time: a long thread takes few statements


BROKEN = "broken"
"""Of what is hidden of a message or a step: that it is of a turn that was asked again since, and no model is
given it."""


def broken(row: Row) -> bool:
    return bool((row["hidden"] or {}).get(BROKEN))


class Past:
    """The newest messages and tool steps of a run's thread.

    While the run is active nobody else adds to the thread, so it may be read bit by bit.
    """

    def __init__(self, run: Json, without: Container[str] = ()) -> None:
        self._run = run
        self._without = without  # ids of messages and steps
        strategy = run["truncation_strategy"]
        self._last: int | None = strategy["last_messages"] if strategy["type"] == "last_messages" else None
        self._limit = self._last or _FEWEST
        self._messages: list[Row] = []  # these and the steps: newest first
        self._steps: list[Row] = []
        self._more_steps = True
        self._from = LOWEST  # the seq of the oldest message that counts
        self.whole = False  # there is nothing more that may be sent

    @property
    def newest(self) -> int:
        """The seq of the newest message; 0 where there is none."""
        return int(self._messages[0]["seq"]) if self._messages else 0

    def read_on(self, tx: Transaction) -> None:
        """Reads further back."""
        after = self._messages[-1]["seq"] if self._messages else None
        thread = {"thread_id": self._run["thread_id"]}
        page = tx.page("messages", thread, limit=self._limit, ascending=False, after=after, before=None)
        self._messages += page.rows
        self._limit = max(self._limit, _FEWEST) * _MORE
        self._bound(page.more)
        while self._more_steps and not (self._steps and self._steps[-1]["after_message"] < self._from):
            after = self._steps[-1]["seq"] if self._steps else None
            limit = max(len(self._messages), _FEWEST)
            page = tx.page("steps", thread, limit=limit, ascending=False, after=after, before=None)
            self._steps += page.rows
            self._more_steps = page.more

    def _bound(self, more: bool) -> None:
        """Finds the oldest message that ``truncation_strategy`` leaves, among those that have been read; the
        run's own always stay."""
        self.whole = not more
        if self._last is None:
            self._from = self._messages[-1]["seq"] if more else LOWEST
            return
        earlier = [
            row["seq"] for row in self._messages if row["run_id"] != self._run["id"] and not broken(row)
        ]
        kept = earlier[: self._last]
        self.whole = self.whole or len(kept) == self._last
        self._from = kept[-1] if kept else LOWEST

    def _left_out(self, row: Row) -> bool:
        return broken(row) or row["id"] in self._without

    def items(self) -> list[Json]:
        """What has been read as the items of a turn, oldest first."""
        placed: list[tuple[tuple[int, int, int], Json]] = []
        for row in self._messages:
            data = row["data"]
            if row["seq"] >= self._from and data["content"] and not self._left_out(row):
                item = {
                    "kind": "message",
                    "role": data["role"],
                    "content": data["content"],
                    "attachments": data["attachments"],
                }
                placed.append(((row["seq"], 0, 0), item))
        for row in self._steps:
            data = row["data"]
            own = row["run_id"] == self._run["id"]
            if data["type"] != "tool_calls" or data["status"] != "completed" or lacks_output(data):
                continue  # a function call without its output would be refused by every upstream
            if (own or row["after_message"] >= self._from) and not self._left_out(row):
                item = {"kind": "tool_calls", "calls": data["step_details"]["tool_calls"]}
                if row["hidden"]:
                    item["kept"] = row["hidden"]["kept"]
                placed.append(((row["after_message"], 1, row["seq"]), item))
        return [item for _, item in sorted(placed, key=lambda entry: entry[0])]


def lacks_output(step: Json) -> bool:
    """Whether the client has not told what a function gave: no API takes a call without that."""
    return any(
        call["type"] == "function" and call["function"].get("output") is None
        for call in step["step_details"]["tool_calls"]
    )
