"""Programs of others that were written for the hosted API, with only ``run`` in front of them.

``nox -s programs`` brings each, in the release that is tested and on the SDK that pip chooses for it. Their
scripts lie in ``programs/`` and say what they saw; the server of models is the tests' own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from .programs.obedient_model import PASSAGE, serving

pytestmark = pytest.mark.any_sdk

TEXT, WEATHER = "Good morning, guide.", "sunny in Oslo"


def found(message: int) -> str:
    """What was searched for, with the marker of the message that it is cited in."""
    return f"{PASSAGE}【{message}:0†ferries.txt】"


STREAMED = [TEXT, True]  # in more than one piece
CALLED = [["FunctionCallContent"], ["FunctionResultContent"]]
SAW: dict[str, dict[str, Any]] = {
    "agency-swarm": {
        "text": TEXT,
        "streamed": STREAMED,
        "function": WEATHER,
        "agents": "Told by the clerk.",
        "history": "5",
        "found": found(20),
        "messages": ["text", "function", "function_output", "function", "function_output", "text"],
        "again": "Be kind.\n\nBe brief.",
    },
    "astra-assistants": {
        "text": TEXT,
        "history": "2",
        "streamed": STREAMED,
        "async": TEXT,
        "function": WEATHER,
        "streamed function": WEATHER,
        "found": found(4),
        "again": "sunny in Rome",
    },
    "autogen-ext": {
        "text": TEXT,
        "function": WEATHER,
        "rounds": 2,
        "history": "3",
        "found": found(14),
        "again": "5",
        "reset": "1",
    },
    "langchain-classic": {
        "text": TEXT,
        "history": "2",
        "again": "3",
        "function": WEATHER,
        "async": ["get_weather"],
    },
    "langchain-community": {
        "text": TEXT,
        "found": found(6),
        "history": "3",
        "attached": "4",
        "function": WEATHER,
        "async": TEXT,
    },
    "llama-index-agent-openai": {
        "text": TEXT,
        "function": WEATHER,
        "outputs": ['get_weather {"city": "Oslo"}', WEATHER],
        "async": "sunny in Rome",
        "history": "4",
        "found": found(19),
        "messages": ["user", "assistant"],
        "again": "7",
        "reset": "1",
    },
    "marvin": {
        "text": TEXT,
        "streamed": STREAMED,
        "function": WEATHER,
        "rounds": 2,
        "history": "3",
        "found": found(14),
        "again": "5",
        "messages": ["user", "assistant"],
    },
    "pyautogen": {
        "text": f"{TEXT}\n",
        "function": f"{WEATHER}\n",
        "history": "3\n",
        "found": f"{PASSAGE} [0]\n",
        "again": "Be brief.",
    },
    "semantic-kernel": {
        "text": TEXT,
        "streamed": STREAMED,
        "function": WEATHER,
        "streamed function": WEATHER,
        "rounds": CALLED * 2,
        "history": "5",
        "found": found(22),
        "items": ["TextContent", "AnnotationContent"],
        "again": "7",
        "messages": ["user", "assistant"],
    },
}
"""What the script of each program says; the same whichever upstream answers."""


def is_here(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.parametrize("upstream", ["chat", "responses"])
@pytest.mark.parametrize(
    "name",
    [name for name in SAW if is_here(name)] or [pytest.param("", marks=pytest.mark.skip("nox -s programs"))],
)
def test_a_program_of_others(name: str, upstream: str, tmp_path: Path) -> None:
    script = Path(__file__).parent / "programs" / f"with_{name.replace('-', '_')}.py"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMING_ASSISTANTS_")}
    kept.pop("SSL_CERT_FILE", None)
    nowhere = "http://127.0.0.1:9"
    environment = {
        **kept,
        "OPENAI_API_KEY": "unused",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,  # nothing leaves this machine
        "NO_PROXY": "127.0.0.1,localhost",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONWARNINGS": "ignore",
    }
    with serving() as server:
        options = ["--backend", upstream, "--base-url", f"{server.url}/v1"]
        done = subprocess.run(
            [sys.executable, "-m", "streaming_assistants", "run", *options, script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,  # against a hang: some of them take long to be imported
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.rpartition("saw ")[2]) == SAW[name]
    inference = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}[upstream]
    asked = [request for request in server.requests if request.path == inference]
    assert all("Be brief." in request.body.decode() for request in asked[:1])
    others = {request.path for request in server.requests} - {inference}
    elsewhere = re.compile("/v1/(files|vector_stores)(/.*)?" if upstream == "responses" else "none")
    assert [path for path in others if not elsewhere.fullmatch(path)] == []
