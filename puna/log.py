"""Log lines: `time=… level=INFO source=file.py:12 msg="…" key=value` on stderr, through the
standard `logging`.

Facts: serving spec, section 8.1. Prompts are logged at TRACE only.
"""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from typing import TextIO

from puna.errors import quoted

__all__ = ["TRACE", "Logfmt", "fields", "setup_logging"]

TRACE = 5
"""The level below DEBUG."""

_NAMES = {TRACE: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "ERROR"}


def fields(**values: object) -> dict[str, dict[str, object]]:
    """Attributes of a log line: `log.info("model loaded", extra=fields(model=name))`."""
    return {"fields": values}


class Logfmt(logging.Formatter):
    """Writes a record as one logfmt line; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; values are quoted where needed, so no value can forge a line."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        parts = [
            f"time={moment.isoformat(timespec='milliseconds')}",
            f"level={_NAMES.get(record.levelno, record.levelname)}",
            f"source={record.filename}:{record.lineno}",
            f"msg={_value(record.getMessage())}",
        ]
        attributes: dict[str, object] = getattr(record, "fields", {})
        parts += [f"{key}={_value(str(value))}" for key, value in attributes.items()]
        line = " ".join(parts)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _value(text: str) -> str:
    plain = text.isprintable() and not set(text) & {" ", "=", '"', "\\"}
    return text if text and plain else quoted(text)


def setup_logging(level: int, stream: TextIO | None = None) -> None:
    """Send everything from `level` up to `stream` (stderr when None).

    Calling it again replaces the stream.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(Logfmt())
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, Logfmt)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # others tell of their starting and stopping at INFO; our own lines say it already
    for other in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(other).setLevel(max(level, logging.WARNING))
