"""What is asked before a call, and for how long an answer counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from puna.agent.approvals import Approvals, Choice, Wish, always_text, visible
from puna.agent.fence import Fence
from puna.agent.tools import Workplace, prepare
from puna.client.replies import ToolCall

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
