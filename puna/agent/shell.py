"""Running a command for the agent: a process group of its own, limited in time and output.

What a command does is not fenced; whoever approves it answers for it. The list of refused commands
is a second line only. Facts: CLI spec, section 5.2.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from puna.agent.fence import is_secret

__all__ = ["Outcome", "run_shell", "why_unsafe"]

SECONDS = 180.0
_MOST_BYTES = 60_000  # of each stream
_GRACE = 0.5  # seconds for the output of a shell that has ended
_FOLDER_BYTES = 4096

# The command is an argument, never part of a program's text; the folder it ends in goes to a file.
_PROGRAM = """puna_folder_file=$2; trap 'pwd -P >"$puna_folder_file"' EXIT; eval "$1" """

_SEPARATORS = re.compile(r"[;&|()\n`]+")
_BEFORE = frozenset(["sudo", "doas", "env", "nohup", "command", "exec", "time", "nice", "xargs"])
_PRECIOUS = frozenset(["/", "~", "$HOME", "${HOME}", ".", "..", "*", "./*", "/*", "~/*", "$HOME/*"])
_SYSTEM = re.compile(
    r"/(bin|boot|dev|etc|home|lib\d*|opt|proc|root|sbin|srv|sys|usr|var|Users|System|Library"
    r"|Applications)(/\*)?"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command: its text for the model, and the folder that it ended in."""

    text: str
    folder: Path


def why_unsafe(command: str, folder: Path) -> str:
    """Why a command must not be run, or an empty text."""
    for part in _SEPARATORS.split(command):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and (words[0] in _BEFORE or re.fullmatch(r"\w+=.*", words[0])):
            words = words[1:]
        if not words:
            continue
        program = Path(words[0]).name
        if program == "rm" and _deletes_much(words[1:], folder):
            return "it deletes folders that are not to be deleted"
        if program.startswith("mkfs") or (
            program == "dd" and any(word.startswith("of=/dev/") for word in words)
        ):
            return "it writes over a disk"
        for word in words[1:]:
            place = word.lstrip("<>").replace("$HOME", "~").replace("${HOME}", "~")
            if place and is_secret(Path(os.path.normpath(folder / Path(place).expanduser()))):
                return "it reads credentials"
    return ""


def _deletes_much(words: list[str], folder: Path) -> bool:
    flags = "".join(word[1:] for word in words if re.fullmatch(r"-[A-Za-z]+", word))
    is_recursive = bool(set(flags) & {"r", "R"}) or "--recursive" in words
    is_forced = "f" in flags or "--force" in words
    if not (is_recursive and is_forced):
        return False
    for word in words:
        plain = word.rstrip("/") or "/"
        path = Path(os.path.normpath(folder / Path(plain).expanduser()))
        if (
            plain in _PRECIOUS
            or _SYSTEM.fullmatch(plain)
            or path == Path.home()
            or path == folder
            or path in folder.parents
        ):
            return not word.startswith("-")
    return False


def run_shell(command: str, folder: Path, seconds: float = SECONDS) -> Outcome:
    """Run a command; whatever it started ends with it. KeyboardInterrupt kills it and goes on."""
    program = shutil.which("bash") or "/bin/sh"
    with tempfile.TemporaryDirectory(prefix="puna-") as place:
        note = Path(place) / "folder"
        child = subprocess.Popen(
            [program, "-c", _PROGRAM, "puna", command, str(note)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err, is_late = _collect(child, seconds)
        finally:
            _kill_group(child)
        return Outcome(
            _describe(out, err, child.returncode, seconds, is_late), _ended(note, folder)
        )


class _Stream:
    """What one stream said: its beginning, and how much more there was."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.lost = 0

    def take(self, data: bytes) -> None:
        room = _MOST_BYTES - len(self.kept)
        self.kept += data[:room]
        self.lost += max(0, len(data) - room)

    def text(self) -> str:
        more = f"\n[{self.lost} more bytes]" if self.lost else ""
        return self.kept.decode("utf-8", "replace").rstrip("\n") + more


def _collect(child: subprocess.Popen[bytes], seconds: float) -> tuple[_Stream, _Stream, bool]:
    """Both streams until they end, the shell has ended, or the time is over."""
    streams: dict[object, _Stream] = {}
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:  # they were asked for
                os.set_blocking(pipe.fileno(), False)
                streams[pipe] = _Stream()
                selector.register(pipe, selectors.EVENT_READ)
        has_ended = False
        while selector.get_map() and time.monotonic() < end:
            if not has_ended and child.poll() is not None:
                has_ended, end = True, min(end, time.monotonic() + _GRACE)
            for key, _ in selector.select(min(0.1, max(0.0, end - time.monotonic()))):
                data = os.read(key.fd, 65536)
                if data:
                    streams[key.fileobj].take(data)
                else:
                    selector.unregister(key.fileobj)
    is_late = False
    if child.poll() is None:
        try:
            child.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            is_late = True
    out, err = streams.values()
    return out, err, is_late


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone already
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _describe(out: _Stream, err: _Stream, code: int, seconds: float, is_late: bool) -> str:
    parts = [out.text()] if out.kept else []
    if err.kept:
        parts.append(f"stderr:\n{err.text()}")
    if is_late:
        minutes, rest = divmod(int(seconds), 60)
        parts.append(f"Error: command timed out after {minutes}m{rest}s")
    elif code:
        parts.append(f"Exit code: {code}")
    return "\n".join(parts) or "(no output)"


def _ended(note: Path, folder: Path) -> Path:
    try:
        with note.open("rb") as file:
            text = file.read(_FOLDER_BYTES).decode("utf-8", "replace").rstrip("\n")
    except OSError:  # the command was killed, or took the trap away
        return folder
    return Path(text) if text and "\0" not in text else folder
