"""``demo``: a streamed answer, a tool call, a poll and the capability table, on the echo backend."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from streaming_assistants import AssistantEventHandler, _sdk, capabilities, patch
from streaming_assistants._patch.display import Judgement
from streaming_assistants._sdk.untyped import AnyClient, Model
from streaming_assistants.backend import LocalBackend, Upstream

from .console import complain, screen
from .families import families
from .screen import Cell, Screen, Style, Tell, Write
from .versions import LIBRARY, installed

if TYPE_CHECKING:
    from .terminal import Recorder

_WORD_SECONDS = 0.06
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def run(*, svg: str | None = None, plain: bool = False) -> int:
    """Shows the demo; ``svg`` names a file for a picture of it."""
    recorder = _recorder() if svg else None
    if svg and recorder is None:
        complain("A picture needs rich, which is not installed: pip install 'streaming_assistants[cli]'")
        return 1
    if svg and not Path(svg).parent.is_dir():
        complain(f"There is no folder {Path(svg).parent} for the picture.")
        return 2
    try:
        backend = LocalBackend(_echo())
    except ImportError as error:
        complain(str(error))
        return 1
    with backend:
        show(recorder or screen(plain=plain), backend)
    if svg and recorder is not None:
        Path(svg).write_text(recorder.svg("python -m streaming_assistants demo"), encoding="utf-8")
    return 0


def _recorder() -> Recorder | None:
    try:
        from .terminal import Recorder
    except ModuleNotFoundError:
        return None
    return Recorder(sys.stdout)


def _echo() -> Upstream:
    from streaming_assistants.backend.upstreams.echo import Echo

    return Echo(delay=_WORD_SECONDS)


def show(out: Screen, backend: LocalBackend) -> None:
    """The demo itself: what a program that uses the library does, step by step."""
    has = installed()
    out.title(
        f"{LIBRARY} {has.get(LIBRARY, '(source tree)')} on openai {has['openai']}, Python {has['python']}",
        "The built-in echo backend answers: no key, no network.",
    )
    # OpenAI(api_key="unused") would do, but not on each release beside each httpx.
    client: AnyClient = patch(_sdk.memory_client(), backend=backend)
    assistant = client.beta.assistants.create(model="echo", tools=[_TOOL])

    out.section("A streamed answer: runs.stream(event_handler=...)")
    thread = client.beta.threads.create()
    _ask(out, client, thread.id, "Code for the Assistants API runs again, word by word.")
    with out.saying("answer") as say:
        handler = _Shows(say)
        asked = client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
        )
        with asked as stream:
            stream.until_done()
    out.line("", handler.told, "dim")

    out.section("A tool call, and its output: runs.submit_tool_outputs_stream()")
    _ask(out, client, thread.id, 'get_weather {"city": "Paris"}')
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        waits = stream.get_final_run()
    outputs = []
    for call in waits.required_action.submit_tool_outputs.tool_calls:
        out.line("call", f"{call.function.name}({call.function.arguments})", "warn")
        output = f"18 degrees and a clear sky over {json.loads(call.function.arguments)['city']}"
        outputs.append({"tool_call_id": call.id, "output": output})
        out.line("output", output)
    with out.saying("answer") as say:
        continued = client.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=thread.id, run_id=waits.id, tool_outputs=outputs
        )
        with continued as stream:
            for text in stream.text_deltas:
                say(text)

    out.section("A second run, polled: runs.create_and_poll(on_poll=...)")
    _ask(out, client, thread.id, "This one is not streamed: its status is asked for, until its end.")
    with out.waiting("status") as tell:
        watch = _Watch(tell)
        done = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=50, on_poll=watch
        )
    newest = next(iter(client.beta.threads.messages.list(thread_id=thread.id, run_id=done.id)))
    out.line("answer", newest.content[0].text.value, "good")

    out.section(f"What patch() made of openai {has['openai']}")
    show_capabilities(out, capabilities(client))


def show_capabilities(out: Screen, table: Iterable[Judgement]) -> None:
    """The capability table, a family a line."""
    rows: list[list[Cell]] = []
    for family in families(table):
        alone, patched = family.alone, family.patched
        bad: Style = "dim" if alone == "sound" else "warn"
        good: Style = "dim" if patched == "the SDK's own" else "good"
        rows.append([(family.name, ""), (alone, bad), (patched, good)])
    out.table(["capability", "the SDK alone", "patched"], rows)


def _ask(out: Screen, client: AnyClient, thread_id: str, text: str) -> None:
    out.line("you", text)
    client.beta.threads.messages.create(thread_id, role="user", content=text)


class _Shows(AssistantEventHandler):
    """Shows a message as it grows."""

    def __init__(self, say: Write) -> None:
        super().__init__()
        self._say = say
        self._events = 0
        self._start = time.perf_counter()

    def on_event(self, event: object) -> None:
        self._events += 1

    def on_text_delta(self, delta: Model, snapshot: object) -> None:
        self._say(delta.value or "")

    @property
    def told(self) -> str:
        """What there was to see."""
        return f"{self._events} events in {time.perf_counter() - self._start:.1f} s"


class _Watch:
    """Shows the status of a run, each time that it is asked for."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._seen: list[str] = []
        self._polls = 0
        self._start = time.perf_counter()

    def __call__(self, run: Model) -> None:
        self._polls += 1
        if run.status not in self._seen:
            self._seen.append(run.status)
        seconds = time.perf_counter() - self._start
        self._tell(" > ".join(self._seen), f"{seconds:.1f} s, poll {self._polls}")
