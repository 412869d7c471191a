"""The command line: ``demo`` shows what the library does, ``doctor`` what is installed, ``serve`` serves,
``worker`` drives what others serve, ``run`` runs a program with patched clients, ``store`` looks after the
database of a service, ``keys`` after those who ask it, ``import`` and ``export`` move data.

Only the command that is asked for is imported, as each needs other extras.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence

from .versions import LIBRARY, version

PROG = "python -m streaming_assistants"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives back its exit code: 0 is well, 1 is not, 2 is a call that makes no sense."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        if given and given[0] in _READ_THEIR_OWN:
            return _READ_THEIR_OWN[given[0]](given[1:])
        arguments = _parser().parse_args(given)
        return int(arguments.run(arguments))
    except BrokenPipeError:  # `... | head` has seen enough
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROG, description="Assistants API code on every openai SDK.")
    ours = f"{LIBRARY} {version(LIBRARY)}"
    parser.add_argument("--version", action="version", version=ours)
    commands = parser.add_subparsers(metavar="command", required=True)

    demo = commands.add_parser("demo", help="see it work, in seconds: no key, no network")
    demo.add_argument("--svg", metavar="FILE", help="also write a picture of the run")
    demo.add_argument("--plain", action="store_true", help="plain text, also in a terminal")
    demo.set_defaults(run=_demo)

    doctor = commands.add_parser(
        "doctor",
        help="what the installed SDK has, what is added and repaired, whether a server answers",
        description="What the installed SDK has, what the library adds, which defects it repairs.",
        epilog="Exit codes: 0 all is well; 1 a capability has no provider (--strict), or the endpoint "
        "does not answer the Assistants API (--base-url); 2 the call makes no sense. The key is read from "
        "OPENAI_API_KEY (AZURE_OPENAI_API_KEY with --api-version) and never shown.",
    )
    doctor.add_argument("--base-url", metavar="URL", help="ask this endpoint for its assistants")
    doctor.add_argument("--api-version", metavar="DATE", help="ask it as Azure OpenAI's")
    doctor.add_argument(
        "--strict",
        nargs="*",
        metavar="CAPABILITY",
        help="exit with 1 when one of these has no sound provider (none named: any of all); a name such as "
        "runs.stream, 'vector_stores.*' or backend",
    )
    doctor.add_argument("--no-repair", action="store_true", help="judge as patch(client, repair=False) does")
    doctor.add_argument("--all", action="store_true", help="list every capability, not families of them")
    doctor.add_argument("--json", action="store_true", help="write everything as JSON")
    doctor.add_argument("--plain", action="store_true", help="plain text, also in a terminal")
    doctor.set_defaults(run=_doctor)

    running = "a program, its clients patched as it makes them; `run --help` says more"
    commands.add_parser("run", help=running, add_help=False)
    commands.add_parser("serve", help="the backend over a socket; `serve --help` says more", add_help=False)
    coming = "objects of the API into a store, from files or a server; `import --help` says more"
    commands.add_parser("import", help=coming, add_help=False)
    commands.add_parser("export", help="what a store holds; `export --help` says more", add_help=False)
    keys = "who may ask a service, and how much; `keys --help` says more"
    commands.add_parser("keys", help=keys, add_help=False)
    upkeep = "check, upgrade, prune or count a store; `store --help` says more"
    commands.add_parser("store", help=upkeep, add_help=False)
    working = "more hands for the runs of a store; `worker --help` says more"
    commands.add_parser("worker", help=working, add_help=False)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from . import demo

    return demo.run(svg=arguments.svg, plain=arguments.plain)


def _doctor(arguments: argparse.Namespace) -> int:
    from . import doctor

    return doctor.run(arguments)


def _run(argv: Sequence[str]) -> int:
    from . import launch

    return launch.main(argv)


def _serve(argv: Sequence[str]) -> int:
    from . import serve as serving

    return serving.main(argv)


def _store(argv: Sequence[str]) -> int:
    return _of_stores("store_upkeep", argv)


def _keys(argv: Sequence[str]) -> int:
    return _of_stores("keys_command", argv)


def _of_stores(module: str, argv: Sequence[str]) -> int:
    try:
        command = importlib.import_module(f".{module}", __package__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "sqlalchemy":
            raise
        sys.stderr.write("Stores need SQLAlchemy: pip install 'streaming_assistants[backend]'\n")
        return 1
    return int(command.main(argv))


def _import(argv: Sequence[str]) -> int:
    from . import import_command

    return import_command.main(argv)


def _export(argv: Sequence[str]) -> int:
    from . import export_command

    return export_command.main(argv)


def _worker(argv: Sequence[str]) -> int:
    from . import worker

    return worker.main(argv)


_READ_THEIR_OWN: Mapping[str, Callable[[Sequence[str]], int]] = {
    "export": _export,
    "import": _import,
    "keys": _keys,
    "run": _run,
    "serve": _serve,
    "store": _store,
    "worker": _worker,
}
"""The commands that read their arguments themselves."""
