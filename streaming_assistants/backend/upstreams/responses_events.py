"""The events of one streamed response, as pieces of an Assistants run."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from .base import Conversation, Json, Turn
from .citations import CitedText
from .containers import wanted_files
from .files import Results
from .output import Output
from .reading import Fault, member, members, optional

logger = logging.getLogger("streaming_assistants")

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_SILENT_ITEMS = frozenset({"reasoning", "compaction"})
_DROPPED_WHEN_NULL = frozenset({"reasoning", "function_call", "file_search_call"})


@dataclass
class _Item:
    """An output item under way. ``call`` is its number in the tool step, ``sent`` what of its arguments
    or code was said."""

    kind: str
    call: int = -1
    sent: int = 0
    texts: dict[int, CitedText] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    noted: set[tuple[int, int]] = field(default_factory=set)  # (content index, annotation index)
    links: list[tuple[int, Json]] = field(default_factory=list)


class Response:
    """Reads events with :meth:`read`, then the final response object with :meth:`close`.

    What the deltas left out (some servers send none, or no ``done``) is taken from the completed items.
    """

    def __init__(self, turn: Turn) -> None:
        self._ranking = _ranking(turn)
        self._code_files = wanted_files(turn)
        self._items: dict[int, _Item] = {}
        self._closed: set[int] = set()
        self._output = Output()
        self._files = Results()
        self._place = _place(turn)  # of the next message, in the context as the hosted API counted it
        self._found: dict[str, tuple[int, int]] = {}  # file id: (place of what its search gave, rank in it)
        self._kept: list[Json] = []
        self._drawn: list[str] = []  # images that code made, for the message that follows
        self._pictured: set[str] = set()

    def read(self, kind: str, event: Json) -> Conversation:
        if kind == "response.output_item.added":
            yield from self._added(member(event, "output_index", int), member(event, "item", dict))
        elif kind == "response.output_item.done":
            yield from self._done(member(event, "output_index", int), member(event, "item", dict))
        elif kind == "response.output_text.delta":
            item, place = self._content(event)
            yield from self._say(item, event["output_index"], place, member(event, "delta", str))
        elif kind == "response.refusal.delta":
            item, place = self._content(event)
            yield from self._refuse(item, event["output_index"], place, member(event, "delta", str))
        elif kind == "response.output_text.annotation.added":
            item, place = self._content(event)
            number = member(event, "annotation_index", int)
            annotation = optional(event, "annotation", dict)
            if annotation is not None:
                yield from self._annotate(item, event["output_index"], place, number, annotation)
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
        output = members(response, "output")
        for index, item in enumerate(output):
            if index not in self._closed:
                yield from self._done(index, item)
        # Without reasoning or built-in tools the stored calls say as much.
        needed = any(item["type"] != "function_call" for item in self._kept)
        yield from self._output.close(whole=whole, items=self._kept if needed else None)

    def _item(self, event: Json, kind: str) -> _Item:
        index = member(event, "output_index", int)
        item = self._items.get(index)
        if item is None or item.kind != kind:
            raise Fault(f"The upstream sent a malformed event: item {index} is no {kind}.")
        return item

    def _content(self, event: Json) -> tuple[_Item, int]:
        return self._item(event, "message"), member(event, "content_index", int)

    def _added(self, index: int, item: Json) -> Conversation:
        kind = member(item, "type", str)
        if index in self._items:
            raise Fault(f"The upstream sent a malformed event: item {index} was added twice.")
        state = self._items[index] = _Item(kind)
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
                yield from self._picture(index, file_id)
            self._drawn = []
        elif kind not in _SILENT_ITEMS:
            raise Fault(f"The upstream produced a {kind}, which the Assistants API has no place for.")
        state.call = self._output.last_call

    def _done(self, index: int, item: Json) -> Conversation:
        kind = member(item, "type", str)
        if index not in self._items:
            yield from self._added(index, item)
        state = self._items[index]
        if state.kind != kind:
            raise Fault(f"The upstream sent a malformed event: item {index} changed its type.")
        self._closed.add(index)
        if kind == "message":
            self._kept = []
            yield from self._message(state, index, item)
            self._place += 1
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

    def _message(self, item: _Item, index: int, whole: Json) -> Conversation:
        for place, part in enumerate(members(whole, "content")):
            kind = member(part, "type", str)
            if kind == "output_text":
                received = item.texts[place].received if place in item.texts else 0
                yield from self._say(item, index, place, member(part, "text", str)[received:])
                for number, annotation in enumerate(members(part, "annotations")):
                    yield from self._annotate(item, index, place, number, annotation)
            elif kind == "refusal":
                said = item.refused.get(place, 0)
                yield from self._refuse(item, index, place, member(part, "refusal", str)[said:])
            elif kind != "reasoning_text":
                raise Fault(f"The upstream sent a content part of type {kind!r}, which messages cannot hold.")
        for place, text in item.texts.items():
            for value in text.flush():
                yield from self._output.say((index, place), "text", value)
        for place, annotation in item.links:
            yield from self._link(item, index, place, annotation)
        yield from self._output.end_message()

    def _say(self, item: _Item, index: int, place: int, delta: str) -> Conversation:
        text = item.texts.setdefault(place, CitedText())
        for value in text.feed(delta):
            yield from self._output.say((index, place), "text", value)

    def _refuse(self, item: _Item, index: int, place: int, delta: str) -> Conversation:
        item.refused[place] = item.refused.get(place, 0) + len(delta)
        if delta:
            yield from self._output.say((index, place), "refusal", delta)

    def _annotate(self, item: _Item, index: int, place: int, number: int, annotation: Json) -> Conversation:
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
            for value in item.texts.setdefault(place, CitedText()).cite(at, marker, file_id):
                yield from self._output.say((index, place), "text", value)
        elif kind in ("container_file_citation", "file_path"):
            item.links.append((place, annotation))
        else:
            logger.warning("the Assistants API has no annotation for a %s; the text is unchanged", kind)

    def _link(self, item: _Item, index: int, place: int, annotation: Json) -> Conversation:
        file_id = member(annotation, "file_id", str)
        filename = optional(annotation, "filename", str) or file_id
        container_id = optional(annotation, "container_id", str)
        if container_id:
            file_id = yield from self._files.from_container(container_id, file_id, filename)
        start = optional(annotation, "start_index", int) or 0
        end = optional(annotation, "end_index", int) or 0
        text = item.texts.setdefault(place, CitedText())
        value = text.link(start, end, filename, file_id)
        if value is None and filename.lower().endswith(_IMAGES):
            # An image that the model shows without a link was an image part of the message.
            yield from self._picture(index, file_id)
            return
        yield from self._output.say((index, place), "text", value or text.append_link(filename, file_id))

    def _picture(self, index: int, file_id: str) -> Conversation:
        if file_id not in self._pictured:
            self._pictured.add(file_id)
            yield from self._output.say((index, file_id), "image_file", {"file_id": file_id})

    # Tools

    def _arguments(self, item: _Item, delta: str) -> Conversation:
        item.sent += len(delta)
        if delta:
            yield from self._output.grow_call(item.call, "function", {"arguments": delta})

    def _code(self, item: _Item, delta: str) -> Conversation:
        item.sent += len(delta)
        if delta:
            yield from self._output.grow_call(item.call, "code_interpreter", {"input": delta})

    def _outputs(self, item: _Item, whole: Json) -> Conversation:
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

    def _results(self, item: _Item, whole: Json) -> Conversation:
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


def _ranking(turn: Turn) -> Json:
    """What the step says of the ranking: the tool's own options, or the hosted API's defaults."""
    for tool in turn.tools:
        if tool.get("type") == "file_search":
            options = (tool.get("file_search") or {}).get("ranking_options") or {}
            return {
                "ranker": options.get("ranker") or "default_2024_08_21",
                "score_threshold": options.get("score_threshold") or 0.0,
            }
    return {"ranker": "default_2024_08_21", "score_threshold": 0.0}
