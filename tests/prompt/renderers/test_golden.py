"""Whole chats in the format of every renderer. `python -m tests.prompt.renderers.test_golden`
writes the files again.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from puna.prompt.renderers import RENDERERS, render
from puna.prompt.renderers.chat import Chat
from puna.prompt.renderers.glimmer import render as render_glimmer
from puna.prompt.renderers.tools import parse_tool
from tests.prompt.renderers.chats import CHATS

FOLDER = Path(__file__).parent / "golden"
NAMES = sorted(RENDERERS.keys() - {"deepseek3"})


def all_chats(name: str) -> str:
    """The prompts of all chats, each under its title."""
    return "".join(f"##### {title}\n{one_chat(name, title)}\n" for title in CHATS)


def one_chat(name: str, title: str) -> str:
    messages, tools, think = CHATS[title]
    if name != "glimmer":
        return render(name, messages, tools=tools, think=think)
    chat = Chat(messages, [parse_tool(tool) for tool in tools], think)
    return render_glimmer(chat, lambda: datetime(2030, 1, 2))


@pytest.mark.parametrize("name", NAMES)
def test_prompts_are_as_they_were(name: str) -> None:
    assert all_chats(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_file_has_its_renderer() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == NAMES


def test_every_renderer_is_in_the_manual() -> None:
    page = (FOLDER.parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
    section = page.partition("## Renderers\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z][a-z0-9.-]+)`", section))
    assert named == {*RENDERERS, "gemma4"}


if __name__ == "__main__":
    for each in NAMES:
        (FOLDER / f"{each}.txt").write_text(all_chats(each), encoding="utf-8")
