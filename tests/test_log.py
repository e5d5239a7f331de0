"""Log lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.log import REQUEST_ID, TRACE, JsonLines, Logfmt, LogFormat, fields, setup_logging


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, others = logging.getLogger(), ("uvicorn", "uvicorn.error", "asyncio")
    levels = {name: logging.getLogger(name).level for name in ("root", *others)}
    stream = io.StringIO()
    setup_logging(TRACE, stream)
    yield stream
    for handler in [h for h in root.handlers if isinstance(h.formatter, Logfmt | JsonLines)]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(None if name == "root" else name).setLevel(level)


CASES = {
    "plain": (logging.INFO, "ready", {}, "level=INFO source=test_log.py:", "msg=ready"),
    "blanks": (logging.WARNING, "not so", {}, "level=WARN ", 'msg="not so"'),
    "fields": (logging.ERROR, "x", {"model": "m:1", "n": 2}, "level=ERROR ", "model=m:1 n=2"),
    "empty": (TRACE, "x", {"error": ""}, "level=TRACE ", 'error=""'),
    "forgery": (
        logging.DEBUG,
        "a\nlevel=X",
        {"p": 'q"='},
        "level=DEBUG ",
        r'"a\nlevel=X" p="q\"="',
    ),
}


@pytest.mark.parametrize(("level", "text", "values", "head", "tail"), CASES.values(), ids=CASES)
def test_lines(
    lines: io.StringIO, level: int, text: str, values: dict[str, object], head: str, tail: str
) -> None:
    logging.getLogger("puna.x").log(level, text, extra=fields(**values))
    (line,) = lines.getvalue().splitlines()
    assert line.startswith("time=2")
    assert head in line
    assert line.endswith(tail)


def test_a_traceback_follows(lines: io.StringIO) -> None:
    try:
        raise KeyError("gone")
    except KeyError as error:
        logging.getLogger("puna.x").error("oh", exc_info=error)
    assert lines.getvalue().splitlines()[-1] == "KeyError: 'gone'"


def test_setting_up_twice_writes_once(lines: io.StringIO) -> None:
    again = io.StringIO()
    setup_logging(logging.INFO, again)
    logging.getLogger("puna.x").info("once")
    logging.getLogger("puna.x").debug("never")
    assert (lines.getvalue(), again.getvalue().count("msg=")) == ("", 1)


def test_lines_of_json(lines: io.StringIO) -> None:
    setup_logging(TRACE, lines, "json")
    log = logging.getLogger("puna.x")
    log.warning('so\n"quoted"', extra=fields(n=2, path=Path("/a")))
    try:
        raise KeyError("gone")
    except KeyError as error:
        log.error("oh", exc_info=error)
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["level"], first["msg"]) == ("WARN", 'so\n"quoted"')
    assert (first["n"], first["path"]) == (2, "/a")
    assert second["traceback"].endswith("KeyError: 'gone'")


@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_name_their_request(lines: io.StringIO, form: LogFormat) -> None:
    setup_logging(TRACE, lines, form)
    token = REQUEST_ID.set("req_1")
    logging.getLogger("puna.x").info("in")
    REQUEST_ID.reset(token)
    logging.getLogger("puna.x").info("out")
    inside, outside = lines.getvalue().splitlines()
    assert "req_1" in inside
    assert "request" not in outside
