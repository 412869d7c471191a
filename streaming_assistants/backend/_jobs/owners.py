"""Who drives a run: a backend has a row while it lives, so that another can tell a dead one's runs.

A dead owner is one whose process is gone (seen at once, on the same machine) or that has not said it
lives for as long as its lease (seen from anywhere).
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from .._engine.rows import Row


def here() -> str:
    """Names the machine, its boot and its process namespace: within one, a pid means one process."""
    return "|".join([platform.node(), _boot(), _namespace()])[:255]


def started(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's words; None when there is no such process.

    The empty string where the system does not tell.
    """
    if sys.platform == "win32":
        return ""  # os.kill(pid, 0) would end the process there
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        return "" if _runs(pid) else None
    except OSError:
        return ""
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name before it may hold anything
    if fields[0] in (b"Z", b"X"):
        return None
    return fields[19].decode()


def living(place: str) -> Callable[[Row | None, float], bool]:
    """Tells, for whoever is at ``place``, whether the owner of a row lives."""
    return lambda owner, now: lives(owner, place, now)


def lives(owner: Row | None, place: str, now: float) -> bool:
    if owner is None or now - owner["seen_at"] > owner["lease"]:
        return False
    if owner["place"] != place:
        return True
    began = started(owner["pid"])
    return began is not None and began == owner["started"]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
