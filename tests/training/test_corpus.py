"""The corpus: the same from the same seed, and never a word of what is held out."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from functools import cache

import pytest

from training.cria.chat import BEGIN, END, pieces, prompt
from training.cria.corpus import (
    arithmetic,
    dialogue,
    facts,
    lexicon,
    stories,
    structured,
    tool_tasks,
    world,
)
from training.cria.corpus.everyday_tools import argument_names, everyday
from training.cria.corpus.held_words import HELD_NAMES, HELD_SUBJECTS, HELD_THINGS, HELD_WORDS
from training.cria.corpus.mix import MIX, questions, sample
from training.cria.corpus.phrasing import normal
from training.cria.corpus.puna_entities import ENTITIES
from training.cria.corpus.puna_plain import PLAIN
from training.cria.corpus.sample import Question, Sample
from training.cria.corpus.tool_words import HELD, REAL, REAL_HELD, TRAIN
from training.cria.corpus.words import NAMES

COUNT = 20_000


@cache
def samples() -> list[Sample]:
    return [sample(1, number) for number in range(COUNT)]


@cache
def asked() -> list[str]:
    """What users say in training."""
    return [t.text for s in samples() for t in s.turns if t.role == "user"]


@cache
def held() -> list[Question]:
    return questions(0)


def test_the_same_seed_gives_the_same_samples() -> None:
    assert [sample(3, n).key() for n in range(300)] == [sample(3, n).key() for n in range(300)]
    assert [sample(3, n).key() for n in range(50)] != [sample(4, n).key() for n in range(50)]


def test_the_same_seed_gives_the_same_questions() -> None:
    assert questions(5) == questions(5)


@pytest.mark.parametrize("skill", MIX)
def test_every_skill_is_drawn_with_and_without_thinking(skill: str) -> None:
    drawn = [s for s in samples() if s.skill == skill]
    assert len(drawn) > COUNT / 60
    assert {s.think for s in drawn} == {True, False}


def test_there_are_enough_facts_and_questions() -> None:
    assert 2 * len(ENTITIES) + len(PLAIN) >= 180
    assert sum(q.skill.startswith("puna") for q in held()) >= 150


def test_no_held_out_question_is_ever_asked_in_training() -> None:
    # sums may be worded alike, their numbers differ; tools are told apart by their words below
    said = {normal(text) for text in asked()}
    new = [q for q in held() if q.skill.split(",")[0] in ("puna", "world", "sums", "limits")]
    repeated = [q.turns[-1].text for q in new if normal(q.turns[-1].text) in said]
    # "Explain X" is an allowed frame for a known topic; the words of a question must differ
    assert repeated == []


@pytest.mark.parametrize(
    "templates",
    [
        facts.HELD_TEMPLATES,
        world.HELD_TEMPLATES,
        stories.HELD_TEMPLATES,
        structured.HELD_TEMPLATES,
        dialogue.HELD_TEMPLATES,
    ],
)
def test_held_out_templates_are_never_used(templates: tuple[str, ...]) -> None:
    said = "\n".join(asked()).lower()
    for template in templates:
        parts = [re.escape(part.lower()) for part in re.split(r"\{\w*\}", template)]
        assert not re.search("^" + ".{1,80}".join(parts) + "$", said, re.MULTILINE), template


def _blank(template: str) -> str:
    """A template without what tells its slots apart."""
    return normal(re.sub(r"\{\w*\}", " 0 ", template))


@pytest.mark.parametrize(
    ("trained", "held_out"),
    [
        (arithmetic.TEMPLATES, arithmetic.HELD_TEMPLATES),
        (tool_tasks.TEMPLATES, tool_tasks.HELD_TEMPLATES),
        ([a for t in everyday() for a in t.asks], [a for t in REAL_HELD for a in t.asks]),
    ],
    ids=["sums", "made-up tools", "tools"],
)
def test_training_is_worded_unlike_what_is_held_out(
    trained: Sequence[str], held_out: Sequence[str]
) -> None:
    assert {_blank(t) for t in trained}.isdisjoint(_blank(t) for t in held_out)


def test_held_out_wishes_are_never_said() -> None:
    said = "\n".join(normal(text) for text in asked())
    assert [text for text in facts.held_texts() if normal(text) in said] == []


def test_held_out_pairs_are_never_computed() -> None:
    pattern = re.compile(r"(\d+) ?([+-]) ?(\d+) = \d")
    for made in samples():
        if made.skill in ("sums", "reasoning", "long", "dialogue"):
            for a, _, b in pattern.findall(made.answer.text):
                if min(int(a), int(b)) >= 10:
                    assert not arithmetic.is_held_pair(int(a), int(b)), made.answer.text


def test_held_out_words_are_never_said() -> None:
    text = "\n".join(turn.text for made in samples() for turn in made.turns)
    words = set(re.findall(r"[A-Za-z]+", text))
    assert words.isdisjoint(HELD_NAMES)
    assert words.isdisjoint(HELD_THINGS)
    assert set(HELD_NAMES).isdisjoint(NAMES)
    assert [subject for subject in HELD_SUBJECTS if re.search(rf"\b{subject}\b", text)] == []


def test_held_out_tools_share_no_word_with_training() -> None:
    assert set(TRAIN.verbs).isdisjoint(HELD.verbs)
    assert set(TRAIN.nouns).isdisjoint(HELD.nouns)
    trained = {name for names in TRAIN.args.values() for name in names}
    assert trained.isdisjoint(name for names in HELD.args.values() for name in names)
    assert {n for row in REAL for n in row.names}.isdisjoint(n for r in REAL_HELD for n in r.names)


def test_word_lists_are_read_without_held_out_words() -> None:
    lists = (lexicon.nouns(), lexicon.verbs(), lexicon.adjectives(), lexicon.first_names())
    words = {word.lower() for each in (*lists, lexicon.towns()) for word in each}
    assert words.isdisjoint(HELD_WORDS)
    assert {name for name, _ in argument_names()}.isdisjoint(HELD_WORDS)
    rng = random.Random(5)
    assert HELD_WORDS.isdisjoint(lexicon.pseudo_word(rng) for _ in range(20_000))


def test_the_tables_name_known_facts_only() -> None:
    assert set(lexicon.sections("puna_asks")) == {fact.topic for fact in PLAIN}
    named = {f"{entity.kind} {entity.name}" for entity in ENTITIES}
    assert set(lexicon.sections("puna_wishes")) == named


def test_everyday_tools_are_whole() -> None:
    assert len(everyday()) > 100
    names = {name for tool in everyday() for name in tool.names}
    assert names.isdisjoint(name for tool in REAL_HELD for name in tool.names)


def test_a_tool_question_holds_the_values_of_its_call() -> None:
    for question in held():
        if question.check["kind"] == "call":
            arguments = question.check["arguments"]
            assert isinstance(arguments, dict)
            for value in arguments.values():
                spelt = json.dumps(value) if isinstance(value, bool) else str(value)
                assert spelt in question.turns[-1].text


def test_a_request_in_training_holds_the_values_of_its_calls() -> None:
    drawn = [s for s in samples() if s.skill == "tools"]
    for made in drawn:
        for at, turn in enumerate(made.turns):
            for call in turn.calls:
                for value in call.arguments.values():
                    spelt = json.dumps(value) if isinstance(value, bool) else str(value)
                    assert spelt in made.turns[at - 1].text


def test_sums_come_with_borrowing_and_with_small_differences() -> None:
    rng = random.Random(2)
    texts = [arithmetic.make(rng, think=False).answer.text for _ in range(4000)]
    found = [re.fullmatch(r"(\d+) - (\d+) = (\d+)", text) for text in texts]
    pairs = [(int(m[1]), int(m[2])) for m in found if m]
    assert sum(a - b < 10 for a, b in pairs) > 0.25 * len(pairs)
    assert sum(a % 10 < b % 10 for a, b in pairs) > 0.45 * len(pairs)
    assert any(a == b for a, b in pairs)


def test_rendered_samples_have_their_marks_and_fit() -> None:
    for made in samples()[:2000]:
        parts = pieces(made)
        text = "".join(part.text for part in parts)
        assert text.startswith(BEGIN)
        assert text.endswith(END)
        assert parts[-1].learnt
        # the tokenizer takes 3.5 characters a token and more; training cuts at 2,048 tokens
        assert len(text) < 9000


def test_what_is_served_is_what_is_trained() -> None:
    for made in samples()[:500]:
        text = "".join(part.text for part in pieces(made))
        assert text.startswith(prompt(made))


def test_thoughts_are_learnt_only_where_thinking_is_on() -> None:
    for made in samples()[:2000]:
        text = "".join(part.text for part in pieces(made))
        assert ("<think>" in text) == made.think == ("</think>" in text)
        assert bool(made.answer.thought) or not made.think
