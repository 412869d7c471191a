"""What a served backend lets in, through real sockets with requests as an attacker writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from tests.loopback import Loopback, Reply

from .served import ask, connected, post, served

pytestmark = pytest.mark.any_sdk

KEY = "sk-server-0123456789abcdef"
JSON_TYPE = "Content-Type: application/json"
FILE_TYPE = "Content-Type: multipart/form-data; boundary=x"


def upstream(far: Loopback) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=KEY, base_url=far.url + "/v1", max_retries=0)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Loopback, str]]:
    with Loopback() as far, served(LocalBackend("responses"), upstream(far)) as url:
        yield far, url


@pytest.fixture
def far(server: tuple[Loopback, str]) -> Loopback:
    """The upstream's server, which answers whatever it is asked."""
    far = server[0]
    far.requests.clear()
    for method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
        far.on(method, ".*", Reply.json({"reached": True}))
    return far


@pytest.fixture
def url(server: tuple[Loopback, str]) -> str:
    return server[1]


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    "target",
    [
        "/v1/files/..%2fmodels",
        "/v1/files/..%2Fmodels",
        "/v1/files/../models",
        "/v1/files/%2e%2e/organization/admin_api_keys",
        "/v1/files/%2E%2E/organization/admin_api_keys",
        "/v1/files/.%2e/x",
        "/v1/files/./x",
        "/v1/files/a%2fcontent",
        "/v1/files/a%5c..%5cb",
        "/v1/files/a\\b",
        "/v1/files/a%00b",
        "/v1/files/a%0d%0aX-Injected:%20yes",
        "/v1/files/a%7f",
        "/v1/files/%ff%fe",
        "/v1/files/%zz",
        "//elsewhere/v1/files",
        "http://elsewhere/v1/models",
        "http://127.0.0.1/v1/files",
        "/v1/threads/..%2f..%2fmodels",
    ],
)
def test_a_path_that_may_mean_another_is_refused(url: str, far: Loopback, target: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = ask(url, f"{method} {target} HTTP/1.1", JSON_TYPE)
        assert answer.status == 400
        assert answer.error["type"] == "invalid_request_error"
    assert far.requests == []


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/organization/admin_api_keys"),
        ("GET", "/v1/files/%252e%252e/x"),
        ("GET", "/v1/files/a%3fb"),
        ("GET", "/v1/files/a%23b"),
        ("GET", "/v1/files/a/b/c"),
        ("GET", "/v1/files//content"),
        ("PUT", "/v1/files/file-1"),
        ("PATCH", "/v1/vector_stores/vs_1"),
        ("DELETE", "/v1/models/ft:gpt"),
        ("POST", "/v1/files/file-1/content"),
        ("POST", "/v1/fine_tuning/jobs"),
        ("GET", "/v1/chat/completions"),
        ("TRACE", "/v1/files"),
        ("OPTIONS", "*"),
    ],
)
def test_what_is_no_route_goes_nowhere(url: str, far: Loopback, method: str, target: str) -> None:
    answer = ask(url, f"{method} {target} HTTP/1.1", JSON_TYPE)
    assert answer.status in (400, 404)
    assert answer.error["message"]
    assert far.requests == []


@pytest.mark.parametrize("prefix", ["/v1", "", "/openai", "/openai/v1"])
def test_what_is_passed_on_is_put_together_anew(url: str, far: Loopback, prefix: str) -> None:
    target = f"{prefix}/vector_stores/vs%5F1/files/file-1?limit=2&filter=a%26b%20c&api-version=2024-05-01"
    answer = ask(url, f"GET {target} HTTP/1.1", "Authorization: Bearer caller", "X-Forwarded-For: me")
    assert (answer.status, json.loads(answer.body)) == (200, {"reached": True})
    (passed,) = far.requests
    assert passed.path == "/v1/vector_stores/vs_1/files/file-1"
    assert passed.query == {"limit": ["2"], "filter": ["a&b c"]}
    assert passed.headers["authorization"] == f"Bearer {KEY}"
    assert "x-forwarded-for" not in passed.headers


@pytest.mark.parametrize(
    "host",
    [
        "x/v1/files/y?",
        "127.0.0.1/v1/files/y?",
        "127.0.0.1@elsewhere",
        "127.0.0.1:80:80",
        "",
        "a b",
        "127.0.0.1#",
    ],
)
def test_a_host_that_is_none_is_refused(url: str, far: Loopback, host: str) -> None:
    answer = ask(url, "GET /v1/organization/admin_api_keys HTTP/1.1", f"Host: {host}")
    assert answer.status == 400
    assert far.requests == []


# ---------------------------------------------------------------- Host, Origin, content types


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:1", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("127.9.9.9", 200),
        ("my.example.com", 200),
        ("my.example.com.:99", 200),
        ("elsewhere.example.com", 403),
        ("localhost.example.com", 403),
        ("127.0.0.1.example.com", 403),
        ("192.0.2.7", 403),
    ],
)
def test_a_name_that_was_pointed_here_is_refused(far: Loopback, host: str, status: int) -> None:
    with served(LocalBackend("responses"), upstream(far), allow_hosts=["my.example.com"]) as url:
        for path in ("/v1/assistants", "/v1/files", "/"):
            assert ask(url, f"GET {path} HTTP/1.1", f"Host: {host}").status == status
    assert len(far.requests) == (1 if status == 200 else 0)


def test_on_every_address_each_of_them_is_a_host_but_no_name_is(far: Loopback) -> None:
    with served(LocalBackend("responses"), upstream(far), allow_hosts=["0.0.0.0"]) as url:
        assert ask(url, "GET /v1/assistants HTTP/1.1", "Host: 192.0.2.7:8000").status == 200
        assert ask(url, "GET /v1/assistants HTTP/1.1", "Host: [2001:db8::1]").status == 200
        assert ask(url, "GET /v1/assistants HTTP/1.1", "Host: rebound.example.com").status == 403


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://localhost:3000", "file://"])
@pytest.mark.parametrize("path", ["/v1/threads", "/v1/files", "/v1/chat/completions"])
def test_a_page_elsewhere_may_not_ask(url: str, far: Loopback, origin: str, path: str) -> None:
    answer = post(url, path, {}, f"Origin: {origin}")
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    asked = ask(url, f"OPTIONS {path} HTTP/1.1", f"Origin: {origin}", "Access-Control-Request-Method: POST")
    assert asked.status == 403
    assert far.requests == []


def test_a_page_that_is_named_may_ask(far: Loopback) -> None:
    page = "Origin: https://app.example.com"
    options = {"cors_origins": ["https://app.example.com/"], "api_keys": ["k-1"]}
    with served(LocalBackend("responses"), upstream(far), **options) as url:
        asked = ask(
            url,
            "OPTIONS /v1/threads HTTP/1.1",
            page,
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: authorization,x-stainless-os",
        )
        assert asked.status == 204
        assert asked.headers["access-control-allow-origin"] == "https://app.example.com"
        assert asked.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
        assert "POST" in asked.headers["access-control-allow-methods"]
        answer = post(url, "/v1/threads", {}, page, "Authorization: Bearer k-1")
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        refused = post(url, "/v1/threads", {}, page)
        assert refused.status == 401  # and the page can read why
        assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
        assert post(url, "/v1/threads", {}, "Origin: https://evil.example.com").status == 403


def test_a_page_of_its_own_may_ask(url: str) -> None:
    assert post(url, "/v1/threads", {}, "Host: 127.0.0.1:81", "Origin: http://127.0.0.1:81").status == 200
    assert post(url, "/v1/threads", {}, "Host: 127.0.0.1:81", "Origin: http://127.0.0.1:82").status == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/plain;application/json", ""]
)
@pytest.mark.parametrize("path", ["/v1/threads", "/v1/vector_stores", "/v1/files", "/v1/chat/completions"])
def test_a_body_is_json_or_a_form(url: str, far: Loopback, kind: str, path: str) -> None:
    typed = [f"Content-Type: {kind}"] if kind else []
    answer = ask(url, f"POST {path} HTTP/1.1", *typed, body=b"{}")
    assert (answer.status, answer.error["code"]) == (415, "unsupported_content_type")
    chunked = ask(url, f"POST {path} HTTP/1.1", *typed, "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    assert chunked.status == 415
    assert far.requests == []


def test_a_form_is_taken_only_where_files_are(url: str, far: Loopback) -> None:
    assert ask(url, "POST /v1/threads HTTP/1.1", FILE_TYPE, body=b"--x--").status == 415
    assert ask(url, "POST /v1/embeddings HTTP/1.1", FILE_TYPE, body=b"--x--").status == 415
    assert far.requests == []
    assert ask(url, "POST /v1/files HTTP/1.1", FILE_TYPE, body=b"--x--").status == 200
    assert far.requests[0].body == b"--x--"
    assert far.requests[0].headers["content-type"] == "multipart/form-data; boundary=x"


def test_an_answer_is_no_page(url: str, far: Loopback) -> None:
    far.on("GET", "/v1/files/f/content", Reply(200, {"content-type": "text/html"}, [b"<script>"]))
    answer = ask(url, "GET /v1/files/f/content HTTP/1.1")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("path", ["/v1/assistants", "/v1/files", "/v1/nothing"])
def test_without_a_key_there_is_no_answer(far: Loopback, path: str) -> None:
    with served(LocalBackend("responses"), upstream(far), api_keys=["k-one", "k-two"]) as url:
        answer = ask(url, f"GET {path} HTTP/1.1")
        assert answer.status == 401
        assert answer.error["message"].startswith("You didn't provide an API key.")
        for wrong in ("Bearer k-three", "Bearer k-on", "Bearer k-onee", "Bearer \xff\xfe"):
            refused = ask(url, f"GET {path} HTTP/1.1", f"Authorization: {wrong}")
            assert refused.status == 401
            assert refused.error["message"].startswith("Incorrect API key provided")
            assert refused.error["code"] == "invalid_api_key"
            assert wrong.split()[1].encode() not in refused.body
        assert far.requests == []
        for right in ("Authorization: Bearer k-one", "authorization: bearer k-two", "api-key: k-one"):
            assert ask(url, f"GET {path} HTTP/1.1", right).status == (404 if "nothing" in path else 200)
        assert ask(url, "GET /health HTTP/1.1").status == 200
    assert all(KEY in request.headers["authorization"] for request in far.requests)


# ---------------------------------------------------------------- bodies


def test_a_body_that_is_too_large_is_refused(far: Loopback) -> None:
    with served(LocalBackend("responses"), upstream(far), max_json=1000, max_upload=5000) as url:
        assert post(url, "/v1/threads", {"metadata": {"a": "b" * 400}}).status == 200
        big = json.dumps({"metadata": {"a": "b" * 1000}}).encode()
        for path in ("/v1/threads", "/v1/chat/completions"):
            assert post(url, path, big).status == 413
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (big[:600], big[600:]))
            chunked = [f"POST {path} HTTP/1.1", JSON_TYPE, "Transfer-Encoding: chunked"]
            answer = ask(url, *chunked, body=chunks + b"0\r\n\r\n")
            assert answer.status == 413
            assert "1,000 bytes" in answer.error["message"]
        assert far.requests == []
        assert ask(url, "POST /v1/files HTTP/1.1", FILE_TYPE, body=b"x" * 4000).status == 200
        assert ask(url, "POST /v1/files HTTP/1.1", FILE_TYPE, body=b"x" * 5001).status == 413
        assert len(far.requests) == 1


def test_an_upload_is_passed_on_as_it_comes_and_not_held(far: Loopback) -> None:
    import tracemalloc

    size = 40 * 1024 * 1024
    with served(LocalBackend("responses"), upstream(far)) as url:
        ask(url, "POST /v1/files HTTP/1.1", FILE_TYPE, body=b"x")
        seen: list[int] = []
        far.on("POST", "/v1/files", lambda request: (seen.append(len(request.body)), Reply.json({}))[1])
        body = b"x" * size
        tracemalloc.start()
        try:
            assert ask(url, "POST /v1/files HTTP/1.1", FILE_TYPE, body=body).status == 200
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert seen == [size]
    assert peak < 3.5 * size  # the request as sent, and as the fake server reads it: twice


@pytest.mark.parametrize(("path", "typed"), [("/v1/threads", JSON_TYPE), ("/v1/files", FILE_TYPE)])
def test_a_body_that_comes_too_slowly_is_not_waited_for(far: Loopback, path: str, typed: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{typed}\r\nContent-Length: 1000\r\n\r\n"
    with served(LocalBackend("responses"), upstream(far), patience=0.2) as url, connected(url) as sock:
        sock.sendall(head.encode() + b"{")
        sock.settimeout(10)
        assert b" 408 " in sock.recv(65536).split(b"\r\n")[0]


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "value",
    [
        DEEP,
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"a":' * 150 + b"1" + b"}" * 150,
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b'"\\ud83d"',
        b'"\\udc00 alone"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"9" * 5000,
        b"{",
        "{}".encode("utf-16"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_json_that_is_none_is_a_400(url: str, far: Loopback, value: bytes) -> None:
    for path, field in (("/v1/assistants", b"metadata"), ("/v1/chat/completions", b"messages")):
        answer = post(url, path, b'{"model":"m","%s":%s}' % (field, value))
        assert answer.status == 400
        assert "We could not parse the JSON body" in answer.error["message"]
    assert far.requests == []


def test_what_is_json_is_kept(url: str) -> None:
    kept = {"a": "\U0001f600 \u0000 \u2028", "\u00e9": "x"}
    for body in (json.dumps({"metadata": kept}), json.dumps({"metadata": kept}, ensure_ascii=False)):
        made = post(url, "/v1/threads", body.encode())
        assert made.status == 200
        again = ask(url, f"GET /v1/threads/{json.loads(made.body)['id']} HTTP/1.1")
        assert json.loads(again.body)["metadata"] == kept
