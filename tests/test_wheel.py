"""The wheel holds the package as it is in the source, and installs as a command of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path, PurePosixPath
from sysconfig import get_path

import pytest

from puna import __version__

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what the Dockerfile copies, so that this is known to be enough."""
    source = tmp_path_factory.mktemp("source")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    for name in " ".join(copied).split():
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (built,) = folder.iterdir()
    return built


def pip(*arguments: str) -> None:
    # an installation in the home of whoever runs the tests has its own settings
    command = [sys.executable, "-m", "pip", "--isolated", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    packed = {name for name in names if ".dist-info" not in PurePosixPath(name).parts[0]}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "puna").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there
    assert "puna/models/bundled/cria/cria.gguf" in packed
    assert "puna/agent/bundled/skill-creator/SKILL.md" in packed


def test_the_wheel_installs_a_command(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "tool", with_pip=False, symlinks=True)
    bin_folder = tmp_path / "tool" / "bin"
    python = str(bin_folder / "python")
    pip("--python", python, "install", "--no-deps", "--no-index", str(wheel))
    # what Puna needs is taken from here; an editable Puna is not, as its own .pth is not read there
    packages = Path(get_path("purelib", vars={"base": str(tmp_path / "tool")}))
    (packages / "beside.pth").write_text(get_path("purelib") + "\n")

    where = [python, "-c", "import puna; print(puna.__file__)"]
    done = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(packages)

    env = {"HOME": str(tmp_path), "PUNA_NO_START": "1", "OLLAMA_HOST": "127.0.0.1:1"}
    version = [str(bin_folder / "puna"), "--version"]
    said = subprocess.run(
        version, capture_output=True, text=True, check=True, cwd=tmp_path, env=env
    )
    assert __version__ in said.stdout
