"""Log lines on stderr, through the standard `logging`: `time=… level=INFO source=file.py:12
msg="…" key=value`, or an object of JSON with the same keys.

Facts: serving spec, section 8.1. Prompts are logged at TRACE only.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime
from typing import Literal, TextIO

from puna.errors import quoted

__all__ = ["REQUEST_ID", "TRACE", "JsonLines", "LogFormat", "Logfmt", "fields", "setup_logging"]

TRACE = 5
"""The level below DEBUG."""

LogFormat = Literal["text", "json"]

REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="")
"""The id of the request that is served; its log lines have it."""

_NAMES = {TRACE: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "ERROR"}


def fields(**values: object) -> dict[str, dict[str, object]]:
    """Attributes of a log line: `log.info("model loaded", extra=fields(model=name))`."""
    return {"fields": values}


class Logfmt(logging.Formatter):
    """Writes a record as one logfmt line; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; values are quoted where needed, so no value can forge a line."""
        line = " ".join(f"{key}={_value(str(value))}" for key, value in _pairs(record))
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; a traceback is the text of its key `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record. Numbers and truth values stay what they are."""
        plain = (str, int, float, bool)
        line = {
            key: value if isinstance(value, plain) or value is None else str(value)
            for key, value in _pairs(record)
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _pairs(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    moment = datetime.fromtimestamp(record.created).astimezone()
    yield "time", moment.isoformat(timespec="milliseconds")
    yield "level", _NAMES.get(record.levelno, record.levelname)
    yield "source", f"{record.filename}:{record.lineno}"
    yield "msg", record.getMessage()
    attributes: dict[str, object] = getattr(record, "fields", {})
    yield from attributes.items()
    if request := REQUEST_ID.get():
        yield "request", request


def _value(text: str) -> str:
    plain = text.isprintable() and not set(text) & {" ", "=", '"', "\\"}
    return text if text and plain else quoted(text)


def setup_logging(level: int, stream: TextIO | None = None, form: LogFormat = "text") -> None:
    """Send everything from `level` up to `stream` (stderr when None) in this form.

    Calling it again replaces the stream.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if form == "json" else Logfmt())
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, Logfmt | JsonLines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # others tell of their starting and stopping at INFO; our own lines say it already
    for other in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(other).setLevel(max(level, logging.WARNING))
