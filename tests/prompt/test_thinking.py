"""Reasoning and answer told apart, however the text is cut (prompting spec, 5.3)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from puna.api.events import Content, Logprob, Thinking
from puna.prompt.thinking import TAGS, Piece, ThinkingSplitter, starts_inside, tags_of


def run(pieces: list[str], *, inside: bool = False) -> tuple[str, str]:
    """Thinking and content of a text that comes in these pieces."""
    splitter = ThinkingSplitter(*TAGS, starts_inside=inside)
    made = [piece for text in pieces for piece in splitter.push(text)] + splitter.flush()
    thinking = "".join(piece.text for piece in made if isinstance(piece, Thinking))
    content = "".join(piece.text for piece in made if isinstance(piece, Content))
    return thinking, content


CASES = {
    "both": ("<think>a</think>b", ("a", "b")),
    "white space before the tag": (" \n<think>a</think>b", ("a", "b")),
    "white space after the tags": ("<think>\n a \n</think>\n\n b ", ("a \n", "b ")),
    "a blank that only Unicode knows": ("<think>\u00a0\u3000a</think>\u0085b", ("a", "b")),
    "a separator that Go does not know": ("<think>\x1ca</think>\x1cb", ("\x1ca", "\x1cb")),
    "text first": ("x<think>a</think>", ("", "x<think>a</think>")),
    "no tags keeps its white space": ("\n x ", ("", "\n x ")),
    "nearly a tag": (" <thin>a", ("", " <thin>a")),
    "nearly the closing tag": ("<think>a</thing></think>b", ("a</thing>", "b")),
    "a second opening tag is text": ("<think>a<think>b</think>c", ("a<think>b", "c")),
    "later tags are text": ("<think>a</think>b<think>c</think>", ("a", "b<think>c</think>")),
    "no thought": ("<think>\n\n</think>\n\nb", ("", "b")),
    "never closed": ("<think>a", ("a", "")),
    "closed in part": ("<think>a</th", ("a</th", "")),
    "opened in part": (" <thi", ("", " <thi")),
    "white space alone": (" \n ", ("", "")),
    "nothing": ("", ("", "")),
}


@pytest.mark.parametrize(("text", "split"), CASES.values(), ids=CASES)
def test_whole_and_letter_by_letter(text: str, split: tuple[str, str]) -> None:
    assert run([text]) == split
    assert run(list(text)) == split


def test_a_prompt_that_opened_the_tag() -> None:
    assert run(["\n a</think>\n b"], inside=True) == ("a", "b")
    assert run(["<think>a</think>b"], inside=True) == ("<think>a", "b")


TEXTS = st.lists(
    st.sampled_from([*TAGS, "<", "</", "think", ">", " ", "\n", "a", "b", "<thi", "</thi", "é"])
).map("".join)


@given(TEXTS, st.lists(st.integers(0, 60)), st.booleans())
@example("<think>a</think>b", [3, 9], False)
def test_cuts_do_not_matter(text: str, cuts: list[int], inside: bool) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert run(pieces, inside=inside) == run([text], inside=inside)


@given(TEXTS, st.booleans())
def test_only_white_space_and_tags_are_lost(text: str, inside: bool) -> None:
    """60"""
    thinking, content = run([text], inside=inside)
    rest = text.removeprefix(text[: len(text) - len(text.lstrip())] + TAGS[0])
    given_back = "".join((thinking + content).split())
    assert given_back in {
        "".join(each.split()) for each in (text, rest, rest.replace(TAGS[1], "", 1))
    } | {"".join(text.replace(TAGS[1], "", 1).split())}


def test_thoughts_are_not_held_longer_than_a_tag_needs() -> None:
    splitter = ThinkingSplitter(*TAGS)
    steps = [splitter.push(text) for text in ("<think>", "a</th", "ing", " b</think>", "\n", "c")]
    assert steps == [
        [],
        [Thinking("a")],
        [Thinking("</thing")],
        [Thinking(" b")],
        [],
        [Content("c")],
    ]


def logprobs_of(pieces: list[Piece]) -> list[str]:
    return [entry.token for piece in pieces for entry in piece.logprobs]


@given(st.lists(TEXTS, max_size=6))
def test_log_probabilities_come_out_with_their_push(texts: list[str]) -> None:
    splitter = ThinkingSplitter(*TAGS)
    for at, text in enumerate(texts):
        carried = (Logprob(token=str(at), logprob=-1.0),)
        assert logprobs_of(splitter.push(text, carried)) == [str(at)]
    assert logprobs_of(splitter.flush()) == []


def test_log_probabilities_of_a_held_text_ride_on_an_empty_piece() -> None:
    splitter = ThinkingSplitter(*TAGS)
    one = (Logprob(token="x", logprob=-1.0),)
    assert splitter.push("<th", one) == [Content("", one)]
    assert splitter.push("ink>a", one) == [Thinking("a", one)]
    assert splitter.push("</", one) == [Thinking("", one)]


TEMPLATES = {
    "both tags": ("{{ '<think>' ~ x ~ '</think>' }}", True),
    "content is split": ("{{ message.content.split('</think>')[-1] }}", True),
    "content is split, double quotes": ('{{ content.split( "</think>" )[-1] }}', True),
    "split, but reasoning is a field": (
        "{{ content.split('</think>')[-1] }}{{ m.reasoning_content }}",
        False,
    ),
    "both tags and a field": ("<think>{{ m.reasoning_content }}</think>", True),
    "the closing tag is only mentioned": ("{{ '</think>' }}", False),
    "none": ("{{ messages }}", False),
}


@pytest.mark.parametrize(("template", "yes"), TEMPLATES.values(), ids=TEMPLATES)
def test_tags_are_read_off_the_template(template: str, yes: bool) -> None:
    assert tags_of(template) == (TAGS if yes else None)


def test_a_prompt_may_end_with_the_opening_tag() -> None:
    assert starts_inside("assistant\n<think>\n ", "<think>")
    assert not starts_inside("<think>\n\n</think>\n\n", "<think>")
