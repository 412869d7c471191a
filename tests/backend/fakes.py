"""Fakes of POST /responses and POST /chat/completions that speak the real event shapes.

    with Loopback() as server:
        fakes.serve_responses(server, fakes.responses_call("add", '{"a":1}'), fakes.responses_text("2"))
        fakes.serve_chat(server, fakes.chat_text("Hello"), fakes.http_error(429))

A script is a list of events (decoded JSON). Each request takes the next one, the last repeats.
``test_fakes.py`` holds every script against the types of the openai package.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from tests.loopback import CUT, Loopback, Piece, Reply, Request

Event = dict[str, Any]
Script = list[Event]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
MODEL = "gpt-4o"
CREATED = 1_750_000_000


def sse(events: Iterable[Event], *, cut: bool = False) -> Iterator[Piece]:
    """A body as /responses sends it; ``cut`` breaks the connection at the end."""
    for event in events:
        yield f"event: {event['type']}\ndata: {_dump(event)}\n\n".encode()
    if cut:
        yield CUT


def chat_sse(chunks: Iterable[Event], *, done: bool = True, cut: bool = False) -> Iterator[Piece]:
    """A body as /chat/completions sends it."""
    for chunk in chunks:
        yield f"data: {_dump(chunk)}\n\n".encode()
    if cut:
        yield CUT
    elif done:
        yield b"data: [DONE]\n\n"


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def serve_responses(server: Loopback, *scripts: Script | Reply) -> Loopback:
    """Routes POST /responses, below any prefix. A Reply is given as it is."""
    return server.on("POST", ".*/responses", *(_reply(script, sse) for script in scripts))


def serve_background(server: Loopback, script: Script, gate: threading.Event, first: int) -> Loopback:
    """A server whose response goes on in the background: who has asked for it is sent the ``first`` of its
    events, and the others when the gate is opened; who reads it later, all that follow a number."""

    def asked(request: Request) -> Reply:
        return Reply.sse([*sse(script[:first]), gate, *sse(script[first:])])

    def read(request: Request) -> Reply:
        after = int(request.query["starting_after"][0])
        return Reply.sse(sse([event for event in script if event["sequence_number"] > after]))

    ended = {**script[0]["response"], "status": "cancelled"}
    server.on("POST", ".*/responses", asked)
    server.on("GET", ".*/responses/resp_1", read)
    return server.on("POST", ".*/responses/resp_1/cancel", Reply.json(ended))


def serve_chat(server: Loopback, *scripts: Script | Reply) -> Loopback:
    """Routes POST /chat/completions, below any prefix. A Reply is given as it is."""
    return server.on("POST", ".*/chat/completions", *(_reply(script, chat_sse) for script in scripts))


def serve_searching_chat(server: Loopback, *, cites: bool = True) -> Loopback:
    """A chat server whose model searches for the user's words and then says what it has found first, with the
    marker that stands before it. Without the function it says what it was told."""

    def answer(asked: Request) -> Reply:
        messages = asked.json["messages"]
        offered = [tool["function"]["name"] for tool in asked.json.get("tools") or []]
        told = messages[-1]["content"]
        if messages[-1]["role"] == "user" and "file_search" in offered:
            script = chat_call("file_search", *_pieces(_dump({"query": told})))
        else:
            marker, _, rest = told.partition("【")[2].partition("】")
            text = rest.strip().partition("\n\n【")[0] if marker else told
            script = chat_text(*_pieces(f"{text}【{marker}】" if marker and cites else text))
        return Reply.sse(chat_sse(script))

    return server.on("POST", ".*/chat/completions", answer)


def _pieces(text: str) -> list[str]:
    """Deltas of three characters: a marker never comes whole."""
    return [text[start : start + 3] for start in range(0, len(text), 3)]


def says_hello(server: Loopback) -> Loopback:
    """Routes both, and answers with one word."""
    return serve_responses(serve_chat(server, chat_text("Hello")), responses_text("Hello"))


def serve_files(server: Loopback, content: bytes = PNG) -> Loopback:
    """Routes what the upstreams ask besides: files, container files, vector stores."""
    server.on("GET", ".*/(files|containers/[^/]+/files)/[^/]+/content", Reply(200, {}, [content]))
    server.on("POST", ".*/files", Reply.json(file_object()))
    server.on("GET", ".*/containers/[^/]+", lambda asked: Reply.json(container(asked.path.split("/")[-1])))
    server.on("POST", ".*/containers/[^/]+/files", Reply.json({"id": "cfile_new"}))
    server.on("POST", ".*/vector_stores", Reply.json(vector_store()))
    for method, path in (("POST", ".*/vector_stores/vs_new/files"), ("GET", ".*/vector_stores/.*/files/.*")):
        server.on(method, path, Reply.json(vector_store_file()))
    return server


def _reply(script: Script | Reply, body: Any) -> Any:
    # A new body for each request: a generator can be sent once.
    return script if isinstance(script, Reply) else lambda _: Reply.sse(body(script))


def http_error(status: int, message: str = "", **error: Any) -> Reply:
    """An error answer in OpenAI's shape, with the words of OpenAI for 401, 429 and 500."""
    words = {
        401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        429: ("Rate limit reached for gpt-4o.", "tokens", "rate_limit_exceeded"),
        500: ("The server had an error while processing your request.", "server_error", None),
    }
    text, kind, code = words.get(status, ("Bad request.", "invalid_request_error", None))
    body = {"message": message or text, "type": kind, "param": None, "code": code, **error}
    return Reply.json({"error": body}, status, x_should_retry="false")


# Other resources


def file_object(id: str = "file-new", purpose: str = "vision", filename: str = "image.png") -> Event:
    return {
        "id": id,
        "object": "file",
        "bytes": 24,
        "created_at": CREATED,
        "expires_at": None,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }


def container(id: str = "cntr_1", status: str = "running") -> Event:
    return {"id": id, "object": "container", "created_at": CREATED, "name": "auto", "status": status}


def vector_store(id: str = "vs_new") -> Event:
    counts = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
    return {
        "id": id,
        "object": "vector_store",
        "created_at": CREATED,
        "name": "",
        "usage_bytes": 0,
        "file_counts": counts,
        "status": "completed",
        "expires_after": {"anchor": "last_active_at", "days": 7},
        "expires_at": None,
        "last_active_at": CREATED,
        "metadata": {},
    }


def vector_store_file(status: str = "completed", id: str = "file-a", error: Any = None) -> Event:
    return {
        "id": id,
        "object": "vector_store.file",
        "usage_bytes": 0,
        "created_at": CREATED,
        "vector_store_id": "vs_new",
        "status": status,
        "last_error": error,
    }


# POST /responses


class ResponseScript:
    """Writes the events of one response, numbering items and events as the API does."""

    def __init__(self, *, background: bool = False) -> None:
        self.events: Script = []
        self._background = background
        self._output: list[Event] = []
        self.emit("response.created", response=self._response("in_progress"))
        self.emit("response.in_progress", response=self._response("in_progress"))

    def text(
        self, *deltas: str, annotations: Iterable[tuple[int, Event]] = (), end: bool = True
    ) -> ResponseScript:
        """A message. ``annotations`` are (number of deltas sent before it, annotation)."""
        marks = list(annotations)
        where = self._open_message({"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        for number in range(len(deltas) + 1):
            for place, (after, mark) in enumerate(marks):
                if after == number:
                    kind = "response.output_text.annotation.added"
                    self.emit(kind, **where, annotation_index=place, annotation=mark)
            if number < len(deltas):
                self.emit("response.output_text.delta", **where, delta=deltas[number], logprobs=[])
        if end:
            text = "".join(deltas)
            self.emit("response.output_text.done", **where, text=text, logprobs=[])
            part = {"type": "output_text", "text": text, "annotations": [m for _, m in marks], "logprobs": []}
            self._close_message(where, part)
        return self

    def refusal(self, *deltas: str) -> ResponseScript:
        where = self._open_message({"type": "refusal", "refusal": ""})
        for delta in deltas:
            self.emit("response.refusal.delta", **where, delta=delta)
        self.emit("response.refusal.done", **where, refusal="".join(deltas))
        self._close_message(where, {"type": "refusal", "refusal": "".join(deltas)})
        return self

    def call(self, name: str, *deltas: str, call_id: str = "call_1") -> ResponseScript:
        item = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name}
        where = self._add({**item, "status": "in_progress", "arguments": ""})
        for delta in deltas:
            self.emit("response.function_call_arguments.delta", **where, delta=delta)
        arguments = "".join(deltas)
        self.emit("response.function_call_arguments.done", **where, arguments=arguments, name=name)
        self.finish(where, {**item, "status": "completed", "arguments": arguments})
        return self

    def reasoning(self, encrypted: str = "gAAAA") -> ResponseScript:
        item = {"type": "reasoning", "id": f"rs_{len(self._output)}", "summary": []}
        where = self._add(item)
        self.finish(where, {**item, "encrypted_content": encrypted})
        return self

    def file_search(self, results: list[Event] | None, id: str = "fs_1") -> ResponseScript:
        item = {"type": "file_search_call", "id": id, "queries": ["food"]}
        where = self._add({**item, "status": "in_progress", "queries": [], "results": None})
        for state in ("in_progress", "searching", "completed"):
            self.emit(f"response.file_search_call.{state}", **where)
        self.finish(where, {**item, "status": "completed", "results": results})
        return self

    def code(self, *deltas: str, outputs: list[Event], id: str = "ci_1") -> ResponseScript:
        item = {"type": "code_interpreter_call", "id": id, "container_id": "cntr_1"}
        where = self._add({**item, "status": "in_progress", "code": "", "outputs": None})
        self.emit("response.code_interpreter_call.in_progress", **where)
        for delta in deltas:
            self.emit("response.code_interpreter_call_code.delta", **where, delta=delta)
        self.emit("response.code_interpreter_call_code.done", **where, code="".join(deltas))
        for state in ("interpreting", "completed"):
            self.emit(f"response.code_interpreter_call.{state}", **where)
        self.finish(where, {**item, "status": "completed", "code": "".join(deltas), "outputs": outputs})
        return self

    def completed(self) -> Script:
        return self.emit("response.completed", response=self._response("completed"))

    def incomplete(self, reason: str) -> Script:
        details = {"incomplete_details": {"reason": reason}}
        return self.emit("response.incomplete", response={**self._response("incomplete"), **details})

    def failed(self, code: str, message: str) -> Script:
        error = {"error": {"code": code, "message": message}}
        return self.emit("response.failed", response={**self._response("failed"), **error})

    def error(self, code: str, message: str) -> Script:
        return self.emit("error", code=code, message=message, param=None)

    def emit(self, kind: str, **fields: Any) -> Script:
        self.events.append({"type": kind, "sequence_number": len(self.events), **fields})
        return self.events

    def _add(self, item: Event) -> Event:
        index = len(self._output)
        self._output.append(item)
        self.emit("response.output_item.added", output_index=index, item=item)
        return {"item_id": item["id"], "output_index": index}

    def finish(self, where: Event, item: Event) -> None:
        index = where["output_index"]
        self._output[index] = item
        self.emit("response.output_item.done", output_index=index, item=item)

    def _open_message(self, part: Event) -> Event:
        item = {"type": "message", "id": f"msg_{len(self._output)}", "role": "assistant"}
        where = self._add({**item, "status": "in_progress", "content": []})
        self.emit("response.content_part.added", **where, content_index=0, part=part)
        return {**where, "content_index": 0}

    def _close_message(self, where: Event, part: Event) -> None:
        self.emit("response.content_part.done", **where, part=part)
        item = {"type": "message", "id": where["item_id"], "role": "assistant"}
        self.finish(where, {**item, "status": "completed", "content": [part]})

    def _response(self, status: str) -> Event:
        ended = status not in ("in_progress", "failed")
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": self._background,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "model": MODEL,
            "output": list(self._output) if ended else [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "auto",
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": "auto",
            "usage": _responses_usage() if ended else None,
            "user": None,
        }


def _responses_usage() -> Event:
    return {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 17,
    }


def responses_text(*deltas: str) -> Script:
    return ResponseScript().text(*(deltas or ("Hel", "lo"))).completed()


def responses_refusal(*deltas: str) -> Script:
    return ResponseScript().refusal(*(deltas or ("I can", "not."))).completed()


def responses_call(name: str, *deltas: str, call_id: str = "call_1") -> Script:
    return ResponseScript().call(name, *deltas, call_id=call_id).completed()


def responses_parallel_calls() -> Script:
    script = ResponseScript().call("weather", '{"city":', '"Paris"}', call_id="call_1")
    return script.call("weather", '{"city":"Rome"}', call_id="call_2").completed()


def responses_reasoning_call() -> Script:
    return ResponseScript().reasoning().call("weather", "{}").completed()


def file_citation(index: int, file_id: str = "file-a", filename: str = "foods.txt") -> Event:
    return {"type": "file_citation", "index": index, "file_id": file_id, "filename": filename}


def search_result(file_id: str = "file-a", filename: str = "foods.txt") -> Event:
    return {
        "file_id": file_id,
        "filename": filename,
        "score": 0.68,
        "attributes": {},
        "text": "Filip: cake",
    }


def responses_file_search() -> Script:
    deltas = ("Filip's favorite food is", " cake", ".")
    script = ResponseScript().file_search([search_result("file-b", "other.txt"), search_result()])
    return script.text(*deltas, annotations=[(2, file_citation(29))]).completed()


def container_citation(start: int, end: int, filename: str = "out.csv", file_id: str = "cfile_1") -> Event:
    return {
        "type": "container_file_citation",
        "container_id": "cntr_1",
        "file_id": file_id,
        "filename": filename,
        "start_index": start,
        "end_index": end,
    }


def responses_code_interpreter() -> Script:
    """Logs, an image output, and a message that links to a file."""
    image = "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAA"
    outputs = [{"type": "logs", "logs": "2"}, {"type": "image", "url": image}]
    text = "Here: [table](sandbox:/mnt/data/out.csv)"
    script = ResponseScript().code("print(", "1+1)", outputs=outputs)
    return script.text(text, annotations=[(1, container_citation(14, 39))]).completed()


def responses_incomplete(reason: str = "max_output_tokens") -> Script:
    return ResponseScript().text("Once upon", end=False).incomplete(reason)


def responses_failed(code: str = "server_error", message: str = "The model broke.") -> Script:
    return ResponseScript().failed(code, message)


def responses_error(code: str = "server_error", message: str = "The model broke.") -> Script:
    return ResponseScript().error(code, message)


def responses_cut() -> Reply:
    """A response whose connection breaks in the middle of its text."""
    return Reply.sse(list(sse(ResponseScript().text("Once", " upon", end=False).events, cut=True)))


# POST /chat/completions


def chunk(delta: Event | None = None, finish: str | None = None, *, usage: Event | None = None) -> Event:
    """One chunk; without a delta it has no choices, as the one that carries the usage."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [] if delta is None else [choice],
        "usage": usage,
    }


CHAT_USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


def chat(*deltas: Event, finish: str = "stop", usage: bool = True) -> Script:
    chunks = [chunk({"role": "assistant", "content": ""}), *(chunk(delta) for delta in deltas)]
    chunks.append(chunk({}, finish))
    return [*chunks, chunk(usage=CHAT_USAGE)] if usage else chunks


def chat_text(*deltas: str, finish: str = "stop") -> Script:
    return chat(*({"content": delta} for delta in deltas or ("Hel", "lo")), finish=finish)


def chat_refusal(*deltas: str) -> Script:
    return chat(*({"refusal": delta} for delta in deltas or ("I can", "not.")))


def call_delta(index: int, arguments: str = "", id: str | None = None, name: str | None = None) -> Event:
    function: Event = {"arguments": arguments, **({"name": name} if name else {})}
    return {"index": index, **({"id": id, "type": "function"} if id else {}), "function": function}


def chat_call(name: str, *deltas: str, call_id: str = "call_1") -> Script:
    calls = [call_delta(0, id=call_id, name=name), *(call_delta(0, delta) for delta in deltas)]
    return chat(*({"tool_calls": [call]} for call in calls), finish="tool_calls")


def chat_parallel_calls() -> Script:
    calls = [
        call_delta(0, id="call_1", name="weather"),
        call_delta(0, '{"city":'),
        call_delta(0, '"Paris"}'),
        call_delta(1, id="call_2", name="weather"),
        call_delta(1, '{"city":"Rome"}'),
    ]
    return chat(*({"tool_calls": [call]} for call in calls), finish="tool_calls")


def chat_error(message: str = "The model broke.", code: Any = 500) -> Script:
    """An error frame in the stream, as vLLM and proxies send it."""
    broken = {"error": {"message": message, "type": "server_error", "code": code}}
    return [*chat_text("Once")[:2], broken]


def chat_cut() -> Reply:
    """An answer whose connection breaks in the middle of its text."""
    return Reply.sse(list(chat_sse(chat_text("Once", " upon")[:3], cut=True)))


def chat_ended_early() -> Reply:
    """An answer whose stream ends cleanly, but with nothing that says it is whole."""
    return Reply.sse(list(chat_sse(chat_text("Once", " upon")[:3], done=False)))


def responses_background() -> Script:
    """A search of the server's, and a message with a citation of it."""
    deltas = ("Filip's favorite food is", " cake", ".", " Or so", " they say.")
    script = ResponseScript(background=True).file_search([search_result()])
    return script.text(*deltas, annotations=[(2, file_citation(29))]).completed()


RESPONSES_SCRIPTS: dict[str, Script] = {
    "background": responses_background(),
    "text": responses_text(),
    "refusal": responses_refusal(),
    "call": responses_call("weather", '{"city":', '"Paris"}'),
    "parallel_calls": responses_parallel_calls(),
    "reasoning_call": responses_reasoning_call(),
    "file_search": responses_file_search(),
    "code_interpreter": responses_code_interpreter(),
    "incomplete": responses_incomplete(),
    "failed": responses_failed(),
    "error": responses_error(),
}
CHAT_SCRIPTS: dict[str, Script] = {
    "text": chat_text(),
    "refusal": chat_refusal(),
    "call": chat_call("weather", '{"city":', '"Paris"}'),
    "parallel_calls": chat_parallel_calls(),
}
