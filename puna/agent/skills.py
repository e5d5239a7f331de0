"""Skills: folders with a text that tells a model how to do something. Facts: CLI spec, section 5.6.

They are read once; only names and descriptions go into the prompt, and they permit nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from puna.agent.fence import Refused
from puna.agent.files import read_bytes

__all__ = ["BUNDLED", "Skill", "is_skill", "read_skill", "read_skills", "skill_folders"]

BUNDLED = Path(__file__).with_name("bundled")
"""The skills that come with Puna."""

_FILE = "SKILL.md"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MOST_BYTES = 1024 * 1024
_MOST_SKILLS = 200  # of one folder
_MOST_LISTED = 100
_LONGEST = 1024  # characters of a description


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill, and where it lies."""

    name: str
    description: str
    text: str
    folder: Path

    def load(self) -> str:
        """What the model reads when it asks for the skill."""
        files = [
            str(path.relative_to(self.folder))
            for part in ("scripts", "references", "assets")
            for path in islice(sorted((self.folder / part).glob("**/*")), _MOST_LISTED)
            if path.is_file() and not path.is_symlink()
        ]
        if not files:
            return self.text
        return f"{self.text}\n\nFiles in {self.folder}:\n" + "\n".join(files)


def skill_folders(user_folders: Sequence[Path], work_folder: Path) -> list[Path]:
    """Where skills are looked for; later ones win."""
    return [
        BUNDLED,
        Path.home() / ".agents" / "skills",
        *user_folders,
        work_folder / ".agents" / "skills",
        work_folder / ".ollama" / "skills",
    ]


def read_skills(
    folders: Iterable[Path], taken: Iterable[str] = ()
) -> tuple[dict[str, Skill], list[str]]:
    """The skills in these folders by name, and what is wrong with others.

    `taken` are names of commands, which no skill may have.
    """
    found: dict[str, Skill] = {}
    warnings: list[str] = []
    reserved = frozenset(taken)
    for folder in folders:
        if not folder.is_dir():
            continue
        for place in islice(sorted(folder.iterdir()), _MOST_SKILLS):
            if not is_skill(place):
                continue
            try:
                skill = read_skill(place)
            except Refused as error:
                warnings.append(f"skill {place.name} is left out: {error}")
                continue
            if skill.name in reserved:
                warnings.append(f"skill {skill.name} is left out: a command has that name")
                continue
            found[skill.name] = skill
    return found, warnings


def is_skill(folder: Path) -> bool:
    """Whether a folder means to be a skill."""
    return (folder / _FILE).is_file()


def read_skill(folder: Path) -> Skill:
    """The skill in a folder. Raises Refused."""
    data = read_bytes(folder / _FILE, _MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise Refused(f"{_FILE} is larger than 1 MiB")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Refused(f"{_FILE} is not in UTF-8") from error
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        raise Refused(f"{_FILE} has no front matter")
    head, _, body = text[4:].partition("\n---")
    fields = _front_matter(head)
    name, description = fields.get("name", ""), fields.get("description", "")
    if not _NAME.fullmatch(name) or name != folder.name:
        raise Refused("its name is not that of its folder, in small letters, digits and hyphens")
    if not description:
        raise Refused("it has no description")
    return Skill(name, description[:_LONGEST], body.lstrip("-").strip(), folder)


def _front_matter(head: str) -> dict[str, str]:
    """The texts of a flat YAML mapping: plain, quoted, or over indented lines."""
    fields: dict[str, str] = {}
    key = ""
    for line in head.split("\n"):
        if line[:1] in {" ", "\t"} and key:
            fields[key] = f"{fields[key]} {line.strip()}".strip()
            continue
        key, colon, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if not colon or key.startswith("#"):
            key = ""
            continue
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        fields[key] = "" if value in {"|", ">", "|-", ">-"} else value
    return fields
