"""The parts of the agent that need no model: fence, files, approvals, transcripts, skills."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from puna.agent.approvals import Approvals, Choice, Wish, always_text, visible
from puna.agent.compact import compacted, cut_result, is_due, summary_request
from puna.agent.fence import Fence, Refused, is_secret
from puna.agent.files import Edit, apply_edits, list_folder, read_lines, search, write_text
from puna.agent.pastes import Pastes
from puna.agent.skill_import import import_skills
from puna.agent.skills import BUNDLED, read_skills, skill_folders
from puna.agent.tools import Workplace, prepare
from puna.agent.transcript import (
    MOST_FILES,
    Transcript,
    find_transcript,
    prune_transcripts,
    read_transcript,
)
from puna.agent.web import html_to_text, web_fetch
from puna.client.fields import Json
from puna.client.replies import ToolCall
from puna.errors import ClientError
from tests.fakes.pictures import Page, web


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file, a folder and links, beside a folder of others."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.txt").write_text("theirs")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa").write_text("key")
    place = tmp_path / "work"
    (place / "sub").mkdir(parents=True)
    (place / "a.txt").write_text("one\ntwo\nthree\n")
    (place / "out").symlink_to(tmp_path / "other")
    (place / "link.txt").symlink_to(place / "a.txt")
    (place / "pipe").symlink_to("/dev/zero")
    return place


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


@pytest.mark.parametrize(
    "path", [".git/hooks/pre-commit", "sub/.GIT/config", ".envrc", ".agents/skills/x/SKILL.md"]
)
def test_what_programs_run_unasked_is_asked_for_each_time(work: Path, path: str) -> None:
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_text("old")
    place = Workplace(Fence.around(work))
    approvals = Approvals(frozenset({"write", "edit"}))
    for name, arguments in (
        ("write", {"content": "new"}),
        ("edit", {"old_text": "old", "new_text": "new"}),
    ):
        wish = prepare(place, ToolCall(name, {"path": path, **arguments})).wish
        assert "(programs may run or obey what lies here)" in wish.text
        assert not approvals.allows(wish)
        approvals.decide([wish], asking(Choice.ALWAYS, []))
        assert not approvals.allows(wish)
    assert approvals.allows(prepare(place, ToolCall("write", {"path": "x", "content": ""})).wish)


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


READ = Wish("read", "Read a", "read", "read")
OUTSIDE = Wish("read", "Read /b")
RUN = Wish("bash", "Run ls", "bash ls", "this exact command")


def asking(choice: Choice, seen: list[list[Wish]]) -> Callable[..., Choice]:
    def ask(wishes: list[Wish], approvals: Approvals) -> Choice:
        seen.append(list(wishes))
        return choice

    return ask


def test_approvals_last_as_long_as_they_are_given_for() -> None:
    seen: list[list[Wish]] = []
    approvals = Approvals()
    assert approvals.decide([READ], asking(Choice.ONCE, seen))
    assert approvals.decide([READ, RUN], asking(Choice.ALWAYS, seen))
    assert approvals.decide([READ, RUN], asking(Choice.DENY, seen))  # is not asked
    assert not approvals.decide([Wish("bash", "", "bash ls -l")], asking(Choice.DENY, seen))
    assert not approvals.decide([READ, OUTSIDE], asking(Choice.DENY, seen))
    assert seen == [[READ], [READ, RUN], [Wish("bash", "", "bash ls -l")], [OUTSIDE]]
    approvals.set_full_access(True)
    assert approvals.decide([OUTSIDE], asking(Choice.DENY, seen))
    approvals.set_full_access(False)
    assert not approvals.decide([READ], asking(Choice.DENY, seen))


def test_a_command_is_allowed_as_it_is_and_where_it_is(work: Path) -> None:
    place = Workplace(Fence.around(work))

    def wish(command: str) -> Wish:
        return prepare(place, ToolCall("bash", {"command": command})).wish

    approvals = Approvals()
    assert approvals.decide([wish("git status")], asking(Choice.ALWAYS, []))
    assert approvals.allows(wish("git status"))
    for other in ("git status; rm a.txt", "git status ", "git status\nrm a.txt", "git  status"):
        assert not approvals.allows(wish(other))
    place.fence = place.fence.moved(work / "sub")
    assert not approvals.allows(wish("git status"))


def test_a_search_of_a_home_leaves_its_secrets_out(work: Path) -> None:
    place = Workplace(Fence.around(work.parent))
    assert call(place, "search", pattern="key|theirs") == "other/secret.txt:1: theirs"


def test_tools_that_a_flag_allows_are_not_asked_for_inside() -> None:
    approvals = Approvals(frozenset({"read"}))
    assert approvals.allows(READ)
    assert not approvals.allows(OUTSIDE)
    assert not approvals.allows(RUN)


def test_the_second_choice_says_what_it_covers() -> None:
    assert always_text([RUN]) == "Always allow this exact command"
    assert always_text([READ, READ]) == "Always allow read"
    assert always_text([READ, RUN]) == "Always allow these requests"
    assert always_text([OUTSIDE]) == ""


def test_nothing_hides_in_what_is_approved() -> None:
    assert visible("ls\x1b[2K\r\u202e;rm\ta\n") == "ls\\u001b[2K\\u000d\\u202e;rm\ta\n"


LONG = "x" * 50_000 + "y" * 50_000


@pytest.mark.parametrize(("window", "limit"), [(4096, 3200), (8192, 6000), (32768, 60_000)])
def test_results_are_cut_in_their_middle(window: int, limit: int) -> None:
    head, note, tail = cut_result(LONG, window).split("\n")
    assert (len(head), len(tail)) == (limit * 3 // 4, limit // 4)
    assert note == f"[about {(100_000 - limit) // 4} tokens omitted]"
    assert tail.endswith("y")
    assert cut_result("short", window) == "short"


def turns(count: int) -> list[Json]:
    said: list[Json] = []
    for number in range(count):
        said += [
            {"role": "user", "content": f"q{number}"},
            {"role": "assistant", "content": f"a{number}"},
        ]
    return said


def test_older_turns_become_a_summary() -> None:
    assert (is_due(799, 1000), is_due(800, 1000)) == (False, True)
    large = compacted(turns(5), "s" * 20_000, 32_768)
    assert [m["role"] for m in large[:2]] == ["assistant", "tool"]
    assert large[1]["tool_name"] == "summary"
    assert len(str(large[1]["content"])) == 16_384
    assert large[2:] == turns(5)[4:]
    small = compacted(turns(5), "s", 8192)
    assert [m["content"] for m in small] == ["q4", "", "s"]


def test_what_is_summarised_fits_the_window() -> None:
    said: list[Json] = [{"role": "user", "content": LONG} for _ in range(50)]
    request = summary_request(said, 8192)
    assert 1 < len(request) < 50
    assert len(json.dumps(request)) < 8192 * 4


def test_transcripts_are_private_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    transcript = Transcript.begin(folder, "m", Path("/w"))
    for message in turns(2):
        transcript.add(message)
    assert transcript.path is not None
    assert transcript.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    transcript.replace(turns(1))
    again = Transcript.resume(find_transcript(folder, "last", Path("/w")))
    again.add({"role": "assistant", "tool_calls": [{}]})
    with transcript.path.open("ab") as file:
        file.write(b'{"type": "mess')  # a kill in the middle of a line
    saved = read_transcript(find_transcript(folder, transcript.id, Path("/other")))
    assert (saved.model, saved.folder, saved.messages) == ("m", "/w", turns(1))
    with pytest.raises(ClientError, match="no conversation was held in /other"):
        find_transcript(folder, "last", Path("/other"))
    with pytest.raises(ClientError, match="there is no conversation"):
        find_transcript(folder, "../../etc/passwd", Path("/w"))


def test_transcripts_stop_at_their_size(tmp_path: Path) -> None:
    transcript = Transcript.begin(tmp_path, "m", Path("/w"))
    path = transcript.path
    assert path is not None
    for _ in range(3):
        transcript.add({"role": "user", "content": "x" * 6 * 1024 * 1024})
    assert path.stat().st_size < 16 * 1024 * 1024
    assert len(read_transcript(path).messages) == 2


def test_old_and_too_many_transcripts_go(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 3):
        (tmp_path / f"20260101-0000{number:02}-000abcd.jsonl").write_text("")
    (tmp_path / "mine.txt").write_text("")
    prune_transcripts(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0].startswith("20260101-000003")
    assert len(names) == MOST_FILES + 1
    newest = (tmp_path / names[0]).stat().st_mtime
    prune_transcripts(tmp_path, lambda: newest + 31 * 86400)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


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


def test_pages_become_text() -> None:
    page = """<!doctype html><html><head><title>T</title><script>x()</script></head><body>
    <h1>Head &amp; more</h1><p>one <b>two</b> <a href="https://a.example/">here</a></p>
    <style>p{}</style><ul><li>first<li>second</ul></body></html>"""
    assert html_to_text(page) == "Head & more\none two here (https://a.example/)\nfirst\nsecond"


def test_a_page_is_fetched() -> None:
    with web() as pages:
        pages.pages["/a"] = Page(b"<html><p>hi", headers={"Content-Type": "text/html; charset=x"})
        pages.pages["/c"] = Page(b"x", headers={"Content-Type": "image/png"})
        pages.pages["/b"] = Page(b"a" * 70_000, headers={"Content-Type": "text/plain"})
        assert web_fetch(pages.url("/a"), ("127.0.0.1",)) == "hi"
        assert web_fetch(pages.url("/b"), ("127.0.0.1",)).endswith("\n[10000 more characters]")
        with pytest.raises(Refused, match="the page was not fetched: it has another"):
            web_fetch(pages.url("/c"), ("127.0.0.1",))


def test_a_page_that_leads_to_another_host_is_not_fetched() -> None:
    """One host was allowed; what it leads to must be asked for."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with web() as pages:
        text = {"Content-Type": "text/plain"}
        pages.pages["/there"] = Page(b"", 302, {"Location": pages.url("/a", "two.example")})
        pages.pages["/near"] = Page(b"", 302, {"Location": "/a"})
        pages.pages["/a"] = Page(b"hi", headers=text)
        hosts = ("one.example", "two.example")
        assert web_fetch(pages.url("/near", "one.example"), hosts, resolve) == "hi"
        with pytest.raises(Refused, match=r"it leads to another host: http://two\.example:\d+/a"):
            web_fetch(pages.url("/there", "one.example"), hosts, resolve)
        assert len(pages.seen) == 3


def test_dropped_files_are_marks_that_expand_and_go_as_one() -> None:
    pastes = Pastes()
    marks = [pastes.fold_file("/a.wav", "Audio"), pastes.fold_file("/b.png", "Image")]
    marks.append(pastes.fold_file("/c.mp3", "Audio"))
    assert marks == ["[Audio #0]", "[Image #0]", "[Audio #1]"]
    line = f"hear {marks[0]}{marks[2]} and [Audio #7]"
    assert pastes.expand(line) == "hear /a.wav/c.mp3 and [Audio #7]"
    assert pastes.mark_before(line, line.index("]") + 1) == len(marks[0])
