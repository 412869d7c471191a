"""The real servers, as processes on loopback ports, all with the same tiny model.

What they need lies in one folder, which ``prepare`` fills: ``STREAMING_ASSISTANTS_MODEL_SERVERS``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(os.environ.get("STREAMING_ASSISTANTS_MODEL_SERVERS") or "no-such-folder").absolute()

_READY_SECONDS = 180
_LITELLM = """
model_list:
  - model_name: tiny
    litellm_params: {{model: openai/tiny, api_key: none, api_base: "{url}"}}
  - model_name: bridged
    litellm_params: {{model: lm_studio/tiny, api_key: none, api_base: "{url}"}}
litellm_settings: {{telemetry: false}}
"""


@dataclass
class Server:
    """A server that starts when it is first asked for, and again after it was killed."""

    name: str
    command: Callable[[Server], list[str]]
    model: str = "tiny"
    environment: dict[str, str] = field(default_factory=dict)
    behind: Server | None = None  # the server that it asks itself
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def works(self) -> Server:
        """The server whose processor does the work."""
        return self.behind or self

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        if self.behind is not None:
            self.behind.start()
        self.port = _free_port()
        log = (FOLDER / f"{self.name}.log").open("wb")
        self.process = subprocess.Popen(
            ["nice", *self.command(self)],
            env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        until = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                said = (FOLDER / f"{self.name}.log").read_text("utf-8", "replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start: {said}")
            time.sleep(0.2)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
                return
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def processor_time(self) -> float:
        """Seconds of the processor that the server's process has used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/models", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _tool(venv: str, name: str) -> str:
    return str(FOLDER / venv / "bin" / name)


def _llama_cpp(server: Server) -> list[str]:
    model = ["-m", str(FOLDER / "tiny.gguf"), "--alias", "tiny", "--jinja"]
    sizes = ["-c", "131072", "-np", "4", "-t", "1", "--no-webui"]
    return [str(FOLDER / "llama-server"), *model, *sizes, "--port", str(server.port)]


def _transformers(server: Server) -> list[str]:
    model = [str(FOLDER / "tiny"), "--device", "cpu"]
    return [
        _tool("transformers", "transformers"),
        "serve",
        *model,
        "--host",
        "127.0.0.1",
        "--port",
        str(server.port),
    ]


def _litellm(server: Server) -> list[str]:
    assert server.behind is not None
    config = FOLDER / "litellm.yaml"
    config.write_text(_LITELLM.format(url=server.behind.url))
    where = ["--host", "127.0.0.1", "--port", str(server.port)]
    return [_tool("litellm", "litellm"), "--config", str(config), *where]


def _llama_cpp_python(server: Server) -> list[str]:
    model = ["--model", str(FOLDER / "tiny.gguf"), "--model_alias", "tiny"]
    # By default a request that comes breaks off the one that is answered.
    sizes = ["--n_ctx", "32768", "--n_threads", "1", "--interrupt_requests", "False"]
    sizes += ["--port", str(server.port)]
    return [_tool("llama-cpp-python", "python"), "-m", "llama_cpp.server", *model, *sizes]


def every() -> dict[str, Server]:
    llama_cpp = Server("llama.cpp", _llama_cpp)
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(FOLDER / "hf-home")}
    (FOLDER / "hf-home" / "hub").mkdir(parents=True, exist_ok=True)
    open_door = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "REPEATED_STREAMING_CHUNK_LIMIT": "1000000",  # it ends a song of one word as a fault
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    servers = [
        llama_cpp,
        Server("transformers", _transformers, model=str(FOLDER / "tiny"), environment=offline),
        Server("litellm", _litellm, environment=open_door, behind=llama_cpp),
        Server("llama-cpp-python", _llama_cpp_python),
    ]
    return {server.name: server for server in servers}


@contextlib.contextmanager
def running() -> Iterator[dict[str, Server]]:
    """The servers by their names; the processes that were started end with this."""
    servers = every()
    try:
        yield servers
    finally:
        for server in servers.values():
            server.kill(signal.SIGTERM)
