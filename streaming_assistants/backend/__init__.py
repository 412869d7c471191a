"""The Assistants API in process, for clients that have no Assistants server left to talk to."""

from .local import LocalBackend, resolve

__all__ = ["LocalBackend", "resolve"]
