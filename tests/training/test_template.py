"""The chat template: Puna's own rendering equals the one cria is trained with."""

from __future__ import annotations

from puna.api.requests import Message, ToolCall
from puna.prompt.jinja import ChatTemplate
from puna.prompt.thinking import TAGS, tags_of
from training.cria.chat import TEMPLATE_FILE, prompt
from training.cria.corpus.mix import questions
from training.cria.corpus.sample import Question, Sample, Turn


def _of_puna(question: Question) -> str:
    messages = []
    for turn in question.turns:
        calls = [
            ToolCall(function={"name": c.name, "arguments": c.arguments})  # type: ignore[arg-type]
            for c in turn.calls
        ]
        messages.append(Message(role=turn.role, content=turn.text, tool_calls=calls))
    return ChatTemplate.compile(TEMPLATE_FILE.read_text()).render(
        messages,
        tools=[tool.declared() for tool in question.tools],
        bos="<|begin|>",
        eos="<|end|>",
        think=question.think,
    )


def test_puna_renders_what_training_renders() -> None:
    for question in questions(0, small=True):
        if any(turn.calls for turn in question.turns):
            continue
        turns = (*question.turns, Turn("assistant", ""))
        made = Sample(question.skill, turns, question.tools, question.think)
        assert _of_puna(question) == prompt(made)


def test_the_template_tells_that_cria_thinks_and_calls_tools() -> None:
    text = TEMPLATE_FILE.read_text()
    assert tags_of(text) == TAGS
    assert "tool_calls" in text
    assert "<tool_call>" in text
