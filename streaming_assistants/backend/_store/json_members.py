"""What a statement reads within an object's JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class members(FunctionElement[Any]):
    """A column of JSON to look into: ``members(table.c.data)["status"]``.

    PostgreSQL keeps a NUL that somebody has put into a text, and then refuses to read anything of the whole
    object: here that letter is another, as it is in what :func:`readable` gives to compare with.
    """

    type = JSON()
    name = "members"
    inherit_cache = True


def readable(text: str) -> str:
    """A text as it is compared with one that is read out of an object."""
    return text.replace("\0", "\ufffd")


@compiles(members)
def _as_it_is(element: members, compiler: Any, **given: Any) -> str:
    return str(compiler.process(element.clauses, **given))


@compiles(members, "postgresql")
def _without_nul(element: members, compiler: Any, **given: Any) -> str:
    column = compiler.process(element.clauses, **given)
    return rf"CAST(replace(CAST({column} AS TEXT), '\u0000', '\ufffd') AS JSON)"
