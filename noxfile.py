"""Every check of the project, each in an environment of its own.

nox                     lint, types, the tests on the short list of SDKs, examples, the wheel
nox -s sdk              the tests on the short list of SDK releases
nox -s python           the tests on each Python of the classifiers; one that is not here is skipped
nox -s starters         gunicorn, uvicorn, celery and Jupyter, their programs' clients patched by `run`
nox -s programs         programs of others, unchanged, each on the SDK that pip chooses for it
nox -s clients          what was written for the hosted API, on the backend, with LangChain
nox -s node             npm's openai 4 to 7 and Azure's client on the served backend; needs node and npm
nox -s servers          the backend on llama.cpp, transformers, LiteLLM and llama-cpp-python
nox -s matrix           the conformance suite in every cell; writes docs/compatibility.md
nox -s matrix -- newest for what the index has today; or for one release, on the list or not
"""

from __future__ import annotations

import os
import shutil
import sys

import nox

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `nox` does not, `python -m nox` does

from tests.conformance import matrix as conformance

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False  # it says which it skips; CI asks for an error
nox.options.sessions = ["lint", "types", "sdk", "examples", "wheel"]

SHORT = ["1.1.2", "1.13.4", "1.14.3", "1.66.5", "2.54.0", conformance.NEWEST]
"""Oldest, last without streaming, first with it, first with client.vector_stores, end of 2.x, newest."""


@nox.session
def lint(session: nox.Session) -> None:
    session.install("ruff>=0.6")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    newest = conformance.Cell(conformance.NEWEST).packages()
    session.install("--upgrade", "-e", ".[test]", *newest, "mypy>=1.11", "pyright>=1.1.380")
    session.run("mypy")
    session.run("mypy", "--strict", "--warn-unused-ignores", "tests/typing")
    session.run("pyright")


@nox.session
@nox.parametrize("openai", [nox.param(r, id=r, tags=[] if r == SHORT[-1] else ["older"]) for r in SHORT])
def sdk(session: nox.Session, openai: str) -> None:
    """The test suite on one release of the SDK; the backend's own tests on the oldest and the newest."""
    packages = conformance.Cell(openai).packages()
    session.install("--upgrade", "-e", ".[test]", *packages)
    # Requests to the backend pass the SDK's transport only, so that its ends stand for what is between them.
    ends = openai in (SHORT[0], SHORT[-1])
    chosen = ["tests"] if ends else ["tests", "--ignore=tests/backend", "tests/backend/test_patched.py"]
    # What never meets the SDK is tested once, on the newest.
    once = [] if openai == SHORT[-1] else ["-m", "not any_sdk"]
    # Half of the backend's tests have their stores in PostgreSQL: on the oldest release the other half.
    half = {"STREAMING_ASSISTANTS_TEST_ON_POSTGRES": "sync" if openai == SHORT[0] else "async"}
    session.run("pytest", "-q", "-n", "auto", *once, *(session.posargs or chosen), env=half)


@nox.session(python=conformance.PYTHONS)
def python(session: nox.Session) -> None:
    """The test suite on the newest release of the SDK, on each Python."""
    session.install("--upgrade", "-e", ".[test]", *conformance.Cell(conformance.NEWEST).packages())
    session.run("pytest", "-q", "-n", "auto", *(session.posargs or ["tests"]))


@nox.session
def examples(session: nox.Session) -> None:
    session.install("-e", ".[serve,cli]")
    for name in sorted(os.listdir("examples")):
        if name.endswith(".py"):
            session.run("python", os.path.join("examples", name))


@nox.session
def wheel(session: nox.Session) -> None:
    """Builds the wheel, or takes the given one, and tests it away from the source tree."""
    out = session.create_tmp()
    if not session.posargs:
        session.install("build>=1.2")
        session.run("python", "-m", "build", "--wheel", "--outdir", out, silent=True)
    (built,) = session.posargs or [os.path.join(out, name) for name in os.listdir(out) if name[-4:] == ".whl"]
    session.install(f"{os.path.abspath(built)}[test]")
    for name in ("tests", "cassettes"):
        shutil.copytree(name, os.path.join(out, "elsewhere", name), dirs_exist_ok=True)
    shutil.copy("pyproject.toml", os.path.join(out, "elsewhere"))  # pytest's options
    session.chdir(os.path.join(out, "elsewhere"))
    session.run(
        "python", "-m", "pytest", "-q", "tests/protocol", "tests/test_patching.py", "tests/test_cassettes.py"
    )


@nox.session(venv_backend="none")
def matrix(session: nox.Session) -> None:
    """The conformance suite, bare and patched, in every cell of the matrix."""
    session.run("python", "-m", "tests.conformance.matrix", "run", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Clients that were written for the hosted API, LangChain's among them, on the built-in backend."""
    session.install("-e", ".[test]", "langchain-classic>=1.0")
    session.run("pytest", "-q", "tests/backend/test_real_clients.py", *session.posargs)


@nox.session
def starters(session: nox.Session) -> None:
    """Programs that gunicorn, uvicorn, celery and Jupyter start, with nothing changed in them."""
    session.install("-e", ".[test]", "gunicorn", "uvicorn-worker", "celery", "ipykernel", "jupyter_client")
    session.run("pytest", "-q", "-n", "auto", "tests/activation/test_starters.py", *session.posargs)


PROGRAMS = {
    "agency-swarm": ["agency-swarm==0.7.2", "openai==1.109.1"],
    "astra-assistants": ["astra-assistants==2.5.5", "openai==1.109.1"],
    "autogen-ext": ["autogen-ext[openai]==0.7.5", "autogen-agentchat==0.7.5", "openai==3.57.0"],
    "langchain-classic": ["langchain-classic==1.0.8", "openai==3.57.0"],
    "langchain-community": ["langchain-community==0.3.31", "langchain<1", "openai==3.57.0"],
    "llama-index-agent-openai": ["llama-index-agent-openai==0.4.12", "openai==1.109.1"],
    "marvin": ["marvin==2.3.8", "openai==3.57.0"],
    "pyautogen": ["pyautogen==0.2.35", "openai==3.57.0"],
    "semantic-kernel": ["semantic-kernel==1.45.0", "openai==3.57.0"],
}
"""Each with the SDK that pip chose for it. langchain 1 lacks a module that langchain-community imports."""


@nox.session
@nox.parametrize("program", [nox.param(name, id=name) for name in PROGRAMS])
def programs(session: nox.Session, program: str) -> None:
    """A program of others with only ``run`` in front of it, against a server of models that is the tests'."""
    encodings = os.path.abspath(os.path.join(session.create_tmp(), "encodings"))
    session.install("-e", ".[backend]", "pytest", "pytest-recording", "hypothesis", *PROGRAMS[program])
    # What tiktoken would load over the network when some of them are imported.
    session.install("--target", encodings, "--no-deps", "llama-index-core==0.12.52.post1")
    cache = os.path.join(encodings, "llama_index", "core", "_static", "tiktoken_cache")
    environment = {"TIKTOKEN_CACHE_DIR": cache}
    session.run("pytest", "-q", "tests/activation/test_programs.py", *session.posargs, env=environment)


@nox.session
@nox.parametrize("release", ["1.13.4", "newest"], ids=["1.13.4", "newest"])
def balanced(session: nox.Session, release: str) -> None:
    """What holds of one process, of two servers of one PostgreSQL behind a balancer where nothing sticks."""
    session.install("-e", ".[test]", *([] if release == "newest" else [f"openai=={release}", "httpx<0.28"]))
    names = ("objects", "runs", "refusals", "recordings", "searching", "echo_searches", "echo_obeys")
    files = [f"tests/backend/test_{name}.py" for name in (*names, "real_clients", "behind_a_balancer")]
    environment = {"STREAMING_ASSISTANTS_TEST_BALANCED": "1"}
    session.run("pytest", "-q", *files, *session.posargs, env=environment)


@nox.session
def node(session: nox.Session) -> None:
    """Clients in JavaScript on the served backend: npm's openai of each major release, and Azure's."""
    session.install("-e", ".[test]")
    folder = os.path.abspath(session.create_tmp())
    packages = [f"openai-{major}@npm:openai@{major}" for major in (4, 5, 6, 7)]
    packages.append("@azure/openai-assistants")
    session.run("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, *packages, external=True)
    environment = {"STREAMING_ASSISTANTS_NODE": folder}
    session.run("pytest", "-q", "tests/backend/test_node_clients.py", *session.posargs, env=environment)


@nox.session
def servers(session: nox.Session) -> None:
    """The backend on four real model servers, all with a tiny model that is made here. What they need is
    installed and built in ``.nox/model-servers`` (or ``STREAMING_ASSISTANTS_MODEL_SERVERS``), once."""
    folder = os.path.abspath(
        os.environ.get("STREAMING_ASSISTANTS_MODEL_SERVERS") or os.path.join(".nox", "model-servers")
    )
    environment = {"STREAMING_ASSISTANTS_MODEL_SERVERS": folder}
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.model_servers.prepare", folder)
    for openai in ("1.13.4", conformance.NEWEST):
        session.install("--upgrade", *conformance.Cell(openai).packages())
        session.run("pytest", "-q", "tests/model_servers", *session.posargs, env=environment)
