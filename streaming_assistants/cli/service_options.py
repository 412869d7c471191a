"""The options that whoever drives runs takes beside those of runs: the upstream's keys of projects, and how
they are watched."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from streaming_assistants.backend._engine.observer import Observer
from streaming_assistants.backend._serve import key_files
from streaming_assistants.backend._serve.logs import FORMATS

T = TypeVar("T")

_KEYS = "STREAMING_ASSISTANTS_UPSTREAM_KEYS"


def add(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--upstream-key-file",
        metavar="FILE",
        help="the upstream's key of each project, a line project:key; others are asked for with "
        f"OPENAI_API_KEY. {_KEYS} may hold the same, with commas between them",
    )
    add("--log-format", choices=FORMATS, default="text", help="default: text")
    add(
        "--otel",
        action="store_true",
        help="spans and metrics for OpenTelemetry, which its own environment variables set up",
    )
    add("--otel-content", action="store_true", help="--otel, with what users and models say in the spans")


def upstream_keys(given: argparse.Namespace) -> Mapping[str, str]:
    """The upstream's keys of projects. Raises ValueError."""
    keys = key_files.upstream_keys_in(os.environ.get(_KEYS, ""), _KEYS)
    if given.upstream_key_file is None:
        return keys
    return {**keys, **_read(given.upstream_key_file, key_files.upstream_keys)}


def observer(given: argparse.Namespace) -> Observer | None:
    """Who watches; None where nobody is asked to. Raises ImportError where OpenTelemetry is not installed."""
    if not (given.otel or given.otel_content):
        return None
    from streaming_assistants.backend._telemetry.open_telemetry import OpenTelemetry
    from streaming_assistants.backend._telemetry.setting_up_sdk import set_up_sdk

    set_up_sdk()
    return OpenTelemetry(content=True if given.otel_content else None)


def api_keys(given: argparse.Namespace) -> dict[str, list[str]]:
    """The keys for clients, each with its projects. Raises ValueError."""
    keys = {} if given.api_key_file is None else _read(given.api_key_file, key_files.api_keys)
    plain = os.environ.get("STREAMING_ASSISTANTS_API_KEY", "").replace(",", " ").split()
    for key in (*given.api_key, *plain):
        keys.setdefault(key, [""])
    return keys


def _read(path: str, keys_of: Callable[[str], dict[str, T]]) -> dict[str, T]:
    try:
        return keys_of(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"The file {path} cannot be read: {reason}") from None
