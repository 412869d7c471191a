"""What a server writes of itself, for people or for programs: a line of text, or of JSON."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Any

FORMATS = ("text", "json")


class JsonLines(logging.Formatter):
    """A record as one line of JSON: ``time``, ``level``, ``logger`` and ``message``, what is told of a run by
    its names, and an ``exception`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc)
        told: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "run", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def log_config(format: str) -> dict[str, Any]:
    """What :mod:`logging` is set up with: uvicorn's log and access log, and ours from INFO on."""
    text = {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    formatter: dict[str, Any] = {"()": JsonLines} if format == "json" else text
    heard = {"handlers": ["console"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"told": formatter},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "told",
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": dict.fromkeys(("uvicorn", "streaming_assistants"), heard)
        | {"uvicorn.access": {"level": "INFO"}, "uvicorn.error": {"level": "INFO"}},
    }
