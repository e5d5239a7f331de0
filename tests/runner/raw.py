"""The engine's parts in this process, for tests that need to see logits or to choose them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.sampler import Sampler
from puna.runner.protocol import LoadPlan, Sampling

__all__ = ["Logits", "RawEngine"]

Logits = npt.NDArray[np.float32]


class RawEngine:
    """A model and a context, without a child process. Close it."""

    def __init__(self, path: Path, **plan: object) -> None:
        LOG.attach(lambda level, line: None)
        lib.llama_backend_init()
        whole = {"n_ctx": 256, "kv_type": "f32", "flash_attention": False, **plan}
        load = LoadPlan(model=str(path), **whole)  # type: ignore[arg-type]
        self.model = Model(load, lambda fraction: None)
        self.context = Context(self.model, load, n_threads=1)

    def logits(self, tokens: Sequence[int]) -> Logits:
        """What follows `tokens`, computed from nothing; shape (n_vocab,), the engine's own."""
        self.context.remove(0)
        self.context.begin()
        self._index = self.context.add(0, 0, tokens, logits=True)
        assert self.context.decode() is Decoded.OK
        return self.context.logits(self._index)

    def sampler(self, sampling: Sampling) -> Sampler:
        """The sampler of an answer without a grammar."""
        return Sampler(self.model, sampling, None, 256)

    def draw(self, sampler: Sampler, chosen: Logits) -> int:
        """A token drawn after `logits` was called, as if it had said `chosen`."""
        self.context.logits(self._index)[:] = chosen
        return sampler.sample(self.context, self._index)

    def close(self) -> None:
        """Free everything."""
        self.context.close()
        self.model.close()
