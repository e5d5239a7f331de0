"""Skills: where they are read, which one wins, and copies of others'."""

from __future__ import annotations

from pathlib import Path

from puna.agent.skill_import import import_skills
from puna.agent.skills import BUNDLED, read_skills, skill_folders


def make_skill(folder: Path, name: str, head: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "SKILL.md").write_text(f"---\n{head}\n---\nDo it.\n")


def test_skills_are_read_and_the_last_one_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    make_skill(first, "pdf", "name: pdf\ndescription: old")
    make_skill(second, "pdf", 'name: "pdf"\ndescription: >\n  reads\n  PDFs')
    make_skill(second, "model", "name: model\ndescription: a command has that name")
    make_skill(second, "Bad", "name: Bad\ndescription: x")
    make_skill(second, "other", "name: another\ndescription: x")
    make_skill(second, "mute", "name: mute")
    (second / "link").mkdir()
    (second / "link" / "SKILL.md").symlink_to(first / "pdf" / "SKILL.md")
    (second / "pdf" / "scripts").mkdir()
    (second / "pdf" / "scripts" / "go.sh").write_text("")
    found, warnings = read_skills([tmp_path / "none", first, second], ["model"])
    assert list(found) == ["pdf"]
    assert found["pdf"].description == "reads PDFs"
    assert found["pdf"].load() == f"Do it.\n\nFiles in {second / 'pdf'}:\nscripts/go.sh"
    assert [line.split()[1] for line in sorted(warnings)] == [
        "Bad", "link", "model", "mute", "other",
    ]  # fmt: skip


def test_a_skill_comes_with_puna_and_gives_way_to_the_users(tmp_path: Path) -> None:
    found, warnings = read_skills([BUNDLED], ["skills"])
    assert (list(found), warnings) == (["skill-creator"], [])
    assert "Writing a skill" in found["skill-creator"].load()
    make_skill(tmp_path, "skill-creator", "name: skill-creator\ndescription: mine")
    folders = skill_folders([tmp_path], tmp_path / "work")
    assert read_skills(folders)[0]["skill-creator"].description == "mine"


def test_skills_of_others_are_copied_and_never_over_one_that_is_there(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "new" / "mine"
    for name in ("pdf", "docs"):
        make_skill(theirs, name, f"name: {name}\ndescription: of theirs")
    make_skill(theirs, "bad", "name: other\ndescription: x")
    (theirs / "pdf" / "scripts").mkdir()
    (theirs / "pdf" / "scripts" / "go.sh").write_text("#!/bin/sh\n")
    (theirs / "pdf" / "scripts" / "go.sh").chmod(0o700)
    (theirs / "pdf" / "key").symlink_to("/etc/passwd")
    (theirs / "pdf" / "away").symlink_to("/etc")
    (theirs / "notes.txt").write_text("")
    make_skill(mine, "docs", "name: docs\ndescription: of mine")
    came, problems = import_skills(theirs, mine)
    assert came == ["pdf"]
    assert [line.split(":")[0] for line in problems] == [
        "skill bad is left out",
        "skill docs is left out",
    ]
    found, _ = read_skills([mine])
    assert {each.name: each.description for each in found.values()} == {
        "docs": "of mine",
        "pdf": "of theirs",
    }
    assert sorted(path.name for path in (mine / "pdf").iterdir()) == ["SKILL.md", "scripts"]
    assert (mine / "pdf" / "scripts" / "go.sh").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in mine.iterdir()) == ["docs", "pdf"]
    with (theirs / "docs" / "large").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    assert import_skills(theirs / "none", mine) == ([], [f"there is no folder {theirs / 'none'}"])
    came, problems = import_skills(theirs, tmp_path / "third")
    assert came == ["pdf"]
    assert "more than" in problems[1]
    assert sorted(path.name for path in (tmp_path / "third").iterdir()) == ["pdf"]
