"""Llama 3.2 with images: the layers that look at images do nothing where there are none, and
without them it is a Llama. Its encoder is one that the engine does not know.
"""

from __future__ import annotations

import re

from puna.errors import BadModelFile, quoted
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.values import ArrayInfo

__all__ = ["text"]

_LAYERS = "attention.cross_attention_layers"
_TOKENS, _PRE = "tokenizer.ggml.tokens", "tokenizer.ggml.pre"
_BLOCK = re.compile(r"^blk\.(\d{1,6})\.")


def text(source: Source) -> Draft:
    """The text model. Raises BadModelFile for what is missing."""
    looking = set(source.wholes(_LAYERS))
    if not looking:
        raise BadModelFile(f"key {quoted(f'mllama.{_LAYERS}')} is missing")
    kept = [block for block in range(source.count("block_count")) if block not in looking]
    draft = Draft(source)
    draft.drop("v.", "mm.", *(f"blk.{block}." for block in looking))
    draft.rename_architecture("llama")
    draft.put("llama.block_count", len(kept))
    numbers = {block: number for number, block in enumerate(kept)}

    def renumbered(match: re.Match[str]) -> str:
        return f"blk.{numbers.get(int(match[1]), int(match[1]))}."

    draft.rename(_BLOCK.pattern, renumbered)
    _fit(draft)
    if not source.header.metadata.get(_PRE):
        draft.put(_PRE, "llama-bpe")
    return draft


def _fit(draft: Draft) -> None:
    """As many tokens as all have that speak of them: some stand for images, and are never said."""
    source = draft.source
    tokens = source.header.metadata.get(_TOKENS)
    counts = [tokens.count] if isinstance(tokens, ArrayInfo) else []
    names = [name for name in ("token_embd.weight", "output.weight") if name in source.tensors]
    n_tokens = min([*counts, *(source.tensor(name).shape[1] for name in names)], default=0)
    for name in names:
        draft.cut_rows(name, n_tokens)
    draft.fit_vocabulary()
    draft.put("llama.vocab_size", n_tokens)
