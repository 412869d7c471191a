"""What a served backend passes on to its upstream's server, and what comes back of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from tests.clients import Colour
from tests.colours import done
from tests.loopback import CUT, Loopback, Reply

from . import fakes
from .conftest import JSON
from .served import Answer, ask, connected, post, served

pytestmark = pytest.mark.anyio

KEY = "sk-server/0123456789abcdef"
NAMES = {"gpt-4-turbo": "org/tiny", "gpt-4": "gone"}


@pytest.fixture
def far(server: Loopback) -> Loopback:
    """The upstream's server."""
    return server


@pytest.fixture
def url(far: Loopback) -> Iterator[str]:
    upstream = openai.AsyncOpenAI(api_key=KEY, base_url=far.url + "/v1", max_retries=0)
    with served(LocalBackend("chat", models=NAMES, files="upstream"), upstream) as address:
        yield address


def test_the_names_that_are_mapped_are_models_too(url: str, far: Loopback) -> None:
    tiny = {"id": "org/tiny", "object": "model", "created": 7, "owned_by": "me"}
    far.on("GET", "/v1/models", Reply.json({"object": "list", "data": [tiny]}))
    far.on("GET", "/v1/models/org/tiny", Reply.json(tiny))
    listed = json.loads(ask(url, "GET /v1/models HTTP/1.1").body)["data"]
    assert [(model["id"], model["owned_by"]) for model in listed] == [
        ("org/tiny", "me"),
        ("gpt-4-turbo", "me"),
        ("gpt-4", "system"),
    ]
    for name in ("org/tiny", "gpt-4-turbo"):
        assert json.loads(ask(url, f"GET /v1/models/{name} HTTP/1.1").body) == {**tiny, "id": name}
    assert ask(url, "GET /v1/models/other HTTP/1.1").status == 404
    far.on("GET", "/v1/models", fakes.http_error(401))
    assert ask(url, "GET /v1/models HTTP/1.1").status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/responses",
        "/embeddings",
        "/moderations",
        "/images/generations",
        "/audio/speech",
    ],
)
def test_a_request_is_passed_on_with_the_upstreams_name_of_its_model(
    url: str, far: Loopback, path: str
) -> None:
    far.on("POST", f"/v1{path}", Reply.json({"it": "answers"}))
    body = {"model": "gpt-4-turbo", "other": "\u00e9 \U0001f600", "n": 1.0}
    answer = post(url, f"/v1{path}", body)
    assert (answer.status, json.loads(answer.body)) == (200, {"it": "answers"})
    assert far.requests[-1].json == {**body, "model": "org/tiny"}
    raw = b'{ "model": "another",  "n": 1.0 }'
    post(url, f"/v1{path}", raw)
    assert far.requests[-1].body == raw
    post(url, f"/openai/deployments/gpt-4-turbo{path}?api-version=2024-05-01-preview", {"other": 1})
    assert far.requests[-1].json == {"other": 1, "model": "org/tiny"}
    assert far.requests[-1].query == {}


@pytest.mark.parametrize("path", ["/audio/transcriptions", "/audio/translations", "/images/edits"])
def test_a_form_is_passed_on(url: str, far: Loopback, path: str) -> None:
    far.on("POST", f"/v1{path}", Reply.json({"text": "words"}))
    kind = "Content-Type: multipart/form-data; boundary=b"
    body = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n\x00\xff\r\n--b--\r\n'
    assert ask(url, f"POST /v1{path} HTTP/1.1", kind, body=body).status == 200
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert far.requests[-1].body == body
    far.on("POST", f"/v1{path}", Reply.json({}))
    answer = ask(url, f"POST /v1{path} HTTP/1.1", kind, "Transfer-Encoding: chunked", body=chunks)
    assert answer.status == 200


async def test_a_stream_is_passed_on_as_it_comes(url: str, far: Loopback, colour: Colour) -> None:
    go_on = threading.Event()
    first, *rest = list(fakes.chat_sse(fakes.chat_text("one", " two")))
    far.on("POST", "/v1/chat/completions", Reply.sse([first, go_on, *rest]))
    asking = colour.bare(url)
    body = {"model": "gpt-4-turbo", "messages": [], "stream": True}
    stream = await done(
        asking.post(
            "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=colour.stream[object]
        )
    )
    response = stream.response
    chunks = response.aiter_bytes() if colour.is_async else response.iter_bytes()
    got = await colour.next(chunks)
    assert got == first
    go_on.set()
    got += b"".join(await colour.list(chunks))
    assert got == first + b"".join(rest)
    assert response.headers["content-type"] == "text/event-stream"
    await done(response.aclose() if colour.is_async else response.close())


def test_a_stream_that_breaks_off_does_not_look_whole(url: str, far: Loopback) -> None:
    far.on("POST", "/v1/chat/completions", Reply.sse([b"data: 1\n\n", CUT]))
    text = b'{"model":"m"}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n"
    with connected(url) as sock:
        sock.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + text)
        seen = b""
        while chunk := sock.recv(65536):
            seen += chunk
    assert not seen.endswith(b"0\r\n\r\n")


def passed_back(url: str, far: Loopback, reply: Reply) -> Answer:
    far.on("POST", "/v1/responses", reply)
    return post(url, "/v1/responses", {})


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json({"error": {"message": f"Incorrect API key provided: {KEY}."}}, 401),
        Reply(400, {}, [f"not {KEY}".encode()]),
        Reply.sse([f"data: {KEY}\n\n".encode()]),
        Reply.sse([b"data: sk-ser", b"ver/0123456", 0.05, b"789abcdef\n\n"]),
        Reply.json({"escaped": "x"}, x_request_id=f"req-{KEY}"),
        Reply(200, {}, [b'{"escaped": "sk-server\\/0123456789abcdef"}']),
        Reply(200, {}, [b'{"escaped": "sk-server\\', 0.05, b"/01234\\u0", 0.05, b'0356789abcdef"}']),
    ],
    ids=["refusal", "text", "frame", "frame in pieces", "header", "escaped", "escaped in pieces"],
)
def test_the_upstreams_key_does_not_reach_a_caller(url: str, far: Loopback, reply: Reply) -> None:
    answer = passed_back(url, far, reply)
    assert answer.status == reply.status
    assert "6789abcdef" not in str(answer)
    assert "[key]" in str(answer)


def test_what_only_begins_like_a_key_comes_whole(url: str, far: Loopback) -> None:
    pieces = [b"\x00sk-server/01", b"x sk-server", b"/", b" sk-"]
    assert passed_back(url, far, Reply(200, {}, pieces)).body == b"".join(pieces)


async def test_the_python_client_uses_it_for_more_than_assistants(
    url: str, far: Loopback, colour: Colour
) -> None:
    fakes.serve_files(far)
    far.on("GET", "/v1/models", Reply.json({"object": "list", "data": []}))
    asking = colour.bare(url)
    made = await done(asking.files.create(file=("a.txt", b"words"), purpose="assistants"))
    assert made.id == "file-new"
    listed = await done(asking.get("/models", cast_to=JSON))
    assert [model["id"] for model in listed["data"]] == list(NAMES)


@pytest.mark.parametrize("auth", [{"api_key": "azure-key"}, {"azure_ad_token": "entra-token"}, "asked for"])
def test_it_is_passed_on_as_the_client_itself_asks_azure(far: Loopback, auth: Any) -> None:
    async def token() -> str:
        return "entra-token"

    options = {"azure_ad_token_provider": token} if auth == "asked for" else auth
    upstream = openai.AsyncAzureOpenAI(
        azure_endpoint=far.url, api_version="2024-05-01-preview", max_retries=0, **options
    )
    far.on("GET", "/openai/v1/files", Reply.json({"reached": True}))
    far.on("POST", "/openai/v1/embeddings", Reply.json({"reached": True}))
    with served(LocalBackend("chat", files="upstream"), upstream) as url:
        assert ask(url, "GET /v1/files?limit=2 HTTP/1.1").status == 200
        assert post(url, "/v1/embeddings", {"model": "m", "input": "x"}, "api-key: caller").status == 200
    for request in far.requests:
        key, token_sent = request.headers.get("api-key"), request.headers.get("authorization")
        assert (key == "azure-key") if "api_key" in options else (token_sent == "Bearer entra-token")
        assert "caller" not in (key or "")
    assert [request.query for request in far.requests] == [{"limit": ["2"]}, {}]


def test_a_version_that_is_no_date_is_passed_on(far: Loopback) -> None:
    upstream = openai.AsyncAzureOpenAI(
        azure_endpoint=far.url, api_version="preview", api_key="azure-key", max_retries=0
    )
    far.on("GET", "/openai/v1/files", Reply.json({"reached": True}))
    with served(LocalBackend("chat", files="upstream"), upstream) as url:
        assert ask(url, "GET /v1/files?limit=2&api-version=2024-05-01 HTTP/1.1").status == 200
    assert far.requests[0].query == {"api-version": ["preview"], "limit": ["2"]}


def test_the_upstream_is_not_asked_on_for_a_caller_who_has_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        far = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        upstream = openai.AsyncOpenAI(api_key=KEY, base_url=far, max_retries=0)
        with served(LocalBackend("chat", files="upstream"), upstream) as url:
            with connected(url) as caller:
                body = b'{"model": "m", "messages": []}'
                head = (
                    "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
                )
                caller.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                asked, _ = listener.accept()
                asked.settimeout(10)
                assert asked.recv(65536).startswith(b"POST /v1/chat/completions")
            with asked:
                while asked.recv(65536):  # until the server hangs up, too
                    pass


@pytest.mark.parametrize(
    "header", ["Accept: \xff", "OpenAI-Beta: \xe9", "Content-Type: application/json; x=\xff"]
)
def test_a_header_that_is_no_ascii_is_left_out(url: str, far: Loopback, header: str) -> None:
    far.on("POST", "/v1/embeddings", Reply.json({"reached": True}))
    typed = [] if "Content" in header else ["Content-Type: application/json"]
    answer = ask(url, "POST /v1/embeddings HTTP/1.1", header, *typed, body=b"{}")
    assert answer.status == 200


def test_a_length_beside_chunks_is_not_believed(url: str, far: Loopback) -> None:
    far.on("POST", "/v1/files", Reply.json({"reached": True}))
    typed = "Content-Type: multipart/form-data; boundary=x"
    lines = ["POST /v1/files HTTP/1.1", typed, "Transfer-Encoding: chunked", "Content-Length: 3"]
    answer = ask(url, *lines, body=b"5\r\n--x--\r\n0\r\n\r\n")
    assert (answer.status, far.requests[0].body) in ((200, b"--x--"), (200, b""))
    assert "content-length" not in far.requests[0].headers
