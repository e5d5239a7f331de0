"""A model's vocabulary as the grammars' library reads it: which bytes each token is."""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from typing import Any

from llguidance import LLTokenizer

from puna.runner.llama.library import lib
from puna.runner.llama.model import Model

__all__ = ["make_tokenizer"]

_SPECIAL = b"\xff"
"""Before what is no text: no grammar lets it pass as one."""


def make_tokenizer(model: Model, shown: Collection[int]) -> Any:
    """What masks are computed for. Of the special tokens, those in `shown` are text."""
    tokens = [
        _SPECIAL + model.spelling(token)
        if token not in shown and model.is_special(token)
        else model.spelling(token)
        for token in range(model.n_vocab)
    ]
    make: Any = LLTokenizer.from_llamacpp
    return make(
        tokens=tokens,
        vocab_ptr=model.vocab,
        tokenize_fptr=ctypes.cast(lib._lib.llama_tokenize, ctypes.c_void_p).value,
        eos_token=model.end_tokens,
        slices=None,
    )
