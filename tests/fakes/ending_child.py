"""The main of a child process that ends as its order says: by itself or by a signal."""

from __future__ import annotations

import os
import sys

import msgspec

__all__ = ["End"]


class End(msgspec.Struct, frozen=True):
    """By which signal, or with which status; and what is written to stderr before."""

    words: str = ""
    status: int = 0
    sign: int = 0


def main() -> None:
    """End."""
    end = msgspec.json.decode(sys.stdin.buffer.read(), type=End)
    sys.stderr.write(end.words)
    sys.stderr.flush()
    if end.sign:
        os.kill(os.getpid(), end.sign)
    sys.exit(end.status)


if __name__ == "__main__":
    main()
