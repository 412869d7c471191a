"""What a handler may override: the callbacks, under the SDK's names, doing nothing.

Objects that a callback gets do not change afterwards: keep them as long as you like. The snapshots of a step
or a message share with those before them the calls, parts and annotations that did not change since; a tool
call or a text that a callback gets by itself is its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from openai.types.beta import AssistantStreamEvent
    from openai.types.beta.threads import ImageFile, Message, MessageDelta, Text, TextDelta
    from openai.types.beta.threads.runs import RunStep, RunStepDelta, ToolCall, ToolCallDelta

NAMES = (
    "on_event",
    "on_run_step_created",
    "on_run_step_delta",
    "on_run_step_done",
    "on_tool_call_created",
    "on_tool_call_delta",
    "on_tool_call_done",
    "on_tool_output",
    "on_exception",
    "on_timeout",
    "on_message_created",
    "on_message_delta",
    "on_message_done",
    "on_text_created",
    "on_text_delta",
    "on_text_done",
    "on_image_file_done",
    "on_end",
)
"""Every callback there is."""


class Notice(NamedTuple):
    """One callback to make: its name on the handler, and its arguments."""

    method: str
    args: tuple[object, ...]


class Callbacks:
    """The callbacks of a sync handler."""

    def on_event(self, event: AssistantStreamEvent) -> None:
        """Fires for every event, before the callbacks that the event means; ``current_run`` is up to date."""

    def on_run_step_created(self, run_step: RunStep) -> None:
        """Fires when a run step is created."""

    def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """Fires for every run step delta, with the step as accumulated so far."""

    def on_run_step_done(self, run_step: RunStep) -> None:
        """Fires when a run step ended: completed, failed, cancelled or expired (its ``status`` says)."""

    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """Fires once for a tool call, at its first delta; what that delta held is in ``tool_call``."""

    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """Fires for every later delta of a tool call, with the call as accumulated so far."""

    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """Fires once for a tool call: at the next call, at its step's end, or when the run waits for it."""

    def on_tool_output(self, tool_call: ToolCall, output: str) -> None:
        """Under ``tool_handlers=``: fires for each call that has its output, before those are submitted."""

    def on_exception(self, exception: Exception) -> None:
        """Fires once when reading the stream or a callback raised; the exception is raised afterwards."""

    def on_timeout(self) -> None:
        """Fires before ``on_exception`` where the exception is a timeout."""

    def on_message_created(self, message: Message) -> None:
        """Fires when a message is created; it has no content yet."""

    def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """Fires for every message delta, with the message as accumulated so far."""

    def on_message_done(self, message: Message) -> None:
        """Fires when a message is completed or incomplete, with the server's own final message."""

    def on_text_created(self, text: Text) -> None:
        """Fires once for a text block, at its first delta."""

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """Fires for every delta of a text block, with the text as accumulated so far."""

    def on_text_done(self, text: Text) -> None:
        """Fires once for a text block, with its whole text and annotations."""

    def on_image_file_done(self, image_file: ImageFile) -> None:
        """Fires once for an image block."""

    def on_end(self) -> None:
        """Fires once when the stream is over, however it ended: also after an exception or an early exit."""


class AsyncCallbacks:
    """The callbacks of an async handler. A subclass may declare each with ``async def`` or ``def``."""

    async def on_event(self, event: AssistantStreamEvent) -> None:
        """See :meth:`Callbacks.on_event`."""

    async def on_run_step_created(self, run_step: RunStep) -> None:
        """See :meth:`Callbacks.on_run_step_created`."""

    async def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """See :meth:`Callbacks.on_run_step_delta`."""

    async def on_run_step_done(self, run_step: RunStep) -> None:
        """See :meth:`Callbacks.on_run_step_done`."""

    async def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """See :meth:`Callbacks.on_tool_call_created`."""

    async def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """See :meth:`Callbacks.on_tool_call_delta`."""

    async def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """See :meth:`Callbacks.on_tool_call_done`."""

    async def on_tool_output(self, tool_call: ToolCall, output: str) -> None:
        """See :meth:`Callbacks.on_tool_output`."""

    async def on_exception(self, exception: Exception) -> None:
        """See :meth:`Callbacks.on_exception`."""

    async def on_timeout(self) -> None:
        """See :meth:`Callbacks.on_timeout`."""

    async def on_message_created(self, message: Message) -> None:
        """See :meth:`Callbacks.on_message_created`."""

    async def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """See :meth:`Callbacks.on_message_delta`."""

    async def on_message_done(self, message: Message) -> None:
        """See :meth:`Callbacks.on_message_done`."""

    async def on_text_created(self, text: Text) -> None:
        """See :meth:`Callbacks.on_text_created`."""

    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """See :meth:`Callbacks.on_text_delta`."""

    async def on_text_done(self, text: Text) -> None:
        """See :meth:`Callbacks.on_text_done`."""

    async def on_image_file_done(self, image_file: ImageFile) -> None:
        """See :meth:`Callbacks.on_image_file_done`."""

    async def on_end(self) -> None:
        """See :meth:`Callbacks.on_end`."""
