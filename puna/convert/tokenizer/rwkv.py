"""RWKV's own vocabulary: a line for each token, with its number, its text or bytes as Python writes
them, and its length.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from puna.errors import TokenizerError

__all__ = ["NAME", "read_lines"]

NAME = "rwkv_vocab_v20230424.txt"
MAX_FILE = 16 << 20
_MAX_LINE = 4096


def read_lines(path: Path) -> list[str]:
    """The tokens by their numbers, which count from one, as bytes in the escapes that the engine
    reads. Raises TokenizerError.
    """
    if path.stat().st_size > MAX_FILE:
        raise TokenizerError(f"{path.name}: is over the limit of {MAX_FILE} bytes")
    tokens: list[str] = []
    try:
        lines = path.read_text("utf-8").split("\n")
    except UnicodeDecodeError as cause:
        raise TokenizerError(f"{path.name}: is not UTF-8") from cause
    for number, line in enumerate(lines, 1):
        if line:
            tokens.append(_token(path, number, line))
    if not tokens:
        raise TokenizerError(f"{path.name}: is empty")
    return tokens


def _token(path: Path, number: int, line: str) -> str:
    place, _, rest = line.partition(" ")
    text, _, length = rest.rpartition(" ")
    bad = TokenizerError(f"{path.name}: line {number} is no token")
    if len(line) > _MAX_LINE or place != str(number) or not text.startswith(("'", '"', "b")):
        raise bad
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that mean nothing
            value = ast.literal_eval(text)  # reads a literal, runs nothing
    except (ValueError, SyntaxError, RecursionError, MemoryError) as cause:
        raise bad from cause
    raw = value.encode() if isinstance(value, str) else value
    if not isinstance(raw, bytes) or str(len(raw)) != length:
        raise bad
    return repr(raw)[2:-1]
