"""Whether two models mean the same by their tokens."""

from __future__ import annotations

from puna.runner.llama.library import lib
from puna.runner.llama.model import Model

__all__ = ["vocabulary_difference"]

_SPECIAL = ("bos", "eos", "eot", "sep", "nl", "pad", "mask", "fim_pre", "fim_suf", "fim_mid")
_FLAGS = ("get_add_bos", "get_add_eos", "get_add_sep")


def vocabulary_difference(one: Model, other: Model) -> str:
    """The first thing in which two vocabularies differ, in words; empty when they are the same."""
    if one.n_vocab != other.n_vocab:
        return f"{other.n_vocab} tokens instead of {one.n_vocab}"
    for name in ("type", *_SPECIAL, *_FLAGS):
        ask = getattr(lib, f"llama_vocab_{name}")
        if ask(one.vocab) != ask(other.vocab):
            return f"another {name.removeprefix('get_')}"
    text, kind = lib.llama_vocab_get_text, lib.llama_vocab_get_attr
    for token in range(one.n_vocab):
        if text(one.vocab, token) != text(other.vocab, token):
            return f"another text of token {token}"
        if kind(one.vocab, token) != kind(other.vocab, token):
            return f"another kind of token {token}"
    return ""
