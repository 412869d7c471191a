"""Which callbacks the events of messages fire, and in what order. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_assistants._sdk.untyped import Model

from .callbacks import Notice
from .message_state import MessageState, TextPart


class MessageNotices:
    """The messages of one streamed run, and the callbacks that each of their events means."""

    def __init__(self) -> None:
        self.states: dict[str, MessageState] = {}
        self.current: MessageState | None = None
        self._part: tuple[MessageState, int] | None = None  # the block that streams now

    def current_part(self) -> tuple[int | None, Model]:
        """Index and content of the block that streams now."""
        if self._part is None:
            return None, None
        state, index = self._part
        return index, state.parts[index].block()

    def created(self, message: Model) -> Iterator[Notice]:
        state = self.states.get(message.id)
        if state is None:
            state = self.states[message.id] = MessageState(message)
        else:
            state.create(message)
        self.current = state
        yield Notice("on_message_created", (message,))

    def delta(self, data: Model, run: Model, wants: frozenset[str]) -> Iterator[Notice]:
        """The callbacks among ``wants``: of a delta, what nobody looks at is not built."""
        state = self.states.get(data.id)
        if state is None:
            state = self.states[data.id] = MessageState.of_delta(data.id, run)
        self.current = state
        merged = []
        late = state.final is not None  # its message is as the server ended it
        for delta in () if late else data.delta.content or ():
            part, new = state.add(delta)
            merged.append((delta, part))
            if new and isinstance(part, TextPart) and part.index not in state.texts_created:
                state.texts_created.add(part.index)
                if "on_text_created" in wants:
                    yield Notice("on_text_created", (part.text(),))
        for delta, part in merged:
            if "on_text_delta" in wants and isinstance(part, TextPart) and delta.text is not None:
                yield Notice("on_text_delta", (delta.text, part.text()))
            if self._part != (state, part.index):
                for notice in self._part_over():
                    if notice.method in wants:
                        yield notice
                self._part = (state, part.index)
        if "on_message_delta" in wants:
            yield Notice("on_message_delta", (data.delta, state.snapshot()))

    def done(self, message: Model) -> Iterator[Notice]:
        state = self.states.get(message.id)
        if state is None:
            state = self.states[message.id] = MessageState.of_end(message)
        self.current = state
        told = state.final is not None
        state.end(message)
        if told:
            return
        blocks = _final_blocks(message.content or [], state)
        if self._part is not None and self._part[0] is state:
            self._part = None
        for index in sorted(blocks):
            yield from self._part_done(state, index, blocks[index])
        yield Notice("on_message_done", (message,))

    def _part_over(self) -> Iterator[Notice]:
        if self._part is not None:
            (state, index), self._part = self._part, None
            if state.final is None:
                yield from self._part_done(state, index, state.parts[index].block())

    def _part_done(self, state: MessageState, index: int, block: Model) -> Iterator[Notice]:
        if index in state.parts_done:
            return
        state.parts_done.add(index)
        kind = getattr(block, "type", None)
        if kind == "text" and block.text is not None:
            if index not in state.texts_created:
                state.texts_created.add(index)
                yield Notice("on_text_created", (block.text,))
            yield Notice("on_text_done", (block.text,))
        elif kind == "image_file":
            yield Notice("on_image_file_done", (block.image_file,))


def _final_blocks(content: list[Model], state: MessageState) -> dict[int, Model]:
    """The final blocks by index: the server's where it sent them, as streamed where it left them out."""
    streamed = sorted(state.parts)
    keys: list[int] = list(range(len(content)))
    if streamed and streamed[-1] >= len(content) >= len(streamed):
        # The streamed indexes skip some; the final list cannot, so the order tells which is which.
        keys[: len(streamed)] = streamed
    blocks = dict(zip(keys, content, strict=True))
    for index in streamed:
        blocks.setdefault(index, state.parts[index].block())
    return blocks
