"""Which capabilities a client has, who provides each soundly, and which of them a program asks for."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import openai

from streaming_assistants import _sdk, capabilities
from streaming_assistants._patch.capability import resolve
from streaming_assistants._patch.display import OURS, SDK, Judgement
from streaming_assistants._sdk.untyped import AnyClient

from .versions import EXTRAS, absent

NOBODY = "none"


class Row(NamedTuple):
    """One capability: its provider (``sdk``, ``streaming_assistants`` or ``none``), and the reason."""

    capability: str
    provider: str
    reason: str
    sound: bool


def judgement(row: Row) -> Judgement:
    """The row as the library's own table has it."""
    return Judgement(row.capability, row.provider, row.reason)


class UnknownCapability(Exception):
    """A name that means no capability; the message suggests others."""


def judged(client: object, *, repair: bool) -> list[Row]:
    """Every capability of a patched client, those without a provider included."""
    return [*_of_client(client, repair=repair), _constructor(), *map(_extra, EXTRAS)]


def _of_client(client: object, *, repair: bool) -> list[Row]:
    if resolve(client, "beta.threads.runs") is None:
        reason = f"openai {openai.__version__} has no client.beta.threads: install a release that has it"
        return [Row("beta.threads", NOBODY, reason, sound=False)]
    return [_row(row, repair) for row in capabilities(client)]


def _row(row: Judgement, repair: bool) -> Row:
    if repair or not row.reason.startswith("defective"):
        return Row(*row, sound=True)
    return Row(row.capability, SDK, f"{row.reason} (repair=False leaves it so)", sound=False)


def _constructor() -> Row:
    """Whether ``OpenAI()`` itself works: releases before 1.55.3 give httpx an argument that 0.28 refuses."""
    try:
        openai.OpenAI(api_key="unused", base_url="http://unused.invalid").close()
    except TypeError as error:
        reason = f"OpenAI() raises {error}: pin 'httpx<0.28', or pass http_client="
        return Row("OpenAI()", NOBODY, reason, sound=False)
    return Row("OpenAI()", SDK, "sound", sound=True)


def _extra(extra: str) -> Row:
    lacking = absent(extra)
    if not lacking:
        return Row(extra, OURS, f"{', '.join(EXTRAS[extra])} installed", sound=True)
    reason = f"{', '.join(lacking)} not installed: pip install 'streaming_assistants[{extra}]'"
    return Row(extra, NOBODY, reason, sound=False)


def selected(rows: Sequence[Row], wanted: Iterable[str], client: object) -> list[Row]:
    """The rows that ``wanted`` names, all of them for none.

    A name is the table's own, or the end of one after a dot (``runs.stream``), with or without its
    brackets, or a pattern with ``*``; or any other method of the client that the SDK has by itself.
    Raises UnknownCapability.
    """
    names = list(wanted)
    if not names:
        # Colours are nothing that a program needs.
        return [row for row in rows if row.capability != "cli"]
    chosen: list[Row] = []
    for name in names:
        matching = [row for row in rows if _means(name, row.capability)] or _beyond(name, client)
        if not matching:
            raise UnknownCapability(_unknown(name, rows))
        chosen += matching
    return list(dict.fromkeys(chosen))


def _means(wanted: str, capability: str) -> bool:
    wanted = wanted.removeprefix("client.")
    for name in (capability, capability.removesuffix("()")):
        ends = [name] + [name[at + 1 :] for at, letter in enumerate(name.partition("(")[0]) if letter == "."]
        if wanted in ends or ("*" in wanted and any(fnmatch.fnmatchcase(end, wanted) for end in ends)):
            return True
    return False


def _beyond(name: str, client: object) -> list[Row]:
    """A method that needs no help: it is not in the table, but the SDK has it."""
    path = name.removeprefix("client.").removesuffix(".*").removesuffix("()")
    for start in ("", "beta.threads.", "beta."):
        if path.replace(".", "").replace("_", "").isalnum() and resolve(client, start + path) is not None:
            return [Row(start + path, SDK, "sound", sound=True)]
    return []


def _unknown(name: str, rows: Sequence[Row]) -> str:
    known = [row.capability for row in rows]
    short = {end: each for each in known for end in (each, each.rsplit(".", 1)[-1], each.removesuffix("()"))}
    near = [short[match] for match in difflib.get_close_matches(name, short, n=3, cutoff=0.5)]
    hint = f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else ""
    return f"There is no capability {name!r}{hint} `doctor --all` lists them."


def probe() -> AnyClient:
    """A client to judge by, made so that it works also where ``OpenAI()`` does not."""
    return _sdk.memory_client()
