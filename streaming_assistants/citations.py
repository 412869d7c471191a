"""Citations as a reader wants them: numbers in the text, and a list of what they stand for."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import overload

import openai
from openai import AsyncOpenAI, OpenAI

from . import _sdk
from ._io import drive
from ._protocol.cite import CitedMessage, Source
from ._protocol.plan import Invoke, Plan, Together
from ._sdk.untyped import AnyClient, Model

_AT_ONCE = 8  # files whose names are asked for


@dataclass(frozen=True)
class Citation:
    """What a text cites.

    ``number`` is the one in the text, from 1; None for what the text shows as it is (a ``sandbox:`` link)
    or not at all. ``type`` is the annotation's: ``file_citation``, ``file_path``, or another server's.
    ``filename`` is None where no client was given, or where the file is gone. ``url`` and ``title`` are of
    servers that cite pages.
    """

    number: int | None
    type: str
    file_id: str | None = None
    filename: str | None = None
    quote: str | None = None
    url: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class CitedText:
    """``text`` with a number for each marker, and ``citations``: numbered ones first, in their order."""

    text: str
    citations: list[Citation]


@overload
def cited(message: Model, client: AsyncOpenAI) -> Awaitable[CitedText]: ...
@overload
def cited(message: Model, client: OpenAI | None = None) -> CitedText: ...
def cited(message: Model, client: AnyClient = None) -> CitedText | Awaitable[CitedText]:
    """The text of a Message, whose markers (``【4:0†contract.pdf】``) became ``[1]``, and what they cite.

    The same file has one number. A ``sandbox:`` link stays, and its file is listed without a number. With a
    client the files' names are asked for, one request for each file; with an async one the answer is to be
    awaited. Raises what the client raises, but for a file that is gone.
    """
    numbered = CitedMessage()
    pieces: list[str] = []
    for index, block in enumerate(message.content or ()):
        pieces += numbered.add(index, block)
    text = "".join((*pieces, *numbered.close()))
    plan = _named(text, numbered.sources, client)
    if client is not None and _sdk.is_async(client):
        return drive.run_async(plan)
    return drive.run(plan)


def _named(text: str, sources: list[Source], client: AnyClient) -> Plan[CitedText]:
    files = list(dict.fromkeys(source.file_id for source in sources if source.file_id))
    names: dict[str | None, str | None] = {}
    if client is not None and files:
        makes = [partial(client.files.retrieve, file_id) for file_id in files]
        for file_id, answer in zip(
            files, (yield Together([Invoke(make) for make in makes], _AT_ONCE)), strict=True
        ):
            if isinstance(answer, Exception) and not isinstance(answer, openai.NotFoundError):
                raise answer
            names[file_id] = getattr(answer, "filename", None)
    ordered = sorted(sources, key=lambda source: source.number or len(sources) + 1)
    return CitedText(text, [_citation(source, names.get(source.file_id)) for source in ordered])


def _citation(source: Source, filename: str | None) -> Citation:
    said = {name: getattr(source, name) for name in ("number", "type", "file_id", "quote", "url", "title")}
    return Citation(**said, filename=filename)
