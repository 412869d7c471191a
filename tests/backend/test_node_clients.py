"""Clients of other languages on a served backend: npm's openai of each major release, and Azure's.

They run where ``STREAMING_ASSISTANTS_NODE`` names a folder that has them, as ``nox -s node`` makes one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from streaming_assistants.backend import LocalBackend
from tests.loopback import Loopback, Reply

from . import fakes
from .served import served

INSTALLED = Path(os.environ.get("STREAMING_ASSISTANTS_NODE", "nowhere"), "node_modules")
KEY = "sk-server-0123456789"


@pytest.fixture
def url() -> Iterator[str]:
    """A backend whose upstream answers one of each kind of request."""
    with Loopback() as far:
        fakes.serve_chat(far, fakes.chat_text())
        fakes.serve_responses(far, fakes.responses_text())
        models = [{"id": "tiny", "object": "model", "created": 1, "owned_by": "me"}]
        far.on("GET", "/v1/models", Reply.json({"object": "list", "data": models}))
        far.on("GET", "/v1/models/tiny", Reply.json(models[0]))
        vector = {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}
        far.on("POST", "/v1/embeddings", Reply.json({"object": "list", "data": [vector]}))
        far.on("POST", "/v1/moderations", Reply.json({"id": "m", "results": [{"flagged": False}]}))
        far.on("POST", "/v1/images/generations", Reply.json({"data": [{"b64_json": "AAAA"}]}))
        far.on("POST", "/v1/audio/speech", Reply(200, {"content-type": "audio/mpeg"}, [b"\x01\x02\xff"]))
        far.on("POST", "/v1/audio/transcriptions", Reply.json({"text": "words"}))
        far.on("POST", "/v1/files", Reply.json(fakes.file_object("file-1")))
        far.on("GET", "/v1/files/file-1/content", Reply(200, {"content-type": "text/plain"}, [b"content"]))
        far.on("POST", "/v1/vector_stores", Reply.json(fakes.vector_store("vs_1")))
        backend = LocalBackend("chat", models={"gpt-4-turbo": "tiny"}, files="upstream")
        upstream = openai.AsyncOpenAI(api_key=KEY, base_url=far.url + "/v1", max_retries=0)
        with served(backend, upstream, api_keys=["k-node"]) as address:
            yield address
        asked = [request.json["model"] for request in far.requests if request.path.endswith("/completions")]
        assert asked
        assert set(asked) == {"tiny"}
        assert {request.headers["authorization"] for request in far.requests} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("package", "script"),
    [
        ("openai-4", "openai.cjs"),
        ("openai-5", "openai.cjs"),
        ("openai-6", "openai.cjs"),
        ("openai-7", "openai.cjs"),
        ("@azure/openai-assistants", "azure.cjs"),
    ],
)
def test_a_program_in_javascript(request: pytest.FixtureRequest, package: str, script: str) -> None:
    _run(request, package, script, "url")


@pytest.fixture
def keeping(indexed_at_once: None) -> Iterator[str]:
    """A backend that keeps files itself."""
    with served(LocalBackend("echo"), openai.AsyncOpenAI(api_key="unused"), api_keys=["k-node"]) as address:
        yield address


@pytest.mark.parametrize("package", ["openai-4", "openai-5", "openai-6", "openai-7"])
def test_files_and_vector_stores_in_javascript(request: pytest.FixtureRequest, package: str) -> None:
    _run(request, package, "files.cjs", "keeping")


def _run(request: pytest.FixtureRequest, package: str, script: str, backend: str) -> None:
    node = shutil.which("node")
    if node is None or not (INSTALLED / package).is_dir():
        pytest.skip(f"needs node and npm's {package} in STREAMING_ASSISTANTS_NODE: nox -s node")
    url = request.getfixturevalue(backend)
    command = [node, str(Path(__file__).parent / "node" / script), package, url]
    ran = subprocess.run(command, cwd=INSTALLED.parent, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
