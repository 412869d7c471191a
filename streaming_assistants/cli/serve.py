"""``serve``: reads the arguments, and says in one line what keeps the server from starting."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from streaming_assistants.backend._serve.process import serve
from streaming_assistants.backend.upstreams import registry

_MB = 1024 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m streaming_assistants serve``: serves, or answers with 2 for what makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    models = dict(pair.split("=", 1) for pair in given.model if "=" in pair)
    if len(models) < len(given.model):
        parser.error("--model takes NAME=UPSTREAM_NAME")
    keys = [*given.api_key, *os.environ.get("STREAMING_ASSISTANTS_API_KEY", "").replace(",", " ").split()]
    try:
        serve(
            upstream=given.upstream,
            store=_store(given.store),
            host=given.host,
            port=given.port,
            base_url=given.base_url,
            models=models,
            api_keys=keys,
            no_auth=given.no_auth,
            allow_hosts=given.allow_host,
            cors_origins=given.cors_origin,
            max_body=None if given.max_body is None else given.max_body * _MB,
            options={
                "strict": not given.no_strict,
                "context_window": given.context_window,
                "think": given.think,
                "files": given.files,
                "files_at": given.files_at,
                "embedding_model": given.embedding_model,
                "search": given.search,
                "upstream_options": dict(given.upstream_option),
            },
            announce=_announce,
        )
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    except OSError as error:
        reason = error.strerror or str(error)
        parser.exit(2, f"{parser.prog}: {given.host}:{given.port} cannot be listened on: {reason}\n")
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {_line(error)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming_assistants serve",
        description="Serve the Assistants API, with inference from another API.",
        epilog="The upstream's key comes from OPENAI_API_KEY. Keys for clients may also stand in "
        "STREAMING_ASSISTANTS_API_KEY, with commas between them, where no list of processes shows them.",
    )
    add = parser.add_argument
    add("--upstream", default="responses", choices=registry.NAMES, help="default: responses")
    add("--store", default="sqlite://", help="SQLAlchemy URL; default: sqlite:// (memory)")
    add("--host", default="127.0.0.1", help="the address to listen on; default: 127.0.0.1")
    add("--port", type=_port, default=8000, help="default: 8000; 0 takes a free one")
    add("--base-url", metavar="URL", help="the upstream's address; default: OPENAI_BASE_URL, else OpenAI's")
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME=UPSTREAM_NAME",
        help="use another model than the one that the assistant names; may be repeated",
    )
    add(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help="refuse requests without one; may be repeated",
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
    add(
        "--context-window",
        type=_tokens,
        metavar="TOKENS",
        help="for --upstream chat: how much its models take; older turns of longer threads are left out",
    )
    add(
        "--upstream-option",
        type=_member,
        action="append",
        default=[],
        metavar="NAME=JSON",
        help='a member of every request for inference (service_tier="flex"); may be repeated',
    )
    add("--think", default="keep", choices=["keep", "drop"], help="what becomes of <think> in a text")
    add(
        "--files",
        choices=["local", "upstream"],
        help="who keeps files and vector stores; default: local for chat and echo, else upstream",
    )
    add("--files-at", metavar="PLACE", help="a folder or an fsspec URL for files; default: the store")
    add("--embedding-model", metavar="MODEL", help="search by meaning, too, with this model of /embeddings")
    add(
        "--search",
        default="function",
        choices=["function", "always"],
        help="always: for models that cannot call functions",
    )
    add("--no-strict", action="store_true", help="take what the hosted API refused though it can be done")
    return parser


def _member(text: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=JSON")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value  # a word


def _tokens(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens")
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _megabytes(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes")
    return int(text)


def _store(url: str) -> str:
    """The store's URL or file, when the file can be made where it says. Raises ValueError."""
    scheme, separator, path = url.partition("://")
    if not separator or scheme.startswith("sqlite"):
        file = path.partition("?")[0].removeprefix("/") if separator else url
        folder = Path(file).parent
        if not folder.is_dir():
            raise ValueError(f"There is no folder {folder} for the store.")
    return url


def _announce(told: str) -> None:
    sys.stdout.write(f"Serving the Assistants API on {told}")
    sys.stdout.flush()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
