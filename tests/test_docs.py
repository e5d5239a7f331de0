"""What the documents state about the code is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from puna.gguf.translation.registry import ARCHITECTURES
from puna.prompt.parsers import NAMED
from tools.make_docs import (
    CLI,
    CONVERSION,
    OPERATIONS,
    with_architectures,
    with_help,
    with_tables,
)

ROOT = Path(__file__).resolve().parents[1]


def test_every_room_is_on_the_map() -> None:
    on_disk = {path.parent.name for path in (ROOT / "puna").glob("*/__init__.py")}
    page = (ROOT / "docs/architecture.md").read_text()
    assert set(re.findall(r"^- `(\w+)/`", page, re.M)) == on_disk


def test_every_package_is_named_with_its_room() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    for room, line in re.findall(r"^- `(\w+)/` (.*)$", page, re.M):
        nested = {path.parent.name for path in (ROOT / "puna" / room).glob("*/__init__.py")}
        assert nested <= set(re.findall(r"`(\w+)/`", line)), room


def test_every_module_of_the_ground_is_named() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    (ground,) = re.findall(r"^Ground, below all rooms: (.*?)\n\n", page, re.M | re.S)
    modules = {path.name for path in (ROOT / "puna").glob("[!_]*.py")}
    assert set(re.findall(r"`(\w+\.py)`", ground)) == modules


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w.-]", each)[0] for each in project["dependencies"]}
    page = (ROOT / "docs/architecture.md").read_text()
    assert set(re.findall(r"^\| `([\w.-]+)` \| \S", page, re.M)) == names


def test_every_form_of_the_references_library_is_listed() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    _, section, _ = re.split(r"^## (?:Models of Ollama's library|Hugging Face)$", page, flags=re.M)
    listed = set(re.findall(r"`(\w+)`", section))
    assert set(ARCHITECTURES) - {"llama"} <= listed  # of Llama only early files are


def test_the_engine_is_the_same_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pinned,) = [each for each in project["dependencies"] if each.startswith("llama-cpp-python")]
    for page in ("README.md", "docs/operations.md"):
        assert set(re.findall(r"llama-cpp-python==[\d.]+", (ROOT / page).read_text())) == {pinned}


def test_generated_tables_are_fresh() -> None:
    page = OPERATIONS.read_text()
    assert with_tables(page) == page, "run make docs"
    page = CLI.read_text()
    assert with_help(page) == page, "run make docs"
    page = CONVERSION.read_text()
    assert with_architectures(page) == page, "run make docs"


def test_the_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme


def test_every_parser_is_listed() -> None:
    page = (ROOT / "docs/templates.md").read_text()
    assert [name for name in NAMED if f"`{name}`" not in page] == []
