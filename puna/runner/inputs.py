"""The inputs of vectors and of rankings as tokens, and how those that are too long are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from puna.errors import BadRequest, ContextExceeded
from puna.runner.llama.model import Model, Pooling
from puna.runner.protocol import Embedding

__all__ = ["Text", "fit_text", "read_texts"]

TOO_LONG = "the input length exceeds the context length"
NO_ROOM = "input after truncation exceeds maximum context length"
NO_REST = "input exceeds maximum context length and cannot be truncated further"
EMPTY = "the input is empty, and the model's tokenizer adds nothing to it"
NO_RANKING = "this model does not support reranking"


@dataclass(frozen=True, slots=True)
class Text:
    """The tokens of an input. Where it is cut, the first `n_head` and the last `n_tail` stay."""

    tokens: list[int]
    n_head: int
    n_tail: int


def read_texts(model: Model, order: Embedding) -> list[Text]:
    """Tokenise the inputs. Raises BadRequest for one without tokens, or without a way to rank."""
    if order.query is None:
        head, tail = model.frame_input()
        texts = [
            Text(model.tokenize(each, add_special=True, parse_special=True), len(head), len(tail))
            for each in order.inputs
        ]
    elif model.pooling is not Pooling.RANK:
        raise BadRequest(NO_RANKING)
    elif model.rerank_template is not None:
        texts = [_fill(model, model.rerank_template, order.query, each) for each in order.inputs]
    else:
        texts = _pairs(model, order.query, order.inputs)
    if not all(text.tokens for text in texts):
        raise BadRequest(EMPTY)
    return texts


def _pairs(model: Model, query: str, documents: Sequence[str]) -> list[Text]:
    def tokens_of(text: str) -> list[int]:
        return model.tokenize(text, add_special=False, parse_special=False)

    before, between, after = model.frame_pair()
    head = [*before, *tokens_of(query), *between]
    return [Text([*head, *tokens_of(each), *after], len(head), len(after)) for each in documents]


def _fill(model: Model, template: str, query: str, document: str) -> Text:
    def tokens_of(text: str) -> list[int]:
        return model.tokenize(text, add_special=False, parse_special=True)

    before, _, after = template.partition("{document}")
    before, after = before.replace("{query}", query), after.replace("{query}", query)
    return Text(tokens_of(before + document + after), len(tokens_of(before)), len(tokens_of(after)))


def fit_text(text: Text, n_ctx: int, n_batch: int | None, *, truncate: bool) -> list[int]:
    """The tokens to read of an input: at most `n_ctx`, or `n_batch` where it cannot be split.

    Raises BadRequest when there is no room, or when it is too long and must not be cut.
    Facts: API spec, section 9.
    """
    frame = text.n_head + text.n_tail
    if n_ctx <= frame:
        raise ContextExceeded(NO_ROOM)
    most = n_ctx if n_batch is None else min(n_ctx, n_batch)
    length = len(text.tokens)
    if length <= most:
        return text.tokens
    if not truncate:
        raise ContextExceeded(TOO_LONG)
    if most <= frame:
        raise ContextExceeded(NO_REST)
    return text.tokens[: most - text.n_tail] + text.tokens[length - text.n_tail :]
