"""The fixtures that pytest has of the library."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import openai
import pytest

pytest.importorskip("uvicorn", reason="serving needs streaming_assistants[serve]")


def test_a_client(assistants: Any) -> None:
    assistant = assistants.beta.assistants.create(model="echo")
    run = assistants.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "hello"}]}
    )
    assert run.status == "completed"


@pytest.mark.parametrize("number", [1, 2])
def test_a_server_for_each_test(number: int, assistants_server: str) -> None:
    client = openai.OpenAI(api_key="unused", base_url=assistants_server)
    assert client.beta.assistants.list().data == []
    client.beta.assistants.create(model="echo")


def test_they_cost_nothing_unless_they_are_used() -> None:
    code = "import sys, streaming_assistants_pytest; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
