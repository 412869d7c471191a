"""Citations as servers send them since v2: without the quote that the first releases of the SDK require.

There a text with such a citation fits its class no more, and becomes what the SDK tries first: an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pydantic

from streaming_assistants._json import Json
from streaming_assistants._sdk.untyped import Arguments

LINK = "file_citation"


def read(_: object, below: Callable[..., object]) -> Callable[..., object]:
    """The client's way from an answer to its objects, which gets a quote of no words where there is none."""

    def process(**answer: Json) -> object:
        for citation in _unquoted(answer["data"]):
            citation["quote"] = ""
        return below(**answer)

    return process


def among(answer: Arguments) -> bool:
    """Whether an answer has such a citation, and becomes objects."""
    kind = answer.get("cast_to")
    is_model = isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
    return is_model and any(True for _ in _unquoted(answer.get("data")))


def _unquoted(data: Json) -> Iterator[Json]:
    listed = data.get("data") if isinstance(data, dict) and data.get("object") == "list" else [data]
    for message in _dicts(listed):
        if message.get("object") != "thread.message":
            continue
        for part in _dicts(message.get("content")):
            text = part.get("text")
            for mark in _dicts(text.get("annotations")) if isinstance(text, dict) else ():
                citation = mark.get(LINK)
                if isinstance(citation, dict) and "quote" not in citation:
                    yield citation


def _dicts(values: Json) -> list[Json]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
