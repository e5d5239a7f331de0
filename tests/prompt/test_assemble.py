"""Which messages make up a prompt, and what is left out of a long chat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.api.fields import MediaData
from puna.api.requests import Message
from puna.prompt.assemble import (
    assemble_chat,
    assemble_generate,
    drop_old_thinking,
    fit_messages,
    forgets_thinking,
)


def chat(text: str) -> list[Message]:
    """Messages from words such as `u1`, `a2`, `s3`, `t4`: the letter is the role."""
    roles = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    return [Message(role=roles[word[0]], content=word) for word in text.split()]


def words(messages: list[Message]) -> str:
    return " ".join(message.content for message in messages)


class Engine:
    """Renders words with blanks between them, counts a token a word, and counts its calls."""

    def __init__(self) -> None:
        self.rendered: list[str] = []
        self.counted: list[str] = []

    async def render(self, messages: list[Message]) -> str:
        self.rendered.append(words(messages))
        return self.rendered[-1]

    async def count(self, prompt: str, images: Sequence[MediaData]) -> int:
        self.counted.append(prompt)
        return len(prompt.split())

    def fit(self, text: str, limit: int) -> str:
        prompt = asyncio.run(fit_messages(chat(text), self.render, self.count, limit))
        assert prompt.is_cut == (len(prompt.text.split()) < len(text.split()))
        return prompt.text


FITS = {
    "everything": ("s1 u2 a3 u4", 4, "s1 u2 a3 u4"),
    "the oldest goes": ("s1 u2 a3 u4", 3, "s1 a3 u4"),
    "only system and last": ("s1 u2 a3 u4", 2, "s1 u4"),
    "nothing fits": ("s1 u2 a3 u4", 1, "s1 u4"),
    "no system": ("u1 a2 u3", 1, "u3"),
    "a result may lose its call": ("u1 a2 t3 u4", 2, "t3 u4"),
    "a kept system message stays in place": ("u1 a2 s3 u4", 3, "a2 s3 u4"),
    "one that is passed moves to the front": ("s1 u2 s3 a4 u5", 4, "s1 s3 a4 u5"),
    "system messages alone": ("s1 s2", 1, "s1 s2"),
    "one message is never counted out": ("u1", 0, "u1"),
}


@pytest.mark.parametrize(("text", "limit", "kept"), FITS.values(), ids=FITS)
def test_the_longest_end_that_fits(text: str, limit: int, kept: str) -> None:
    assert Engine().fit(text, limit) == kept


def test_a_chat_that_fits_is_counted_once() -> None:
    engine = Engine()
    engine.fit("s1 u2 a3 u4", 4)
    assert len(engine.counted) == len(engine.rendered) == 1


def test_a_single_message_is_not_counted() -> None:
    engine = Engine()
    engine.fit("u1", 100)
    assert engine.counted == []


def by_the_book(messages: list[Message], limit: int, sizes: dict[str, int]) -> str:
    """The rule of the spec, word for word."""
    for start in range(len(messages)):
        kept = [m for m in messages[:start] if m.role == "system"] + messages[start:]
        if sum(sizes[m.content] for m in kept) <= limit:
            return words(kept)
    return words([m for m in messages[:-1] if m.role == "system"] + messages[-1:])


@given(
    st.lists(st.tuples(st.sampled_from("usat"), st.integers(-3, 9)), min_size=1, max_size=8),
    st.integers(0, 30),
)
def test_first_fit_as_the_spec_has_it(drawn: list[tuple[str, int]], limit: int) -> None:
    # sizes below zero: leaving a message out may make a prompt longer
    sizes = {f"{role}{at}": size for at, (role, size) in enumerate(drawn)}
    messages = chat(" ".join(sizes))

    async def render(kept: list[Message]) -> str:
        return words(kept)

    async def count(prompt: str, images: Sequence[MediaData]) -> int:
        return sum(sizes[word] for word in prompt.split())

    made = asyncio.run(fit_messages(messages, render, count, limit))
    assert made.text == by_the_book(messages, limit, sizes)
    assert made.is_cut == (len(made.text.split()) < len(messages))


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from("usat"), st.integers(0, 9)), min_size=40, max_size=200),
    st.integers(0, 900),
)
def test_a_long_chat_is_cut_by_the_same_rule(drawn: list[tuple[str, int]], limit: int) -> None:
    sizes = {f"{role}{at}": size for at, (role, size) in enumerate(drawn)}
    messages = chat(" ".join(sizes))
    asked = 0

    async def render(kept: list[Message]) -> str:
        nonlocal asked
        asked += 1
        return words(kept)

    async def count(prompt: str, images: Sequence[MediaData]) -> int:
        return sum(sizes[word] for word in prompt.split())

    made = asyncio.run(fit_messages(messages, render, count, limit))
    assert made.text == by_the_book(messages, limit, sizes)
    assert asked <= 16 + 2 * 8, "the prompt is not made once for each message"


def test_a_last_message_that_is_too_long_is_found_out_at_once() -> None:
    engine = Engine()
    engine.fit(" ".join(f"u{at}" for at in range(1000)), 0)
    assert len(engine.rendered) == 2


CHATS = {
    "model's system in front": ("s0", "u1 a2", "u3", "s0 u1 a2 u3"),
    "the request has its own": ("s0", "u1 a2", "s3 u4", "u1 a2 s3 u4"),
    "a later one does not count": ("s0", "", "u1 s2 u3", "s0 u1 s2 u3"),
    "no system at all": ("", "", "u1", "u1"),
    "no messages in the request": ("s0", "u1", "", "s0 u1"),
}


@pytest.mark.parametrize(("system", "stored", "sent", "made"), CHATS.values(), ids=CHATS)
def test_chats(system: str, stored: str, sent: str, made: str) -> None:
    assert words(assemble_chat(system, chat(stored), chat(sent))) == made


GENERATES = {
    "model's": ("s0", "", False, "s0 u1 a2 hi"),
    "the request's": ("s0", "s9", False, "s9 u1 a2 hi"),
    "with a context": ("s0", "", True, "s0 hi"),
    "none": ("", "", False, "u1 a2 hi"),
}


@pytest.mark.parametrize(("model", "sent", "context", "made"), GENERATES.values(), ids=GENERATES)
def test_generate_requests(model: str, sent: str, context: bool, made: str) -> None:
    messages = assemble_generate(
        model, chat("u1 a2"), "hi", system=sent, images=[MediaData(b"i")], has_context=context
    )
    assert words(messages) == made
    assert (messages[-1].role, messages[-1].images) == ("user", [b"i"])


def test_old_thinking_goes_and_the_rest_stays() -> None:
    old, new = "<think>x</think>\n\ny", "<think>z</think>w"
    messages = [
        Message(role="user", content=old),
        Message(role="assistant", content=old, tool_call_id="kept"),
        Message(role="assistant", content=f"a{old}"),
        Message(role="assistant", content="<think>cut off"),
        Message(role="user", content="q"),
        Message(role="assistant", content=new),
    ]
    made = drop_old_thinking(messages)
    assert [m.content for m in made] == [old, "y", f"a{old}", "", "q", new]
    assert made[1].tool_call_id == "kept"
    assert messages[1].content == old


def test_without_a_user_message_nothing_is_old() -> None:
    messages = [Message(role="assistant", content="<think>x</think>y")]
    assert drop_old_thinking(messages) == messages


FORGETFUL = {
    "qwen3": ("qwen3", "anything", True),
    "deepseek-r1": ("qwen2", "deepseek-r1", True),
    "others": ("llama", "llama3.2", False),
}


@pytest.mark.parametrize(("family", "model", "yes"), FORGETFUL.values(), ids=FORGETFUL)
def test_who_forgets(family: str, model: str, yes: bool) -> None:
    assert forgets_thinking(family, model) is yes
