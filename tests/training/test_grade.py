"""The graders: what they let pass and what they do not."""

from __future__ import annotations

import pytest

from training.cria.answers import parse_answer
from training.cria.corpus.facts import (
    default_answer,
    how_answer,
    key_question,
    name_key,
    what_answer,
)
from training.cria.corpus.puna_entities import ENTITIES
from training.cria.corpus.puna_plain import PLAIN
from training.cria.corpus.sample import Json, Question, Turn
from training.cria.eval import interval, table
from training.cria.grade import Answer, is_right

WORDS: dict[str, Json] = {"kind": "words", "groups": [["delete", "remove"], ["disk"]]}
CALL: dict[str, Json] = {"kind": "call", "name": "rain", "arguments": {"city": "Oslo", "n": 2}}
STORY: dict[str, Json] = {"kind": "story", "subject": "otter"}
RHYME: dict[str, Json] = {"kind": "rhyme", "subject": "sofa"}
OBJECT: dict[str, Json] = {"kind": "json", "value": {"a": 1}}

CASES: dict[str, tuple[dict[str, Json], Answer, bool]] = {
    "all groups said": (WORDS, Answer("It deletes a model from disk."), True),
    "one group missing": (WORDS, Answer("It deletes a model."), False),
    "a word's middle is no word": (WORDS, Answer("undelete disk"), False),
    "a refusal knows nothing": (WORDS, Answer("I don't know: delete, disk"), False),
    "the last number counts": ({"kind": "number", "value": 85}, Answer("42 + 43 = 85"), True),
    "another number": ({"kind": "number", "value": 85}, Answer("42 + 43 = 84"), False),
    "no number": ({"kind": "number", "value": 85}, Answer("eighty-five"), False),
    "the first number": ({"kind": "first_number", "value": 9}, Answer("9 is bigger than 4"), True),
    "the first number wrong": ({"kind": "first_number", "value": 9}, Answer("4 < 9"), False),
    "refused": ({"kind": "refusal"}, Answer("I don't know that."), True),
    "not refused": ({"kind": "refusal"}, Answer("It is a bird."), False),
    "the call": (CALL, Answer("", calls=(("rain", {"n": 2, "city": "Oslo"}),)), True),
    "another argument": (CALL, Answer("", calls=(("rain", {"n": 3, "city": "Oslo"}),)), False),
    "another name": (CALL, Answer("", calls=(("snow", {"n": 2, "city": "Oslo"}),)), False),
    "two calls": (CALL, Answer("", calls=(("rain", {"n": 2}), ("rain", {"n": 2}))), False),
    "no call": (CALL, Answer("It rains."), False),
    "none wanted": ({"kind": "no_call"}, Answer("Hello!"), True),
    "none wanted, one made": ({"kind": "no_call"}, Answer("", calls=(("rain", {}),)), False),
    "said": ({"kind": "said", "text": "It is 4."}, Answer("It is 4."), True),
    "said otherwise": ({"kind": "said", "text": "It is 4."}, Answer("It is 5."), False),
    "the JSON": (OBJECT, Answer('{"a": 1}'), True),
    "more JSON": (OBJECT, Answer('{"a": 1, "b": 2}'), False),
    "broken JSON": (OBJECT, Answer('{"a": 1'), False),
    "a story": (STORY, Answer("An otter sat. It ran. It fell. It rose. It slept."), True),
    "another subject": (STORY, Answer("A fox sat. It ran. It fell. It rose. It slept."), False),
    "a story in circles": (STORY, Answer("An otter sat. It ran. It ran. It ran. Bye."), False),
    "an unfinished story": (STORY, Answer("An otter sat. It ran. It fell. It rose. It"), False),
    "a rhyme": (RHYME, Answer("A sofa\nb\nc\nd"), True),
    "a rhyme of three lines": (RHYME, Answer("A sofa\nb\nc"), False),
}


@pytest.mark.parametrize(("check", "answer", "right"), CASES.values(), ids=CASES)
def test_answers_are_graded(check: dict[str, Json], answer: Answer, right: bool) -> None:
    question = Question("test", (Turn("user", "?"),), check)
    assert is_right(question, answer) is right


def test_a_thought_must_come_exactly_when_asked_for() -> None:
    silent = Question("test", (Turn("user", "?"),), {"kind": "refusal"})
    thinking = Question("test", (Turn("user", "?"),), {"kind": "refusal"}, think=True)
    assert is_right(thinking, Answer("I don't know.", "Hm."))
    assert not is_right(thinking, Answer("I don't know."))
    assert not is_right(silent, Answer("I don't know.", "Hm."))


def test_answers_are_taken_apart() -> None:
    call = '<tool_call>\n{"name": "rain", "arguments": {"city": "Oslo"}}\n</tool_call>'
    assert parse_answer(f"A tool.\n</think>\n\n{call}", thinking=True) == Answer(
        "", "A tool.\n", (("rain", {"city": "Oslo"}),)
    )
    assert parse_answer("Hello!", thinking=False) == Answer("Hello!")


def test_a_broken_call_stays_text() -> None:
    text = '<tool_call>\n{"name": "rain"}\n</tool_call>'
    assert parse_answer(text, thinking=False) == Answer(text)


def test_the_table_counts() -> None:
    question = Question("sums", (Turn("user", "?"),), {"kind": "refusal"})
    marked = [(question, True), (question, False)]
    assert "| sums | 1 | 2 | 50.0 % | 9-91 % | 95 % |" in table(marked)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (85, 100, 0.7672, 0.9069)],
)
def test_the_interval_is_wilsons(right: int, count: int, low: float, high: float) -> None:
    assert interval(right, count) == pytest.approx((low, high), abs=1e-4)


def test_the_answers_of_training_are_right() -> None:
    """A held-out question is graded by what training answers, so that must pass."""
    pairs = [(fact.key, fact.answer) for fact in PLAIN]
    for entity in ENTITIES:
        pairs.append((entity.key, what_answer(entity)))
        pairs.append((name_key(entity), how_answer(entity)))
        if entity.default:
            pairs.append((entity.default, default_answer(entity)))
    wrong = [pair for pair in pairs if not is_right(key_question("?", [pair[0]]), Answer(pair[1]))]
    assert wrong == []
