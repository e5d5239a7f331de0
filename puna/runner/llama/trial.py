"""Grammars compiled once in a process of their own, where one that never ends harms nobody.

Rules bound what they can (rules.py), but whether two patterns of a schema have a text in common may
take for ever to find out, in one call that cannot be stopped. The child is
`python -m puna.runner.llama.trial`; its tokens are single bytes: the expensive part is the same.
"""

from __future__ import annotations

import contextlib
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
from typing import IO

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from puna.child import die_with_parent

__all__ = ["STACK", "Trial", "limits"]

STACK = 64 * 1024 * 1024  # bytes of address space: the compiler is recursive
CPU_SECONDS = 3
MEMORY = 512 << 20
_WALL_SECONDS = 30.0  # on a machine that is busy with other things
_MOST_STATES = 50_000  # of one answer's lexer, 1 to 2 KB each

_HEAD = struct.Struct("<QQ")  # fuel, and bytes of the grammar that follows
_TOO_MUCH = "it takes too long, or too much memory"


def limits(fuel: int) -> LLParserLimits:
    """What a grammar may cost. `fuel` bounds the work of making its lexer."""
    return LLParserLimits(
        initial_lexer_fuel=fuel, max_lexer_states=_MOST_STATES, verbose_errors=False
    )


class Trial:
    """The parent's side. For one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def failure(self, grammar: str, fuel: int) -> str:
        """Why the grammar cannot be compiled; "" when it can."""
        if self._process is None:
            self._process = _start()
        raw = grammar.encode("utf-8", "replace")
        with contextlib.suppress(OSError):
            pipe = _open(self._process.stdin)
            pipe.write(_HEAD.pack(fuel, len(raw)) + raw)
            pipe.flush()
            answers = _open(self._process.stdout)
            ready, _, _ = select.select([answers], [], [], _WALL_SECONDS)
            answer = answers.readline() if ready else b""
            if answer.endswith(b"\n"):
                return answer[:-1].decode()
        self.close()
        return _TOO_MUCH

    def close(self) -> None:
        """End the child; the next grammar gets another one."""
        if self._process is not None:
            with self._process:  # which closes the pipes and waits
                self._process.kill()
            self._process = None


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "puna.runner.llama.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of one that dies, its end says enough
    )


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BrokenPipeError
    return pipe


def _serve() -> None:
    """Compile what comes, and say on one line what is wrong with it."""
    bytes_alone = LLTokenizer("byte")
    while len(head := sys.stdin.buffer.read(_HEAD.size)) == _HEAD.size:
        fuel, size = _HEAD.unpack(head)
        grammar = sys.stdin.buffer.read(size).decode()
        _allow_seconds()
        failure = LLMatcher(bytes_alone, grammar, log_level=0, limits=limits(fuel)).get_error()
        first = (failure.strip().splitlines() or [""])[0]
        sys.stdout.buffer.write(first.encode() + b"\n")
        sys.stdout.buffer.flush()


def _allow_seconds() -> None:
    """So much processor time from now on; then the kernel ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def main() -> None:
    """Serve the parent until its pipe ends."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server, which ends us
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.stack_size(STACK)
    thread = threading.Thread(target=_serve)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
