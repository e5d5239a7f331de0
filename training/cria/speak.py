"""Greedy answers of a checkpoint, and an answer's text taken apart. Needs torch."""

from __future__ import annotations

from pathlib import Path

import torch

from training.cria.answers import parse_answer
from training.cria.chat import END, prompt
from training.cria.corpus.sample import Question, Sample, Turn
from training.cria.grade import Answer
from training.cria.tokenizer import CONTEXT, load_tokenizer
from training.cria.train import load_checkpoint

__all__ = ["Speaker"]

_MOST_TOKENS = 220


class Speaker:
    """A checkpoint with the tokenizer beside it."""

    def __init__(self, checkpoint: Path) -> None:
        self.model = load_checkpoint(checkpoint)
        self.tokenizer = load_tokenizer(checkpoint.parent / "tokenizer.json")
        self.end = self.tokenizer.token_to_id(END)

    def answer(self, question: Question) -> Answer:
        """The answer at temperature 0."""
        turns = (*question.turns, Turn("assistant", ""))
        text = prompt(Sample(question.skill, turns, question.tools, question.think))
        return parse_answer(self.go_on(text), thinking=question.think)

    @torch.no_grad()
    def go_on(self, text: str) -> str:
        """What the model writes after a prompt, up to its end token."""
        numbers = self.tokenizer.encode(text, add_special_tokens=False).ids
        hidden, store = self.model.step(torch.tensor([numbers[-CONTEXT + _MOST_TOKENS :]]), None)
        said: list[int] = []
        while len(said) < _MOST_TOKENS:
            best = int(self.model.logits(hidden[:, -1]).argmax())
            if best == self.end:
                break
            said.append(best)
            hidden, store = self.model.step(torch.tensor([[best]]), store)
        return self.tokenizer.decode(said, skip_special_tokens=False)
