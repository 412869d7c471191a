"""How the table of capabilities is shown, in a terminal of 80 columns and in a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

Row: TypeAlias = "tuple[str, str, str]"
"""Capability, provider, reason."""

WIDTH = 80

_TITLES = {
    ("streaming_assistants", "missing"): "Added by streaming_assistants",
    ("streaming_assistants", "defective"): "Repaired by streaming_assistants",
    ("sdk", "defective"): "Left to the SDK, defective",
    ("sdk", "sound"): "Left to the SDK, sound",
}


def as_text(rows: Iterable[Row]) -> str:
    """By who provides it and why; what has the same reason stands together, above it."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {title: {} for title in _TITLES}
    for name, provider, reason in rows:
        kind, _, why = reason.partition(": ")
        groups.setdefault((provider, kind), {}).setdefault(why, []).append(name)
    return "\n\n".join(
        "\n".join([_TITLES.get(key, f"{key[0]}, {key[1]}"), *_lines(reasons)])
        for key, reasons in groups.items()
        if reasons
    )


def _lines(reasons: dict[str, list[str]]) -> Iterable[str]:
    for why, names in reasons.items():
        for name in names:
            yield from _wrapped(name, "  ")
        for each in why.split("; ") if why else ():
            yield from _wrapped(each, "    - ")


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def as_html(rows: Iterable[Row]) -> str:
    """A table of three columns."""
    cell = '<td style="text-align: left; vertical-align: top">{}</td>'.format
    head = "".join(
        f'<th style="text-align: left">{name}</th>' for name in ("capability", "provider", "reason")
    )
    body = "".join(
        f"<tr>{cell(f'<code>{escape(name)}</code>')}{cell(escape(provider))}{cell(_reason(reason))}</tr>"
        for name, provider, reason in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _reason(reason: str) -> str:
    return "<br/>".join(escape(each) for each in reason.split("; "))
