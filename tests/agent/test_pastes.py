"""Marks in a line for what was dropped on it."""

from __future__ import annotations

from puna.agent.pastes import Pastes


def test_dropped_files_are_marks_that_expand_and_go_as_one() -> None:
    pastes = Pastes()
    marks = [pastes.fold_file("/a.wav", "Audio"), pastes.fold_file("/b.png", "Image")]
    marks.append(pastes.fold_file("/c.mp3", "Audio"))
    assert marks == ["[Audio #0]", "[Image #0]", "[Audio #1]"]
    line = f"hear {marks[0]}{marks[2]} and [Audio #7]"
    assert pastes.expand(line) == "hear /a.wav/c.mp3 and [Audio #7]"
    assert pastes.mark_before(line, line.index("]") + 1) == len(marks[0])
