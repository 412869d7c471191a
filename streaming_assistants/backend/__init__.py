"""The Assistants API in process, for clients that have no Assistants server left to talk to.

Public: :class:`LocalBackend`, the built-in upstream :class:`Echo`, :func:`app` for an ASGI server of your
own, and what an upstream of your own is written with (see ``backend/_engine/port.py``).
"""

from ._engine import port
from ._engine.observer import Observer
from ._engine.port import *  # noqa: F403
from ._local import LocalBackend
from ._serve.app import app
from ._sharing import resolve
from ._telemetry.open_telemetry import OpenTelemetry
from .upstreams.echo import Echo

__all__ = [*port.__all__, "Echo", "LocalBackend", "Observer", "OpenTelemetry", "app", "resolve"]
