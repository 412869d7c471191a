"""What ``capabilities(client)`` gives, and how it is shown: in a terminal of 80 columns, in a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from html import escape
from typing import NamedTuple

SDK = "sdk"
OURS = "streaming_assistants"

WIDTH = 80

_TITLES = {
    (OURS, "missing"): "Added by streaming_assistants",
    (OURS, "defective"): "Repaired by streaming_assistants",
    (SDK, "defective"): "Left to the SDK, defective",
    (SDK, "sound"): "Left to the SDK, sound",
}


class Judgement(NamedTuple):
    """Who provides a capability, and why."""

    capability: str
    provider: str
    reason: str


class Capabilities(tuple[Judgement, ...]):
    """The table that ``capabilities(client)`` gives; ``str()`` of it, and its HTML, are made to be read."""

    __slots__ = ()

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def provider(self, capability: str) -> str:
        """The provider of one capability. Raises KeyError for a name that is not in the table."""
        for row in self:
            if row.capability == capability:
                return row.provider
        raise KeyError(capability)


def as_text(rows: Iterable[Judgement]) -> str:
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


def as_html(rows: Iterable[Judgement]) -> str:
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
