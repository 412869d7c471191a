"""How a delta changes what it is a delta of.

Text, arguments, code, logs and refusals grow; everything else (ids, names, types, scores) is replaced.
Lists whose items have an ``index`` merge item by item, wherever the indexes start and whatever they skip;
annotations and outputs that lack theirs are added at the end.
"""

from __future__ import annotations

from streaming_assistants._json import Json

GROWING = frozenset({"value", "arguments", "input", "logs", "refusal"})
GROWING_LISTS = frozenset({"annotations", "outputs"})


def merge(base: dict[str, Json], delta: dict[str, Json], *, restated: bool = False) -> None:
    """Merges ``delta`` into ``base``, in place. ``restated`` replaces what would grow."""
    work = [(base, delta)]  # grows while it is gone through: JSON may be nested deeper than calls may
    for base, delta in work:
        for key, value in delta.items():
            old = base.get(key)
            if value is None:
                base.setdefault(key, None)
            elif key in GROWING and isinstance(value, str) and isinstance(old, str) and not restated:
                old = None  # a second reference
                grow(base, key, value)
            elif isinstance(value, dict) and isinstance(old, dict):
                work.append((old, value))
            elif isinstance(value, list) and (_indexed(value) or key in GROWING_LISTS):
                base[key] = _merge_items(old if isinstance(old, list) else [], value, restated, work)
            else:
                base[key] = value


_LOW, _BEYOND = "\udc00", "\ue000"
"""Text between these begins with the second half of a character that a server cut in two."""


def grow(base: dict[str, Json], key: str, more: str) -> None:
    """Adds ``more`` to the text at ``key``, in place, with the character whole that was cut between them."""
    text: str = base[key]
    # One reference while it grows, so that CPython extends the string in place: a message of n deltas costs
    # n, not n squared.
    base[key] = None
    if _LOW <= more < _BEYOND and "\ud800" <= text[-1:] < _LOW:
        whole = (text[-1] + more[0]).encode("utf-16", "surrogatepass").decode("utf-16")
        text, more = text[:-1], whole + more[1:]
    text += more
    base[key] = text


def _indexed(items: list[Json]) -> bool:
    return bool(items) and all(
        isinstance(item, dict) and isinstance(item.get("index"), int) for item in items
    )


def _merge_items(
    old: list[Json], new: list[Json], restated: bool, work: list[tuple[dict[str, Json], dict[str, Json]]]
) -> list[Json]:
    items = {item["index"]: item for item in _placed(old, 0)}
    for item in _placed(new, 0 if restated else max(items, default=-1) + 1):
        if item["index"] in items:
            work.append((items[item["index"]], item))
        else:
            items[item["index"]] = item
    return [items[index] for index in sorted(items)]


def _placed(items: list[Json], start: int) -> list[Json]:
    """The items, those without an index in their places from ``start`` on."""
    return [
        item if isinstance(item.get("index"), int) else {**item, "index": start + place}
        for place, item in enumerate(items)
        if isinstance(item, dict)
    ]


def copied(value: Json) -> Json:
    """A deep copy of plain JSON: what is handed out is never merged into again."""
    if not isinstance(value, (dict, list)):
        return value
    top = value.copy()
    work = [top]
    for item in work:
        for key, inner in item.items() if isinstance(item, dict) else enumerate(item):
            if isinstance(inner, (dict, list)):
                item[key] = inner = inner.copy()
                work.append(inner)
    return top
