"""Writing a message in an editor (Ctrl+G). Facts: CLI spec, section 2.5."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from prompt_toolkit.input import create_input

__all__ = ["edit"]


def edit(text: str, command: str) -> str:
    """Let the user edit `text` with the editor `command`; "" if nothing usable came back.

    What goes wrong is told on standard error.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = [command]
    with tempfile.TemporaryDirectory(prefix="puna-") as folder:
        path = Path(folder) / "ollama-prompt-edit.txt"
        path.write_text(text, "utf-8")
        try:
            # The terminal is not in its usual modes, neither at the prompt nor between two.
            with create_input().cooked_mode():
                subprocess.run([*words, str(path)], check=True)
        except FileNotFoundError:
            _tell(
                f'editor "{words[0]}" not found, '
                "set OLLAMA_EDITOR to the path of your preferred editor"
            )
            return ""
        except (OSError, subprocess.CalledProcessError) as error:
            _tell(f"editor exited with error: {error}")
            return ""
        edited = path.read_text("utf-8", "replace").rstrip("\n")
    return edited if edited.strip() else ""


def _tell(problem: str) -> None:
    print(f"error: {problem}", file=sys.stderr)
