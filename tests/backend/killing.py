"""Kills workers of a service at random moments, and looks at what has become of every run.

    python -m tests.backend.killing --runs 500

Servers and workers are processes on one PostgreSQL, each with a lease; half of them pass for processes of
other machines, whose death shows by their lease alone. Clients begin runs of texts, calls, searches and
cancels, and ask whichever server is there, as behind a load balancer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

from tests.loopback import Loopback, Reply, Request

from . import fakes
from .databases import Postgres, a_server

KINDS = ("text", "call", "search", "cancel")
WORDS = 30
DELAY = 0.02  # seconds between two words
PLACES = {"file_search": {"vector_store_ids": []}}
PENDING = ("queued", "in_progress", "cancelling")
TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}},
    {"type": "file_search"},
]
FACT = "The lighthouse was built of blue granite in 1871."


class Trouble(Exception):
    """What must not be."""


# ------------------------------------------------------------------------------------------ the model


def words(subject: str) -> list[str]:
    return [f"{subject}-{number} " for number in range(WORDS)]


def answered(asked: Request) -> Reply:
    """A model that takes its time. The user's message says which kind of run it is, and a number."""
    messages = asked.json["messages"]
    user = next(each for each in reversed(messages) if each["role"] == "user")["content"]
    text = user if isinstance(user, str) else "".join(part.get("text", "") for part in user)
    kind, number = text.split()[:2]
    told = messages[-1]
    if kind == "call" and told["role"] != "tool":
        said = [{"content": word} for word in words(f"wait-{number}")[:5]]
        calls = [fakes.call_delta(0, id=f"call_{number}", name="look")]
        calls += [fakes.call_delta(0, piece) for piece in ('{"n"', ": ", number, "}")]
        return _slowly(*said, *({"tool_calls": [call]} for call in calls), finish="tool_calls")
    if kind == "search" and told["role"] != "tool":
        query = json.dumps({"query": "lighthouse granite"})
        call = fakes.call_delta(0, query, id=f"call_s{number}", name="file_search")
        return _slowly({"tool_calls": [call]}, finish="tool_calls")
    heard = [f"heard {told['content']} "] if kind == "call" else []
    found = ["found " if "granite" in str(told["content"]) else "nothing "] if kind == "search" else []
    return _slowly(*({"content": word} for word in [*heard, *found, *words(f"{kind}-{number}")]))


def _slowly(*deltas: Any, finish: str = "stop") -> Reply:
    def body() -> Iterator[Any]:
        for piece in fakes.chat_sse(fakes.chat(*deltas, finish=finish)):
            yield piece
            yield DELAY

    return Reply.sse(body())


def whole(kind: str, number: int) -> str:
    """What the last message of a run says."""
    before = {"call": f"heard output-{number} ", "search": "found "}.get(kind, "")
    return before + "".join(words(f"{kind}-{number}"))


# ------------------------------------------------------------------------------------------ processes


def _serves(pipe: Any, store: str, upstream: str, lease: float, machine: str | None, port: bool) -> None:
    from streaming_assistants.backend._jobs import owners
    from streaming_assistants.backend._serve.process import serve
    from streaming_assistants.backend._serve.working import work

    os.environ["OPENAI_API_KEY"] = "none"
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    if machine is not None:
        owners.here = lambda: machine  # type: ignore[assignment]
    given: dict[str, Any] = {"upstream": "chat", "store": store, "base_url": upstream}
    given["options"] = {"lease": lease}
    if port:
        serve(**given, port=0, announce=lambda told: pipe.send(told.split()[0]))
    else:
        work(**given, announce=pipe.send)


class Member:
    """A process of the service: a server, or with ``port`` False a worker."""

    context: Any = None

    def __init__(self, store: str, upstream: str, lease: float, machine: str | None, port: bool) -> None:
        if Member.context is None:
            Member.context = multiprocessing.get_context("forkserver")
            Member.context.set_forkserver_preload(["tests.backend.killing_preload"])
        self._arguments = (store, upstream, lease, machine, port)
        self._pipe, theirs = Member.context.Pipe()
        self.process = Member.context.Process(target=_serves, args=(theirs, *self._arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.port = port
        self.url = ""

    def ready(self) -> None:
        if not self._pipe.poll(60):
            raise Trouble("a process does not begin")
        self.url = self._pipe.recv()

    def kill(self, sign: int = signal.SIGKILL) -> None:
        os.kill(self.process.pid, sign)
        self.process.join(12)
        if self.process.is_alive():
            raise Trouble("a process does not end")

    def again(self) -> Member:
        return Member(*self._arguments)


class Service:
    """Processes that are killed one by one, and begun again."""

    def __init__(self, store: str, upstream: str, lease: float, servers: int, workers: int) -> None:
        self.kills = 0
        self.troubles: list[str] = []
        self._replacing: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.members = [
            Member(store, upstream, lease, f"machine {number}" if number % 2 else None, number < servers)
            for number in range(servers + workers)
        ]
        for member in self.members:
            member.ready()

    def url(self) -> str:
        with self._lock:
            return random.choice([member.url for member in self.members if member.port and member.url])

    def kill_one(self, chance: random.Random) -> None:
        """Kills one, or of ten tells one to end; another begins in its place."""
        with self._lock:
            there = [place for place, member in enumerate(self.members) if member.url]
            serving = [place for place in there if self.members[place].port]
            place = chance.choice(there)
            if len(serving) < 2 and place in serving:
                return
            member = self.members[place]
            member.url, self.kills = "", self.kills + 1
            sign = signal.SIGTERM if chance.random() < 0.1 else signal.SIGKILL
        replacing = threading.Thread(target=self._replace, args=(place, member, sign), daemon=True)
        self._replacing.append(replacing)
        replacing.start()

    def _replace(self, place: int, member: Member, sign: int) -> None:
        try:
            member.kill(sign)
            fresh = member.again()
            fresh.ready()
        except Trouble as trouble:
            self.troubles.append(str(trouble))
            return
        with self._lock:
            self.members[place] = fresh

    def stop(self) -> None:
        for replacing in self._replacing:
            replacing.join(60)
        for member in self.members:
            with contextlib.suppress(Exception):
                member.process.kill()


# ------------------------------------------------------------------------------------------ clients


class Client:
    """Asks whichever server is there."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def once(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Raises OSError where the connection breaks."""
        data = None if body is None else json.dumps(body).encode()
        request = UrlRequest(self._url() + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")
        except (HTTPException, ValueError) as error:  # cut in the middle
            raise OSError(str(error)) from None

    def get(self, path: str) -> Any:
        return self.until_answered("GET", path)

    def until_answered(self, method: str, path: str, body: Any = None) -> Any:
        """For what may be asked twice."""
        until = time.monotonic() + 60
        while True:
            status, answer = 0, None
            with contextlib.suppress(OSError):
                status, answer = self.once(method, path, body)
            if status == 200:
                return answer
            if status in (400, 404) or time.monotonic() > until:
                raise Trouble(f"{method} {path}: {status} {answer}")
            time.sleep(0.05)


class Reader(threading.Thread):
    """Follows a run by the numbers of its events, at whichever server is there."""

    def __init__(self, url: Callable[[], str], path: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._path = path
        self.events: list[tuple[int, str, Any]] = []
        self.trouble = ""
        self.done = False
        self.broken = 0

    def run(self) -> None:
        until = time.monotonic() + 120
        while not self.done and not self.trouble and time.monotonic() < until:
            last = self.events[-1][0] if self.events else 0
            try:
                self._read(f"{self._url()}{self._path}?stream=true&starting_after={last}")
            except Exception:  # noqa: BLE001 - it reconnects
                self.broken += 1
                time.sleep(0.05)

    def _read(self, url: str) -> None:
        with urlopen(url, timeout=30) as response:
            number, name, data = 0, "", ""
            for raw in response:
                line = raw.decode().rstrip("\n")
                field, _, value = line.partition(": ")
                if field == "id":
                    number = int(value)
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not line and name:
                    if name == "done":  # for now, where the run waits for its client
                        self.done = self.events[-1][1] != "thread.run.requires_action"
                        time.sleep(0.05)
                        return
                    self._take(number, name, json.loads(data))
                    number, name, data = 0, "", ""

    def _take(self, number: int, name: str, data: Any) -> None:
        last = self.events[-1][0] if self.events else 0
        if number != last + 1:
            self.trouble = f"event {number} ({name}) after {last}"
        self.events.append((number, name, data))

    def said(self) -> dict[str, str]:
        """The text of each message, as its deltas say it."""
        texts: dict[str, str] = {}
        for _, name, data in self.events:
            if name == "thread.message.delta":
                for part in data["delta"]["content"]:
                    value = (part.get("text") or {}).get("value") or ""
                    texts[data["id"]] = texts.get(data["id"], "") + value
        return texts


class Run:
    """One run from its beginning to its end, and whether that is right."""

    def __init__(
        self, client: Client, url: Callable[[], str], kind: str, number: int, assistant: str
    ) -> None:
        self._client = client
        self._url = url
        self.kind = kind
        self.number = number
        self._assistant = assistant
        self.status = ""
        self.broken = False
        self.seconds = 0.0
        self.reconnects = 0

    def go(self, chance: random.Random, *, reads: bool) -> None:
        client = self._client
        message = {"role": "user", "content": f"{self.kind} {self.number}"}
        thread = client.until_answered("POST", "/threads", {"messages": [message]})["id"]
        run_id = self._begun(thread)
        path = f"/threads/{thread}/runs/{run_id}"
        reader = Reader(self._url, path)
        if reads:
            reader.start()
        began = time.monotonic()
        cancel_at = began + chance.random() * WORDS * DELAY if self.kind == "cancel" else float("inf")
        while True:
            run = client.get(path)
            if run["status"] == "requires_action":
                self._submit(path, run)
            elif run["status"] not in PENDING:
                break
            if time.monotonic() > cancel_at:
                with contextlib.suppress(OSError):  # asked again in the next round
                    if client.once("POST", f"{path}/cancel", {})[0] in (200, 400):
                        cancel_at = float("inf")
            if time.monotonic() - began > 120:
                raise Trouble(f"{self.kind} {self.number} does not end: {run}")
            time.sleep(0.05)
        self.seconds = time.monotonic() - began
        self.status = run["status"]
        self._check(thread, path, run)
        if reads:
            self._check_reader(reader, thread)

    def _begun(self, thread: str) -> str:
        """The id of the run; one whose answer is lost is looked for."""
        while True:
            status, answer = 0, None
            with contextlib.suppress(OSError):
                body = {"assistant_id": self._assistant}
                status, answer = self._client.once("POST", f"/threads/{thread}/runs", body)
            if status == 200:
                return str(answer["id"])
            runs = self._client.get(f"/threads/{thread}/runs")["data"]
            if runs:
                return str(runs[0]["id"])
            if status and status < 500:
                raise Trouble(f"no run: {status} {answer}")
            time.sleep(0.05)

    def _submit(self, path: str, run: Any) -> None:
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        if [call["function"]["arguments"] for call in calls] != [f'{{"n": {self.number}}}']:
            raise Trouble(f"half a call is required: {calls}")
        outputs = [{"tool_call_id": call["id"], "output": f"output-{self.number}"} for call in calls]
        with contextlib.suppress(OSError):  # the run says whether it took them
            self._client.once("POST", f"{path}/submit_tool_outputs", {"tool_outputs": outputs})

    def _check(self, thread: str, path: str, run: Any) -> None:
        messages = self._client.get(f"/threads/{thread}/messages?order=asc&limit=100")["data"]
        steps = self._client.get(f"{path}/steps?order=asc&limit=100")["data"]
        said = [each for each in messages if each["role"] == "assistant"]
        halves = [each for each in said if each.get("status") == "incomplete"]
        self.broken = bool(halves) or any(step["status"] == "failed" for step in steps)
        if any(step["status"] == "in_progress" for step in steps):
            raise Trouble(f"a step of {run['id']} is open")
        whole_ones = [each for each in said if each not in halves]
        texts = ["".join(part["text"]["value"] for part in each["content"]) for each in whole_ones]
        right = whole(self.kind, self.number)
        if run["status"] == "completed":
            if texts[-1:] != [right] or texts.count(right) != 1:
                raise Trouble(f"{self.kind} {self.number} says {texts[-1:]}")
            outputs = [
                call["function"]["output"]
                for step in steps
                if step["status"] == "completed"
                for call in step["step_details"].get("tool_calls") or ()
                if call["type"] == "function"
            ]
            if outputs != ([f"output-{self.number}"] if self.kind == "call" else []):
                raise Trouble(f"{self.kind} {self.number} has outputs {outputs}")
        elif run["status"] == "failed" and "3 times" in run["last_error"]["message"]:
            self.status = "used up"
        elif run["status"] != "cancelled" or self.kind != "cancel":
            raise Trouble(f"{self.kind} {self.number} is {run['status']}: {run['last_error']}")
        body = {"role": "user", "content": "And then?"}
        self._client.until_answered("POST", f"/threads/{thread}/messages", body)

    def _check_reader(self, reader: Reader, thread: str) -> None:
        reader.join(30)
        self.reconnects = reader.broken
        if reader.trouble or not reader.done:
            raise Trouble(f"the reader of {self.kind} {self.number}: {reader.trouble or 'no end'}")
        names = [name for _, name, _ in reader.events]
        if not names[-1].startswith("thread.run.") or names[-1].endswith("progress"):
            raise Trouble(f"the reader of {self.kind} {self.number} ends with {names[-4:]}")
        messages = self._client.get(f"/threads/{thread}/messages?order=asc&limit=100")["data"]
        stored = {
            each["id"]: "".join(part["text"]["value"] for part in each["content"])
            for each in messages
            if each["role"] == "assistant"
        }
        said = reader.said()
        for id, text in stored.items():
            if said.get(id, "") != text:
                raise Trouble(f"the reader of {self.kind} {self.number} has {said.get(id)!r}, not {text!r}")


# ------------------------------------------------------------------------------------------ the whole


def killed(
    store: str,
    *,
    runs: int,
    lease: float,
    every: float,
    clients: int = 16,
    servers: int = 3,
    workers: int = 1,
    reads: bool = True,
    seed: int = 0,
    say: Callable[[str], object] = lambda told: None,
) -> list[Run]:
    """Runs the runs, while a process is killed about each ``every`` seconds. Raises Trouble."""
    chance = random.Random(seed)
    made: list[Run] = []
    troubles: list[str] = []
    with Loopback() as model:
        model.on("POST", ".*/chat/completions", answered)
        service = Service(store, model.url + "/v1", lease, servers, workers)
        ended = threading.Event()
        try:
            client = Client(service.url)
            assistant = _assistant(client)
            left = [(KINDS[number % len(KINDS)], number) for number in range(runs)]
            lock = threading.Lock()

            def work(seed: int) -> None:
                own = random.Random(seed)
                while not ended.is_set():
                    with lock:
                        if not left:
                            return
                        kind, number = left.pop(0)
                    run = Run(client, service.url, kind, number, assistant)
                    try:
                        run.go(own, reads=reads)
                        made.append(run)
                    except Exception as error:  # noqa: BLE001 - told at the end
                        troubles.append(f"{type(error).__name__}: {error}")
                        say(troubles[-1])

            threads = [threading.Thread(target=work, args=(seed + n,), daemon=True) for n in range(clients)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                time.sleep(chance.uniform(0.5, 1.5) * every)
                if left:
                    service.kill_one(chance)
                say(f"{len(made)} runs, {service.kills} kills")
        finally:
            ended.set()
            service.stop()
    troubles += service.troubles
    if troubles:
        raise Trouble("\n".join(troubles))
    late = [run for run in made if run.seconds > 5 + 3 * (lease + 5)]
    if late:
        raise Trouble(f"{len(late)} runs ended late: {[round(run.seconds, 1) for run in late]}")
    return made


def _assistant(client: Client) -> str:
    """An assistant that can search a file."""
    boundary = "x" * 20
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\n{FACT}\r\n--{boundary}--\r\n"
    )
    kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
    with urlopen(UrlRequest(client._url() + "/files", form.encode(), kind), timeout=30) as response:
        file_id = json.load(response)["id"]
    place = client.until_answered("POST", "/vector_stores", {"file_ids": [file_id]})["id"]
    while client.get(f"/vector_stores/{place}")["status"] != "completed":
        time.sleep(0.05)
    places = {"file_search": {"vector_store_ids": [place]}}
    body = {"model": "m", "tools": TOOLS, "tool_resources": places}
    return str(client.until_answered("POST", "/assistants", body)["id"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.backend.killing", description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--lease", type=float, default=5.0, help="seconds; default: 5")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills; default: 1")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unread", action="store_true", help="nobody reads the runs' streams")
    given = parser.parse_args()
    with a_server() as server:
        postgres = Postgres(server)
        began = time.monotonic()
        try:
            made = killed(
                postgres.url,
                runs=given.runs,
                lease=given.lease,
                every=given.every,
                clients=given.clients,
                reads=not given.unread,
                seed=given.seed,
                say=lambda told: sys.stderr.write(f"\r{told}\x1b[K"),
            )
        except Trouble as trouble:
            sys.stderr.write(f"\n{trouble}\n")
            return 1
        finally:
            with contextlib.suppress(Exception):
                postgres.drop()
    seconds = sorted(run.seconds for run in made)
    statuses = Counter((run.kind, run.status) for run in made)
    sys.stderr.write("\n")
    sys.stdout.write(f"{len(made)} runs in {time.monotonic() - began:.0f} s; lease {given.lease:g} s\n")
    for (kind, status), count in sorted(statuses.items()):
        sys.stdout.write(f"  {kind:7} {status:10} {count}\n")
    sys.stdout.write(f"  a turn of theirs was broken: {sum(run.broken for run in made)}\n")
    sys.stdout.write(f"  streams taken up again: {sum(run.reconnects for run in made)}\n")
    sys.stdout.write(f"  seconds a run: median {seconds[len(seconds) // 2]:.1f}, last {seconds[-1]:.1f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
