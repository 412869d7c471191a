"""The options that say how runs are driven, which whoever drives some takes: ``serve`` and ``worker``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from streaming_assistants.backend._engine.keeper import LEASE
from streaming_assistants.backend._serve.setting_up import BackendOptions
from streaming_assistants.backend.upstreams import registry

from . import service_options


class RunOptions(TypedDict):
    """Where inference comes from, where state lives, and how runs are driven."""

    upstream: str
    store: str
    base_url: str | None
    upstream_keys: Mapping[str, str]
    log_format: str
    options: BackendOptions


def add(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--upstream", default="responses", choices=registry.NAMES, help="default: responses")
    add("--store", default="sqlite://", help="SQLAlchemy URL; default: sqlite:// (memory)")
    add("--base-url", metavar="URL", help="the upstream's address; default: OPENAI_BASE_URL, else OpenAI's")
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME=UPSTREAM_NAME",
        help="use another model than the one that the assistant names; may be repeated",
    )
    add(
        "--lease",
        type=_seconds,
        default=LEASE,
        metavar="SECONDS",
        help="how long others wait for a sign of life before they take the runs of this process over; "
        f"default: {LEASE:g}",
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
    add(
        "--background",
        action="store_true",
        help="for --upstream responses: ask in the background, where an answer outlives this process",
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
    service_options.add(parser)


def read(given: argparse.Namespace) -> RunOptions:
    """What was given. Raises ValueError for what makes no sense, ImportError for what is not installed."""
    return {
        "upstream": given.upstream,
        "store": _store(given.store),
        "base_url": given.base_url,
        "upstream_keys": service_options.upstream_keys(given),
        "log_format": given.log_format,
        "options": {
            "models": _models(given.model),
            "lease": given.lease,
            "background": given.background,
            "strict": not given.no_strict,
            "context_window": given.context_window,
            "think": given.think,
            "files": given.files,
            "files_at": given.files_at,
            "embedding_model": given.embedding_model,
            "search": given.search,
            "upstream_options": dict(given.upstream_option),
            "observer": service_options.observer(given),
        },
    }


def line(error: Exception) -> str:
    """What went wrong, for a line of the console."""
    return " ".join(str(error).split())


def _models(pairs: Sequence[str]) -> dict[str, str]:
    models = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(models) < len(pairs):
        raise ValueError("--model takes NAME=UPSTREAM_NAME")
    return models


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


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _store(url: str) -> str:
    """The store's URL or file, when the file can be made where it says. Raises ValueError."""
    scheme, separator, path = url.partition("://")
    if not separator or scheme.startswith("sqlite"):
        file = path.partition("?")[0].removeprefix("/") if separator else url
        folder = Path(file).parent
        if not folder.is_dir():
            raise ValueError(f"There is no folder {folder} for the store.")
    return url
