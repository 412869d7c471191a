"""``serve``: reads the arguments, and says in one line what keeps the server from starting."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from streaming_assistants.backend._serve.process import serve
from streaming_assistants.backend._serve.supervisor import Inherited

from . import run_options, service_options
from .run_options import line

_MB = 1024 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m streaming_assistants serve``: serves, or answers with 2 for what makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        return serve(
            **run_options.read(given),
            host=given.host,
            port=given.port,
            api_keys=service_options.api_keys(given),
            callers_keys=given.upstream_key == "caller",
            no_auth=given.no_auth,
            allow_hosts=given.allow_host,
            cors_origins=given.cors_origin,
            max_body=None if given.max_body is None else given.max_body * _MB,
            workers=given.workers,
            command=["serve", *(argv or ())],
            inherited=given.inherited,
            announce=_announce,
        )
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    except OSError as error:
        reason = error.strerror or str(error)
        parser.exit(2, f"{parser.prog}: {given.host}:{given.port} cannot be listened on: {reason}\n")
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {line(error)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants serve",
        description="Serve the Assistants API, with inference from another API.",
        epilog="The upstream's key comes from OPENAI_API_KEY. Keys for clients may also stand in "
        "STREAMING_ASSISTANTS_API_KEY, with commas between them, where no list of processes shows them.",
    )
    run_options.add(parser)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on; default: 127.0.0.1")
    add("--port", type=_port, default=8000, help="default: 8000; 0 takes a free one")
    add("--workers", type=_workers, default=1, metavar="N", help="processes that share the port; default: 1")
    add(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help="refuse requests without one; may be repeated",
    )
    add(
        "--api-key-file",
        metavar="FILE",
        help="the same from a file: a line is a key, or project:key; # begins a comment",
    )
    add(
        "--upstream-key",
        choices=["operator", "caller"],
        default="operator",
        help="caller: ask the upstream with the key that each caller shows; default: operator",
    )
    add("--no-auth", action="store_true", help="listen on a network without a key")
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="a name that clients may ask for, besides --host and loopback; * for all; may be repeated",
    )
    add(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a page that may ask from a browser (https://app.example.com); * for all; may be repeated",
    )
    add(
        "--max-body",
        type=_megabytes,
        metavar="MB",
        help="the largest body taken, in megabytes; default: 512 for uploads, 20 for JSON",
    )
    add("--inherited", type=Inherited.read, help=argparse.SUPPRESS)  # by one of several processes
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _workers(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes")
    return int(text)


def _megabytes(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes")
    return int(text)


def _announce(told: str) -> None:
    sys.stdout.write(f"Serving the Assistants API on {told}")
    sys.stdout.flush()
