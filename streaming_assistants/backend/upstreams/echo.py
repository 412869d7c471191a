"""The built-in upstream: says the last user message again, word by word. No network, no surprises.

It does what the last user message tells it, so that code under test meets every state of a run:

=======================================  =======================================================
the message                              the run
=======================================  =======================================================
``What is up?``                          says ``What is up?``
``get_weather {"city": "Paris"}``        calls that function, when the run has a tool of that name;
                                         several such calls, one a line, are made at once. The
                                         arguments may be left out. Says the outputs afterwards
``search: QUERY``                        with ``file_search``: searches for that, and quotes the best
                                         passage with its citation; several such lines, several
                                         searches. Without such a line it searches for the message's
                                         own words, and says them where nothing is found. Without
                                         the tool the line is text like any other
``echo:fail`` or ``echo:fail MESSAGE``   ``failed``, ``server_error``
``echo:rate_limit``                      ``failed``, ``rate_limit_exceeded``
``echo:stall`` or ``echo:stall SECONDS`` says nothing for so long (default: until the run expires)
``echo:limit`` or ``echo:limit WORDS``   ``incomplete`` after so many words (default 3)
``echo:filter``                          ``incomplete``, ``content_filter``
``echo:raise``                           ``failed``: the upstream itself raises
=======================================  =======================================================

What follows on further lines, after such a command, is said before it takes effect.

``response_format`` and ``tool_choice`` are obeyed: what is said is then JSON that fits (the message itself
where it is such JSON, else one with the message in its strings), and a function is called, with arguments
that fit, where one has to be. ``code_interpreter`` fails the run, and so does ``file_search`` where the
backend keeps no files itself (``files="upstream"``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from .._engine.port import (
    ContentDelta,
    Conversation,
    Failed,
    Finished,
    Json,
    MessageEnd,
    Sleep,
    ToolCallDelta,
    Turn,
)
from . import _functions_only as functions_only
from ._members import Fault
from ._passages import best, is_before
from ._samples import Unfit, as_json
from .registry import BuiltIn

_FOREVER = 3600.0  # longer than any run may take
_COMMAND = re.compile(r"echo:(fail|rate_limit|stall|limit|filter|raise)\b[ \t]*([^\n]*)\n?")
_SEARCH = re.compile(r"^[ \t]*search:[ \t]*(\S[^\n]*)$", re.MULTILINE)
_WORD = re.compile(r"\s*\S+\s*$|\s*\S+")


class Call(NamedTuple):
    """A call that a message asks for: where in it, the function, and the arguments as JSON text."""

    place: int
    name: str
    arguments: str


class Echo:
    """An echo upstream of one's own: ``LocalBackend(upstream=Echo(delay=0.05))``.

    ``delay`` is the pause before each word, in seconds. ``command`` is done in every turn that has no
    command in its message: ``fail``, ``rate_limit``, ``stall``, ``limit``, ``filter`` or ``raise``, with an
    argument after a space where it takes one.
    """

    offline = True
    """Nothing may leave the process: a client's other requests (for files, say) are refused."""

    def __init__(self, *, delay: float = 0.0, command: str | None = None) -> None:
        self._delay = delay
        self._command = command

    def __call__(self, turn: Turn) -> Conversation:
        try:
            functions_only.check(turn, "echo", "it has no files and runs no code")
            yield from self._answer(turn)
        except Fault as fault:
            yield fault.failed()

    def room(self, turn: Turn) -> int:
        """As much as a model of the Assistants API's years."""
        return 128_000

    def _answer(self, turn: Turn) -> Conversation:
        text, quote = _heard(turn.items)
        command, argument, said = self._read(text)
        outputs = _outputs(turn)
        if outputs:
            said = "\n".join(outputs)
        elif quote:
            said = quote
        else:
            calls = _searches(said, turn) if command else _called(text, turn)
            if calls:
                yield from self._call(calls, turn)
                return
        if said or not command:
            said = _formed(said, turn)
        asked = len(text.split()) + len((turn.instructions or "").split())
        limit = _limit(turn, command, argument)
        words = _WORD.findall(said)
        for word in words[:limit]:
            if self._delay:
                yield Sleep(self._delay)
            yield ContentDelta({"index": 0, "type": "text", "text": {"value": word}})
        if len(words) <= limit:
            yield from _obey(command, argument)
        usage = _usage(asked, min(len(words), limit))
        if len(words) > limit or command == "limit":
            yield Finished("max_completion_tokens", usage)
        elif command == "filter":
            yield Finished("content_filter", usage)
        elif command not in ("fail", "rate_limit"):
            yield MessageEnd()
            yield Finished(None, usage)

    def _read(self, text: str) -> tuple[str, str, str]:
        """The command, its argument, and the text to say."""
        match = _COMMAND.match(text)
        if match:
            return match[1], match[2].strip(), text[match.end() :]
        command, _, argument = (self._command or "").partition(" ")
        return command, argument, text

    def _call(self, calls: list[Call], turn: Turn) -> Conversation:
        if turn.parallel_tool_calls is False:
            calls = calls[:1]
        count = 0
        for index, (_, name, arguments) in enumerate(calls):
            seed = f"{turn.run_id} {len(turn.items)} {index}"
            id = "call_" + hashlib.sha256(seed.encode()).hexdigest()[:24]
            opening = {"name": name, "arguments": "", "output": None}
            yield ToolCallDelta({"index": index, "id": id, "type": "function", "function": opening})
            for piece in re.findall(r"\s*\S+\s*", arguments):
                if self._delay:
                    yield Sleep(self._delay)
                count += 1
                yield ToolCallDelta({"index": index, "type": "function", "function": {"arguments": piece}})
        yield Finished(None, _usage(len(_heard(turn.items)[0].split()), count))


echo = Echo()
"""The upstream that ``backend="echo"`` names."""

UPSTREAM = BuiltIn(lambda: echo)


def _obey(command: str, argument: str) -> Conversation:
    if command == "fail":
        yield Failed("server_error", argument or "The echo upstream was told to fail.")
    elif command == "rate_limit":
        yield Failed("rate_limit_exceeded", argument or "Rate limit reached: the echo upstream was told so.")
    elif command == "stall":
        yield Sleep(float(argument or _FOREVER))
    elif command == "raise":
        raise RuntimeError(argument or "The echo upstream was told to raise.")


def _limit(turn: Turn, command: str, argument: str) -> int:
    """How many words may be said."""
    limits = [1_000_000_000]
    if command == "limit":
        limits.append(int(argument or 3))
    if turn.max_completion_tokens is not None:
        limits.append(turn.max_completion_tokens)
    return min(limits)


def _called(text: str, turn: Turn) -> list[Call]:
    """The calls that the text and ``tool_choice`` ask for; with ``file_search`` and no other a search."""
    calls = [*_calls(text, turn), *_searches(text, turn)]
    calls = _chosen(sorted(calls, key=lambda call: call.place), text, turn)
    if not calls and turn.search and turn.tool_choice != "none" and text.strip():
        return [Call(0, turn.search, _query(text))]
    return calls


def _searches(text: str, turn: Turn) -> list[Call]:
    if turn.search is None or turn.tool_choice == "none":
        return []
    return [Call(line.start(), turn.search, _query(line[1])) for line in _SEARCH.finditer(text)]


def _query(text: str) -> str:
    return json.dumps({"query": text.strip()}, ensure_ascii=False)


def _calls(text: str, turn: Turn) -> Iterator[Call]:
    """The function calls that a text asks for."""
    if turn.tool_choice == "none":
        return
    names = {tool["function"]["name"] for tool in turn.tools if tool["type"] == "function"}
    decoder = json.JSONDecoder()
    for name in names and re.finditer(r"^[ \t]*([\w-]+)[ \t]*(?=\{|$)", text, re.MULTILINE):
        if name[1] not in names:
            continue
        rest = text[name.end() :]
        if not rest.startswith("{"):
            yield Call(name.start(), name[1], "{}")
            continue
        try:
            _, end = decoder.raw_decode(rest)
        except ValueError:
            continue  # not a call, then: words to repeat
        yield Call(name.start(), name[1], rest[:end])


def _chosen(calls: list[Call], text: str, turn: Turn) -> list[Call]:
    """The calls that ``tool_choice`` leaves or asks for, beyond those that the text asks for."""
    choice = turn.tool_choice
    if choice != "required" and not isinstance(choice, dict):
        return calls
    name = choice["function"]["name"] if isinstance(choice, dict) else None
    calls = [call for call in calls if name in (None, call.name)]
    if calls:
        return calls
    for tool in turn.tools:
        function = tool["function"]
        if name in (None, function["name"]):
            parameters = function.get("parameters") or {"type": "object", "properties": {}}
            made = _json(text, parameters, f"arguments of the function {name!r}")
            return [Call(0, function["name"], made)]
    raise Fault(f"tool_choice asks for the function {name!r}, which this run cannot offer.")


def _formed(said: str, turn: Turn) -> str:
    """What is said, in the form that ``response_format`` asks for."""
    format = turn.response_format
    kind = format["type"] if isinstance(format, dict) else "text"
    if kind == "json_object":
        return _json(said, {"type": "object"}, "a JSON object")
    if kind == "json_schema":
        return _json(said, format["json_schema"].get("schema") or {}, "JSON for the response_format")
    return said


def _json(text: str, schema: Json, what: str) -> str:
    try:
        return as_json(text, schema)
    except Unfit as error:
        raise Fault(f"Echo cannot make {what}: {error}. Give it one as the message.") from error


def _heard(items: list[Json]) -> tuple[str, str]:
    """What the last user message says, and the best of the passages that were put before it."""
    for item in reversed(items):
        if item["kind"] == "message" and item["role"] == "user":
            texts = [part["text"]["value"] for part in item["content"] if part["type"] == "text"]
            if texts and is_before(texts[0]):
                return "\n".join(texts[1:]), best(texts[0])
            return "\n".join(texts), ""
    return "", ""


def _outputs(turn: Turn) -> list[str]:
    """The outputs of the calls that the last user message led to; of a search the best passage."""
    outputs: list[str] = []
    for item in turn.items:
        if item["kind"] == "tool_calls":
            calls = [call["function"] for call in item["calls"] if call["type"] == "function"]
            outputs += [
                _quoted(call, turn) if call["name"] == turn.search else call["output"] for call in calls
            ]
        elif item["role"] == "user":
            outputs = []
    return outputs


def _quoted(search: Json, turn: Turn) -> str:
    query = json.loads(search["arguments"])["query"]
    text, _ = _heard(turn.items)
    asked = any(query == line[1].strip() for line in _SEARCH.finditer(text))
    return best(search["output"]) or (f'Nothing was found for "{query}".' if asked else text)


def _usage(prompt: int, completion: int) -> Json:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
