"""The parts of the prompt that need no terminal: blocks and history."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.repl.blocks import Blocks, Entry
from puna.repl.history import History

ENTRIES = {
    "a plain line": (["hi"], [Entry("hi")]),
    "an empty line": ([""], [Entry("")]),
    "one line": (['"""hi"""'], [Entry("hi", "block")]),
    "an empty block": (['"""', '"""'], [Entry("\n", "block")]),
    "several lines": (['"""one', "two", 'three"""'], [Entry("one\ntwo\nthree", "block")]),
    "commands inside": (['"""', "/bye", '"""'], [Entry("\n/bye\n", "block")]),
    "quotes in the middle": (['"""a', 'b """ c', 'd"""'], [Entry('a\nb """ c\nd', "block")]),
    "a pasted block": (['"""one\ntwo"""'], [Entry("one\ntwo", "block")]),
    "system on one line": (['/set system """be kind"""'], [Entry("be kind", "system")]),
    "system over lines": (['/set  system """be', 'kind"""'], [Entry("be\nkind", "system")]),
    "plain system": (["/set system be kind"], [Entry("/set system be kind")]),
    "never closed": (['"""one', "two"], []),
}


@pytest.mark.parametrize(("lines", "entries"), ENTRIES.values(), ids=ENTRIES)
def test_lines_become_entries(lines: list[str], entries: list[Entry]) -> None:
    blocks = Blocks()
    found = [entry for line in lines if (entry := blocks.feed(line))]
    assert found == entries


def test_a_block_can_be_dropped() -> None:
    blocks = Blocks()
    blocks.feed('"""one')
    assert blocks.is_open
    blocks.reset()
    assert not blocks.is_open
    assert blocks.feed("two") == Entry("two")


def test_history_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "history"
    history = History(path)
    history.add("one")
    history.add("  ")
    history.add("two\nlines")
    assert path.read_text() == "one\ntwo\nlines\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["history"]


def test_history_keeps_a_hundred_lines(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"{n}\n\n" for n in range(150)))
    path.chmod(0o644)
    history = History(path)
    history.load()
    assert history.entries == [str(n) for n in range(50, 150)]
    history.add("new")
    assert path.read_text().splitlines() == [*map(str, range(51, 150)), "new"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_history_can_be_switched_off(tmp_path: Path) -> None:
    history = History(tmp_path / "history", saving=False)
    history.add("secret")
    assert history.entries == ["secret"]
    assert not history.path.exists()
    history.saving = True
    history.add("no secret")
    assert history.path.read_text() == "no secret\n"


def test_an_unwritable_history_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file" / "history")
    history.load()
    history.add("one")
    assert history.entries == ["one"]
