"""What starts Python programs for others: servers, workers, kernels. ``nox -s starters`` brings them."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .test_run import written

pytestmark = pytest.mark.any_sdk


def brought(name: str) -> pytest.MarkDecorator:
    """Runs where a package is installed."""
    there = importlib.util.find_spec(name) is not None
    return pytest.mark.skipif(not there, reason=f"needs {name}: nox -s starters")


APP = """
import json
from openai import OpenAI
{made}

def seen():
    client = {client}
    return json.dumps([each.name for each in client.beta.assistants.list()]).encode()

def wsgi(environ, start):
    start("200 OK", [("content-type", "application/json")])
    return [seen()]

async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": seen()}})
"""
LATE = APP.format(made="", client='OpenAI(api_key="unused")')
EARLY = APP.format(made='made = OpenAI(api_key="unused")', client="made")
"""Its client is made when the module is imported: with preloading, before the workers are forked."""

PREPARE = (
    "from openai import OpenAI; OpenAI(api_key='unused').beta.assistants.create(model='echo', name='kept')"
)


def command(*program: str) -> list[str]:
    options = ["--backend", "echo", "--store", "sqlite:///a.db"]
    return [sys.executable, "-m", "streaming_assistants", "run", *options, "--", *program]


@contextmanager
def started(folder: Path, *program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that goes on until the end; the store has one assistant."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    prepared = command(sys.executable, "-c", PREPARE)
    subprocess.run(prepared, cwd=folder, env=environment, check=True, timeout=120)
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command(*program), cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            yield process
        except BaseException as error:
            error.args = (*error.args, log.read_text())
            raise
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answered(port: int, process: subprocess.Popen[bytes]) -> object:
    """What a server answers, once it does."""
    until = time.monotonic() + 60
    while True:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)


@brought("gunicorn")
@pytest.mark.parametrize("how", ["sync", "gthread", "preload", "uvicorn"])
def test_gunicorn(how: str, tmp_path: Path) -> None:
    if how == "uvicorn":
        pytest.importorskip("uvicorn_worker", reason="needs uvicorn-worker: nox -s starters")
    written(tmp_path, EARLY if how == "preload" else LATE, "app.py")
    options = {
        "sync": ["--workers", "2"],
        "gthread": ["--workers", "2", "--worker-class", "gthread", "--threads", "2"],
        "preload": ["--workers", "2", "--preload"],
        "uvicorn": ["--workers", "2", "--worker-class", "uvicorn_worker.UvicornWorker"],
    }[how]
    port = free_port()
    named = "app:asgi" if how == "uvicorn" else "app:wsgi"
    with started(
        tmp_path, sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *options, named
    ) as process:
        assert [answered(port, process) for _ in range(4)] == [["kept"]] * 4


@brought("uvicorn")
def test_uvicorn_with_workers(tmp_path: Path) -> None:
    written(tmp_path, LATE, "app.py")
    port = free_port()
    program = [sys.executable, "-m", "uvicorn", "--port", str(port), "--workers", "2", "app:asgi"]
    with started(tmp_path, *program) as process:
        assert [answered(port, process) for _ in range(4)] == [["kept"]] * 4


@brought("celery")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_celery(pool: str, tmp_path: Path) -> None:
    for name in ("queue", "results", "control"):
        (tmp_path / name).mkdir()
    text = EARLY + (
        "\nfrom celery import Celery\n"
        "worker = Celery('app', broker='filesystem://', backend='file://results')\n"
        "worker.conf.broker_transport_options = {'data_folder_in': 'queue', 'data_folder_out': 'queue',\n"
        "    'control_folder': 'control'}\n"
        "@worker.task\n"
        "def task():\n"
        "    return seen().decode()\n"
        "if __name__ == '__main__':\n"
        "    import app; print(app.task.delay().get(timeout=60))\n"
    )
    written(tmp_path, text, "app.py")
    program = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "app:worker",
        "worker",
        "--concurrency",
        "2",
        "--pool",
        pool,
    ]
    with started(tmp_path, *program):
        asked = subprocess.run(
            [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
        )
        assert asked.stdout == '["kept"]\n', asked.stderr


@brought("pytest")
def test_pytest(tmp_path: Path) -> None:
    written(tmp_path, f"{LATE}\ndef test_it():\n    assert seen() == b'[]'\n", "test_app.py")
    done = subprocess.run(
        command(sys.executable, "-m", "pytest", "-q"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout


@brought("ipykernel")
def test_a_kernel_of_jupyter(tmp_path: Path) -> None:
    program = written(
        tmp_path,
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='python3')\n"
        "client.execute_interactive('from openai import OpenAI; client = OpenAI(api_key=\"unused\"); '\n"
        "    'print([each.name for each in client.beta.assistants.list()])', timeout=60)\n"
        "client.stop_channels(); manager.shutdown_kernel(now=True)\n",
    )
    subprocess.run(command(sys.executable, "-c", PREPARE), cwd=tmp_path, check=True, timeout=120)
    done = subprocess.run(
        command(sys.executable, program),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "['kept']" in done.stdout, done.stderr
