"""``run``: starts a program whose clients are patched as it makes them, and those of its processes."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from streaming_assistants._activation import settings
from streaming_assistants._activation.settings import PREFIX, Settings
from streaming_assistants.backend.upstreams import registry

from .console import complain

SITE = Path(settings.__file__).with_name("site")
"""Where Python finds what it reads at its start."""

_NOT_FOUND = 127


def main(argv: Sequence[str]) -> int:
    """``python -m streaming_assistants run``: becomes the program; 2 for what makes no sense."""
    parser = _parser()
    count = _options(argv)
    given, program = parser.parse_args(argv[:count]), argv[count:]
    environment = dict(os.environ)
    try:
        told = _told(given, environment)
        if told.backend is not None:
            registry.built_in(told.backend)
            from streaming_assistants.backend import LocalBackend  # what it needs is an extra

            with LocalBackend(told.backend, models=told.models):
                pass
    except ValueError as error:
        parser.error(str(error))
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    command = _command(program)
    if not command:
        parser.error("there is no program to run: name a file, -m MODULE, or -- COMMAND")
    if shutil.which(command[0]) is None:
        complain(f"There is no program {command[0]}.")
        return _NOT_FOUND
    settings.into_environment(told, environment)
    before = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(SITE), *([before] if before else [])])
    sys.stdout.flush()
    if os.name == "nt":  # where a program cannot become another one
        return subprocess.run(command, env=environment, check=False).returncode
    os.execvpe(command[0], command, environment)


def _told(given: argparse.Namespace, environment: MutableMapping[str, str]) -> Settings:
    """What the options say, over what the environment does."""
    options = {
        "BACKEND": given.backend,
        "STORE": given.store,
        "BASE_URL": given.base_url,
        "MODELS": ",".join(given.model) or None,
    }
    said = {PREFIX + name: value for name, value in options.items() if value is not None}
    return settings.from_environment({**environment, **said})


def _options(argv: Sequence[str]) -> int:
    """How many of the arguments are ours: the program's begin with what is no option of the parser's."""
    count = 0
    while count < len(argv) and argv[count].startswith("--") and argv[count] != "--":
        alone = "=" in argv[count] or argv[count] == "--help"
        count += 1 if alone else 2
    return count + (argv[count : count + 1] == ["-h"])


def _command(program: Sequence[str]) -> list[str]:
    """``FILE …`` and ``-m MODULE …`` are run by this Python, what follows ``--`` as it stands."""
    if program[:1] == ["--"]:
        return list(program[1:])
    return [sys.executable, *program] if program else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants run",
        usage="%(prog)s [options] FILE | -m MODULE | -- COMMAND  [arguments]",
        description="Run a program whose OpenAI clients are patched as it makes them, in the processes that "
        "it starts, too. The program is not changed.",
        epilog="Each option may also stand in the environment: STREAMING_ASSISTANTS_BACKEND, "
        "STREAMING_ASSISTANTS_STORE, STREAMING_ASSISTANTS_BASE_URL, STREAMING_ASSISTANTS_MODELS.",
    )
    add = parser.add_argument
    add(
        "--backend",
        "--upstream",
        choices=registry.NAMES,
        help="answer the Assistants API in the program; without it a server does",
    )
    add("--store", metavar="URL", help="the backend's SQLite file or SQLAlchemy URL; default: in memory")
    add("--base-url", metavar="URL", help="what every client asks, whatever the program says")
    add(
        "--model",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="use another model than the one that the program names; may be repeated",
    )
    return parser
