"""The events of one streamed response, as pieces of an Assistants run."""

from __future__ import annotations

import logging

from .._engine.port import Conversation, Json, Turn
from ._citations import MarkedText
from ._containers import wanted_files
from ._files import Results
from ._members import Fault, member, members, optional
from ._output import Output
from ._passages import ranking
from ._response_items import OutputItem, OutputItems

logger = logging.getLogger("streaming_assistants")

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_SILENT_ITEMS = frozenset({"reasoning", "compaction"})
_DROPPED_WHEN_NULL = frozenset({"reasoning", "function_call", "file_search_call"})


class Response:
    """Reads events with :meth:`read`, then the final response object with :meth:`close`.

    What the deltas left out (some servers send none, or no ``done``) is taken from the completed items.
    """

    def __init__(self, turn: Turn) -> None:
        self._ranking = ranking(turn)
        self._code_files = wanted_files(turn)
        self._items = OutputItems()
        self._output = Output()
        self._files = Results()
        self._place = _place(turn)  # of the next message, in the context as the hosted API counted it
        self._found: dict[str, tuple[int, int]] = {}  # file id: (place of what its search gave, rank in it)
        self._kept: list[Json] = []
        self._drawn: list[str] = []  # images that code made, for the message that follows
        self._pictured: set[str] = set()

    @property
    def size(self) -> int:
        """Bytes of all that was said."""
        return self._output.size

    def read(self, kind: str, event: Json) -> Conversation:
        if kind == "response.output_item.added":
            yield from self._added(optional(event, "output_index", int), member(event, "item", dict))
        elif kind == "response.output_item.done":
            yield from self._done(optional(event, "output_index", int), member(event, "item", dict))
        elif kind == "response.output_text.delta":
            item, place = self._content(event)
            yield from self._say(item, place, member(event, "delta", str))
        elif kind == "response.refusal.delta":
            item, place = self._content(event)
            yield from self._refuse(item, place, member(event, "delta", str))
        elif kind == "response.output_text.annotation.added":
            item, place = self._content(event)
            number = member(event, "annotation_index", int)
            annotation = optional(event, "annotation", dict)
            if annotation is not None:
                yield from self._annotate(item, place, number, annotation)
        elif kind == "response.function_call_arguments.delta":
            item = self._item(event, "function_call")
            yield from self._arguments(item, member(event, "delta", str))
        elif kind == "response.code_interpreter_call_code.delta":
            item = self._item(event, "code_interpreter_call")
            yield from self._code(item, member(event, "delta", str))
        else:
            # Progress, or a repetition of what deltas and completed items say.
            logger.debug("event of /responses not used: %s", kind)

    def close(self, response: Json, whole: bool) -> Conversation:
        """The end of a completed or incomplete response; ``output`` settles what is still open."""
        for index, item in enumerate(members(response, "output")):
            known = self._items.find(index, optional(item, "id", str), member(item, "type", str))
            if known is None or not known.closed:
                yield from self._done(index, item)
        cut = [item for item in self._items.open() if item.kind not in _SILENT_ITEMS]
        for item in cut:
            yield from self._settle(item, item.begun)
        # Without reasoning or built-in tools the stored calls say as much.
        needed = not cut and any(item["type"] != "function_call" for item in self._kept)
        yield from self._output.close(whole=whole, items=self._kept if needed else None)

    def _item(self, event: Json, kind: str) -> OutputItem:
        return self._items.of(event, kind)

    def _content(self, event: Json) -> tuple[OutputItem, int]:
        return self._item(event, "message"), optional(event, "content_index", int) or 0

    def _added(self, index: int | None, item: Json) -> Conversation:
        kind = member(item, "type", str)
        state = self._items.add(index, item)
        if state is None:
            return  # a message that goes on
        if kind == "function_call":
            value: Json = {"name": member(item, "name", str), "arguments": "", "output": None}
            yield from self._output.open_call(member(item, "call_id", str), "function", value)
        elif kind == "code_interpreter_call":
            value = {"input": "", "outputs": []}
            yield from self._output.open_call(_call_id(item), "code_interpreter", value)
        elif kind == "file_search_call":
            value = {"ranking_options": self._ranking, "results": []}
            yield from self._output.open_call(_call_id(item), "file_search", value)
        elif kind == "message":
            yield from self._output.end_message()
            for file_id in self._drawn:
                yield from self._picture(state, file_id)
            self._drawn = []
        elif kind not in _SILENT_ITEMS:
            raise Fault(f"The upstream produced a {kind}, which the Assistants API has no place for.")
        state.call = self._output.last_call

    def _done(self, index: int | None, item: Json) -> Conversation:
        id, kind = optional(item, "id", str), member(item, "type", str)
        if self._items.find(index, id, kind) is None:
            yield from self._added(index, item)
        state = self._items.find(index, id, kind)
        assert state is not None
        yield from self._settle(state, item)

    def _settle(self, state: OutputItem, item: Json) -> Conversation:
        """The end of an item, ``item`` as a whole."""
        again, state.closed = state.closed, True
        kind = state.kind
        if kind == "message":
            yield from self._message(state, item)
            if not again:
                self._kept = []
                self._place += 1
            return
        if again:
            return
        self._keep(kind, item)
        if kind == "function_call":
            arguments = optional(item, "arguments", str) or ""
            # The hosted API gave a call without arguments as an empty object, and clients parse it.
            yield from self._arguments(state, arguments[state.sent :] or ("" if state.sent else "{}"))
        elif kind == "code_interpreter_call":
            yield from self._code(state, (optional(item, "code", str) or "")[state.sent :])
            yield from self._outputs(state, item)
            place = optional(item, "container_id", str)
            if place:
                yield from self._output.keep("container", {"id": place, "file_ids": self._code_files})
        elif kind == "file_search_call":
            yield from self._results(state, item)
        if kind not in _SILENT_ITEMS:
            self._place += 2  # the call and what it gave

    def _keep(self, kind: str, item: Json) -> None:
        clean = {
            name: value for name, value in item.items() if value is not None or kind not in _DROPPED_WHEN_NULL
        }
        self._kept.append(clean)

    # Messages

    def _message(self, item: OutputItem, whole: Json) -> Conversation:
        for place, part in enumerate(members(whole, "content")):
            kind = member(part, "type", str)
            if kind == "output_text":
                received = item.texts[place].received if place in item.texts else 0
                yield from self._say(item, place, member(part, "text", str)[received:])
                for number, annotation in enumerate(members(part, "annotations")):
                    yield from self._annotate(item, place, number, annotation)
            elif kind == "refusal":
                said = item.refused.get(place, 0)
                yield from self._refuse(item, place, member(part, "refusal", str)[said:])
            elif kind != "reasoning_text":
                raise Fault(f"The upstream sent a content part of type {kind!r}, which messages cannot hold.")
        for place, text in item.texts.items():
            for value in text.flush():
                yield from self._output.say((item.number, place), "text", value)
        for place, annotation in item.links:
            yield from self._link(item, place, annotation)
        yield from self._output.end_message()

    def _say(self, item: OutputItem, place: int, delta: str) -> Conversation:
        text = item.texts.setdefault(place, MarkedText())
        for value in text.feed(delta):
            yield from self._output.say((item.number, place), "text", value)

    def _refuse(self, item: OutputItem, place: int, delta: str) -> Conversation:
        item.refused[place] = item.refused.get(place, 0) + len(delta)
        if delta:
            yield from self._output.say((item.number, place), "refusal", delta)

    def _annotate(self, item: OutputItem, place: int, number: int, annotation: Json) -> Conversation:
        if (place, number) in item.noted:
            return
        item.noted.add((place, number))
        kind = member(annotation, "type", str)
        if kind == "file_citation":
            file_id = member(annotation, "file_id", str)
            name = (optional(annotation, "filename", str) or "source").translate({0x3010: "[", 0x3011: "]"})
            search, rank = self._found.get(file_id, (self._place, number))
            marker = f"【{search}:{rank}†{name}】"
            at = optional(annotation, "index", int) or 0
            for value in item.texts.setdefault(place, MarkedText()).cite(at, marker, file_id):
                yield from self._output.say((item.number, place), "text", value)
        elif kind in ("container_file_citation", "file_path"):
            item.links.append((place, annotation))
        else:
            logger.warning("the Assistants API has no annotation for a %s; the text is unchanged", kind)

    def _link(self, item: OutputItem, place: int, annotation: Json) -> Conversation:
        file_id = member(annotation, "file_id", str)
        filename = optional(annotation, "filename", str) or file_id
        container_id = optional(annotation, "container_id", str)
        if container_id:
            file_id = yield from self._files.from_container(container_id, file_id, filename)
        start = optional(annotation, "start_index", int) or 0
        end = optional(annotation, "end_index", int) or 0
        text = item.texts.setdefault(place, MarkedText())
        value = text.link(start, end, filename, file_id)
        if value is None and filename.lower().endswith(_IMAGES):
            # An image that the model shows without a link was an image part of the message.
            yield from self._picture(item, file_id)
            return
        yield from self._output.say(
            (item.number, place), "text", value or text.append_link(filename, file_id)
        )

    def _picture(self, item: OutputItem, file_id: str) -> Conversation:
        if file_id not in self._pictured:
            self._pictured.add(file_id)
            yield from self._output.say((item.number, file_id), "image_file", {"file_id": file_id})

    # Tools

    def _arguments(self, item: OutputItem, delta: str) -> Conversation:
        item.sent += len(delta)
        if delta:
            yield from self._output.grow_call(item.call, "function", {"arguments": delta})

    def _code(self, item: OutputItem, delta: str) -> Conversation:
        item.sent += len(delta)
        if delta:
            yield from self._output.grow_call(item.call, "code_interpreter", {"input": delta})

    def _outputs(self, item: OutputItem, whole: Json) -> Conversation:
        for number, output in enumerate(members(whole, "outputs")):
            kind = member(output, "type", str)
            if kind == "logs":
                said: Json = {"type": "logs", "logs": member(output, "logs", str)}
            elif kind == "image":
                url = member(output, "url", str)
                file_id = yield from self._files.from_url(url)
                if file_id:
                    self._drawn.append(file_id)
                    said = {"type": "image", "image": {"file_id": file_id}}
                else:
                    shown = "an image that could not be copied to /files" if url[:5] == "data:" else url
                    said = {"type": "logs", "logs": f"({shown})"}
            else:
                raise Fault(f"code_interpreter gave an output of type {kind!r}, which steps cannot hold.")
            delta = {"outputs": [{"index": number, **said}]}
            yield from self._output.grow_call(item.call, "code_interpreter", delta)

    def _results(self, item: OutputItem, whole: Json) -> Conversation:
        results = []
        for rank, result in enumerate(members(whole, "results")):
            file_id = optional(result, "file_id", str) or ""
            self._found.setdefault(file_id, (self._place + 1, rank))
            results.append(
                {
                    "file_id": file_id,
                    "file_name": optional(result, "filename", str) or "",
                    "score": result.get("score") or 0.0,
                    "attributes": result.get("attributes") or {},
                    "content": [{"type": "text", "text": result.get("text") or ""}],
                }
            )
        if results:
            yield from self._output.grow_call(item.call, "file_search", {"results": results})


def _call_id(item: Json) -> str:
    """The id of a hosted tool's call, in the form that the Assistants API gave it."""
    id = member(item, "id", str)
    return id if id.startswith("call_") else "call_" + id.replace("_", "")


def _place(turn: Turn) -> int:
    """How many messages the model has before it; two of them were the hosted API's own."""
    return 2 + sum(1 if item["kind"] == "message" else 1 + len(item["calls"]) for item in turn.items)
