"""What an upstream of your own is made of. The same names are in :mod:`streaming_assistants.backend`."""

from streaming_assistants.backend._engine import port
from streaming_assistants.backend._engine.port import *  # noqa: F403

__all__ = port.__all__
