"""What a request's `format` means token by token: masks that leave only what fits the grammar.

Facts: prompting spec, 7.2. The masks are llguidance's; the vocabulary is the loaded model's.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher
from llguidance.llamacpp import lltokenizer_from_vocab

from puna.errors import BadRequest, EngineError
from puna.runner.llama.model import Model

__all__ = ["Grammars", "Matcher"]

_SPACES = {"whitespace_flexible": True, "whitespace_pattern": r"[ ]?|\n{1,2}[ \t]{0,20}"}
"""White space is bounded: a model that likes newlines would otherwise never come to an end."""

_BITS = 32


class Grammars:
    """The grammars of one model. Its vocabulary is prepared when the first one is asked for."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def _tokenizer(self) -> Any:
        """A second or so for a large vocabulary."""
        return lltokenizer_from_vocab(self._model.vocab, eos_token=self._model.end_tokens)

    def matcher(self, format: str) -> Matcher:
        """For the JSON text of a format: `"json"`, or a JSON Schema.

        Raises BadRequest with the reason when a schema cannot be held to.
        """
        wanted = json.loads(format)
        schema = {"type": "object"} if wanted == "json" else wanted
        grammar = LLMatcher.grammar_from_json_schema(schema, defaults=_SPACES)
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            reason = matcher.get_error().strip().splitlines()[0]
            raise BadRequest(f"JSON schema conversion failed: {reason}")
        return Matcher(matcher, self._model.n_vocab)


class Matcher:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: Any, n_vocab: int) -> None:
        self._matcher = matcher
        self._mask = np.zeros((n_vocab + _BITS - 1) // _BITS, np.int32)

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Forbid, in place, every token that cannot come next. `logits` has shape (n_vocab,)."""
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        if self._matcher.is_error():
            raise EngineError(f"the format cannot be held to: {self._matcher.get_error()}")
        allowed = np.unpackbits(self._mask.view(np.uint8), bitorder="little")[: len(logits)]
        logits[allowed == 0] = -np.inf

    def accept(self, token: int) -> None:
        """Go on by a token."""
        if not self._matcher.consume_token(token):
            raise EngineError(f"the format cannot be held to: {self._matcher.get_error()}")
