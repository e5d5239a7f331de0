"""Modes that several families share: thoughts between tags, then content with calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from puna.prompt.parsers.family import Kind, Mode, Reader, Turn
from puna.prompt.parsers.watching import watch_json
from puna.prompt.thinking import SPACE

__all__ = ["array_call", "at_content", "begins", "tagged_call", "tagged_json", "thinks_first"]

CALL_GAP = SPACE + ",;"

Modes = dict[str, Mode]


def tagged_call(opening: str, closing: str, read: Reader, *, trims: bool = True) -> Modes:
    """Content with calls between two tags."""
    return {
        "content": Mode(Kind.CONTENT, {opening: "call"}, trims=trims),
        "call": Mode(Kind.CALL, {closing: "content"}, read=read),
    }


def tagged_json(opening: str, closing: str, read: Reader) -> Modes:
    """Likewise, with calls that are JSON."""
    call = Mode(Kind.CALL, {closing: "content"}, read=read, watch=watch_json(), has_strings=True)
    return {**tagged_call(opening, closing, read), "call": call}


def array_call(
    openings: tuple[str, ...], closing: str, read: Reader, *, trims: bool = True
) -> Modes:
    """Content with calls in a JSON array after a tag; each comes out as it is complete."""
    ends = {closing: "content"} if closing else {"]": "content"}
    return {
        "content": Mode(Kind.CONTENT, dict.fromkeys(openings, "array"), trims=trims),
        "array": Mode(Kind.GAP, {"{": "call", **ends}, blank=CALL_GAP + "[]"),
        "call": Mode(Kind.CALL, then="array", read=read, watch=watch_json()),
    }


def thinks_first(
    modes: Mapping[str, Mode],
    tags: tuple[str, str] = ("<think>", "</think>"),
    *,
    skips_opening: bool = True,
    cuts: tuple[str, ...] = (),
) -> Modes:
    """The modes, after thoughts. `begin` looks whether there are any, `opened` takes it for sure,
    where the opening tag may come once more (`skips_opening`). `cuts` are tags of content that end
    thoughts as well.
    """
    opening, closing = tags
    ends = {tag: modes["content"].tags[tag] for tag in cuts}
    thinking = Mode(Kind.THINKING, {closing: "content", **ends})
    return {
        **modes,
        "thinking": thinking,
        "begin": Mode(Kind.CONTENT, {opening: "thinking"}, otherwise="content", trims=False),
        "opened": Mode(Kind.THINKING, {opening: "thinking"}, otherwise="thinking")
        if skips_opening
        else thinking,
    }


def begins(is_thinking: Callable[[Turn], bool]) -> Callable[[Turn], str]:
    """Where an answer starts: with thoughts where the prompt opened them, or the family says so."""

    def start(turn: Turn) -> str:
        if turn.opens_thinking is None:
            return "opened" if is_thinking(turn) else "content"
        if not turn.think:
            return "content"
        return "opened" if turn.opens_thinking else "begin"

    return start


def at_content(turn: Turn) -> str:
    """Where an answer starts that has no thoughts."""
    return "content"
