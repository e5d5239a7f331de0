"""Tools of the agent: what they do in its folder, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.agent.fence import Fence, Refused, is_secret
from puna.agent.files import Edit, apply_edits, list_folder, read_lines, search, write_text
from puna.agent.tools import Workplace, prepare
from puna.client.fields import Json
from puna.client.replies import ToolCall


def call(place: Workplace, tool: str, **arguments: object) -> str:
    return prepare(place, ToolCall(tool, arguments)).run()


DONE: dict[str, tuple[str, Json, str]] = {
    "read": ("read", {"path": "a.txt"}, "one\ntwo\nthree\n"),
    "read lines": ("read", {"path": "./sub/../a.txt", "start": 2, "end": "2"}, "two\n"),
    "read from outside, absolute": ("read", {"path": "~/other/secret.txt"}, "theirs"),
    "list": ("list", {}, "a.txt\nlink.txt\nout\npipe\nsub/"),
    "search": ("search", {"pattern": "^t", "files": "*.txt"}, "a.txt:2: two\na.txt:3: three"),
    "search for nothing": ("search", {"pattern": "theirs"}, "(nothing found)"),
    "write": ("write", {"path": "sub/new/b.txt", "content": "é"}, "Wrote sub/new/b.txt (2 bytes)."),
    "edit": (
        "edit",
        {"path": "a.txt", "edits": [{"old_text": "two", "new_text": "2"}]},
        "Updated a.txt (1 edit, 1 replacement).",
    ),
    "edits as a text, in camel case": (
        "edit",
        {"path": "a.txt", "edits": '[{"oldText": "t", "newText": "T"}]', "replaceAll": True},
        "Updated a.txt (1 edit, 2 replacements).",
    ),
    "one edit beside the path": (
        "edit",
        {"path": "a.txt", "old_text": "one", "new_text": ""},
        "Updated a.txt (1 edit, 1 replacement).",
    ),
}


@pytest.mark.parametrize(("tool", "arguments", "result"), DONE.values(), ids=DONE)
def test_calls_that_are_carried_out(work: Path, tool: str, arguments: Json, result: str) -> None:
    assert call(Workplace(Fence.around(work)), tool, **arguments) == result


REFUSED: dict[str, tuple[str, Json, str]] = {
    "up and out": ("read", {"path": "../other/secret.txt"}, "leads out of the working folder"),
    "out by a link": ("read", {"path": "out/secret.txt"}, "leads out of the working folder"),
    "a link": ("read", {"path": "link.txt"}, "is a symbolic link"),
    "a link to a device": ("read", {"path": "pipe"}, "leads out of the working folder"),
    "a device": ("read", {"path": "/dev/zero"}, "no regular file"),
    "a folder": ("read", {"path": "sub"}, "no regular file"),
    "a key": ("read", {"path": "~/.ssh/id_rsa"}, "holds credentials"),
    "writing outside": ("write", {"path": "~/other/x", "content": ""}, "outside of the working"),
    "writing up and out": ("write", {"path": "sub/../../x", "content": ""}, "leads out"),
    "writing through a link": ("write", {"path": "out/x", "content": ""}, "leads out"),
    "writing to a link": ("write", {"path": "link.txt", "content": ""}, "is a symbolic link"),
    "searching outside": ("search", {"path": "/", "pattern": "x"}, "outside of the working"),
    "a wrong expression": ("search", {"pattern": "("}, "no regular expression"),
    "no path": ("read", {}, "path is missing"),
    "a zero in a path": ("read", {"path": "a\0"}, "cannot be one"),
    "lines that cannot be": ("read", {"path": "a.txt", "start": 0}, "line numbers from 1"),
    "an unknown tool": ("fly", {}, "there is no tool 'fly'; there are bash, read"),
    "an unknown skill": ("skill", {"name": "x"}, "there is no skill 'x'; there are none"),
    "no web address": ("web_fetch", {"url": "file:///etc/passwd"}, "no http or https address"),
    "this machine": ("web_fetch", {"url": "http://127.0.0.1:1/"}, "not a public one"),
    "a cloud's metadata": ("web_fetch", {"url": "http://169.254.169.254/"}, "not a public one"),
    "delete everything": ("bash", {"command": "cd /; rm -rf /"}, "refusing to run unsafe command"),
}


@pytest.mark.parametrize(("tool", "arguments", "reason"), REFUSED.values(), ids=REFUSED)
def test_calls_that_are_refused(work: Path, tool: str, arguments: Json, reason: str) -> None:
    with pytest.raises(Refused, match=reason.replace("(", "\\(")):
        call(Workplace(Fence.around(work)), tool, **arguments)
    assert (work / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert sorted(path.name for path in work.parent.iterdir()) == [".ssh", "other", "work"]


def test_a_link_made_after_approval_is_not_followed(work: Path) -> None:
    """Between the question and the answer the folder may have become a link."""
    job = prepare(
        Workplace(Fence.around(work)), ToolCall("write", {"path": "sub/x", "content": "mine"})
    )
    (work / "sub").rmdir()
    (work / "sub").symlink_to(work.parent / "other")
    with pytest.raises(Refused):
        job.run()
    assert not (work.parent / "other" / "x").exists()


def test_no_part_of_a_path_is_a_link_when_it_is_opened(work: Path) -> None:
    """Even a link that came after the last look at the path."""
    fence = Fence.around(work)
    for act in (
        lambda: write_text(work / "out" / "x", "mine", work),
        lambda: read_lines(work / "out" / "secret.txt", root=work),
        lambda: list_folder(fence, work / "out"),
        lambda: list_folder(fence, work / "out" / "deeper"),
        lambda: search(fence, work / "out" / "secret.txt", "theirs"),
    ):
        with pytest.raises(Refused, match="cannot be"):
            act()
    assert search(fence, work / "out", "theirs") == "(nothing found)"
    assert [path.name for path in (work.parent / "other").iterdir()] == ["secret.txt"]


def test_a_folder_that_became_a_link_is_not_listed(work: Path) -> None:
    job = prepare(Workplace(Fence.around(work)), ToolCall("list", {"path": "sub"}))
    (work / "sub").rmdir()
    (work / "sub").symlink_to(work.parent / "other")
    with pytest.raises(Refused, match="outside of the working folder"):
        job.run()


def test_a_long_file_is_read_part_by_part(work: Path) -> None:
    path = work / "long.txt"
    lines = [f"{number} {'x' * 50_000}\n" for number in range(1, 8)]
    path.write_text("".join(lines) + "y" * 250_000 + "\nend")
    start, parts = 1, []
    while (text := read_lines(path, start)).endswith("]"):
        shown, _, note = text.rpartition("\n")
        parts.append(shown)
        start = int(note.removeprefix("[the file is longer: read on with start ").rstrip("]"))
    assert "\n".join(parts[:-1]) + "\n" == "".join(lines)
    assert (parts[-1], text) == ("y" * 200_000, "end")
    assert read_lines(path, 9) == "end"
    assert read_lines(path, 10) == "(no line 10)"


def test_an_expression_that_never_ends_is_stopped(work: Path) -> None:
    (work / "sub" / "b.txt").write_text("a" * 60)
    with pytest.raises(Refused, match=r"it took longer than 0\.2 seconds"):
        search(Fence.around(work), work, "(a+)+b", seconds=0.2)


def test_only_tools_that_are_offered_are_named(work: Path) -> None:
    place = Workplace(Fence.around(work))
    for name in ("fly", "bash"):
        with pytest.raises(Refused, match=f"^there is no tool '{name}'; there are read, list$"):
            prepare(place, ToolCall(name, {"command": "ls"}), {"list", "read", "skill"})


def test_writing_keeps_the_mode(work: Path) -> None:
    (work / "a.txt").chmod(0o750)
    call(Workplace(Fence.around(work)), "write", path="a.txt", content="new")
    assert (work / "a.txt").stat().st_mode & 0o777 == 0o750
    assert (work / "a.txt").read_text() == "new"
    assert not list(work.glob(".puna-*"))


BAD_EDITS = {
    "not there": ([Edit("x", "y")], "not in the file"),
    "twice": ([Edit("a", "y")], "2 times"),
    "empty": ([Edit("", "y")], "empty"),
    "none": ([], "nothing to edit"),
    "overlapping": ([Edit("ab", "y"), Edit("bc", "z")], "overlap"),
}


@pytest.mark.parametrize(("edits", "reason"), BAD_EDITS.values(), ids=BAD_EDITS)
def test_edits_that_are_refused(edits: list[Edit], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        apply_edits("abc a", edits)


def test_edits_are_of_the_original() -> None:
    assert apply_edits("ab", [Edit("a", "b"), Edit("b", "a")]) == ("ba", 2)


def test_secrets_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert is_secret(tmp_path / ".aws" / "credentials")
    assert is_secret(tmp_path / ".netrc")
    assert is_secret(Path("/etc/shadow"))
    assert not is_secret(tmp_path / "notes")


def test_a_search_of_a_home_leaves_its_secrets_out(work: Path) -> None:
    place = Workplace(Fence.around(work.parent))
    assert call(place, "search", pattern="key|theirs") == "other/secret.txt:1: theirs"
