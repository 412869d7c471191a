"""The capability table in short: families, what the SDK alone has, and what patch() makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streaming_assistants._patch.display import OURS, Judgement
from streaming_assistants._patch.table import TABLE

_FAMILIES = (
    # The first that matches a name is its family.
    ("messages.list(stream=True)", "streamed messages"),
    ("(stream=True)", "streamed runs"),
    ("stream()", "event handlers"),
    ("_poll(", "polling"),
    (".poll(", "polling"),
    ("vector_stores", "vector stores"),
    ("auto-paging", "paging"),
)
_ORDER = ("streamed runs", "event handlers", "polling", "streamed messages", "vector stores", "paging")
_OTHERS = "methods, parameters"
_MISSING, _DEFECTIVE = "missing", "defective"


class Family(NamedTuple):
    """Capabilities that are used together."""

    name: str
    rows: list[Judgement]

    @property
    def alone(self) -> str:
        """What the installed SDK has by itself."""
        missing = sum(row.reason.startswith(_MISSING) for row in self.rows)
        defects = len(shown_defects(self.rows))
        said = [f"{missing} of {len(self.rows)} missing"] if 0 < missing < len(self.rows) else []
        said += ["missing"] if missing == len(self.rows) else []
        said += [f"{defects} defect{'s' if defects > 1 else ''}"] if defects else []
        return ", ".join(said) or "sound"

    @property
    def patched(self) -> str:
        """What stands in a patched client."""
        ours = [row for row in self.rows if row.provider == OURS]
        said = ["added"] if any(row.reason.startswith(_MISSING) for row in ours) else []
        said += ["repaired"] if any(row.reason.startswith(_DEFECTIVE) for row in ours) else []
        left = any(row.reason.startswith(_DEFECTIVE) and row.provider != OURS for row in self.rows)
        return ", ".join([*said, *(["defects stay"] if left else [])]) or "the SDK's own"


def families(rows: Iterable[Judgement]) -> list[Family]:
    """The rows of ``capabilities(client)``, by family."""
    by_name: dict[str, Family] = {}
    for row in rows:
        name = next((family for part, family in _FAMILIES if part in row.capability), _OTHERS)
        by_name.setdefault(name, Family(name, [])).rows.append(row)
    return sorted(by_name.values(), key=lambda family: (*_ORDER, family.name).index(family.name))


def shown_defects(rows: Iterable[Judgement]) -> list[str]:
    """What a user of the SDK sees of the defects of these capabilities, each once."""
    wanted = {row.capability for row in rows if row.reason.startswith(_DEFECTIVE)}
    stories = [each.story for each in TABLE if each.name in wanted and each.story is not None]
    return list(dict.fromkeys(shown for story in stories for shown in story.divergences()))
