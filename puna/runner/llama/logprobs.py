"""Log probabilities of tokens, from the raw logits: before penalties, temperature and grammar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from puna.api.events import Logprob
from puna.runner.llama.model import Model

__all__ = ["logprob_of"]


def logprob_of(model: Model, logits: npt.NDArray[np.float32], token: int, n_top: int) -> Logprob:
    """The natural-log probability of `token` and of the `n_top` likeliest, most likely first.

    `logits` has shape (n_vocab,), float32. Facts: serving spec, section 6.8.
    """
    wide = logits.astype(np.float64)
    peak = wide.max()
    norm = peak + np.log(np.exp(wide - peak).sum())
    top: tuple[Logprob, ...] = ()
    if n_top > 0:
        count = min(n_top, len(wide))
        likeliest = np.argpartition(-wide, count - 1)[:count]
        likeliest = likeliest[np.argsort(-wide[likeliest], kind="stable")]
        top = tuple(_entry(model, int(each), float(wide[each] - norm)) for each in likeliest)
    return _entry(model, token, float(wide[token] - norm), top)


def _entry(model: Model, token: int, value: float, top: tuple[Logprob, ...] = ()) -> Logprob:
    piece = model.piece(token)
    return Logprob(
        token=piece.decode("utf-8", "replace"),
        logprob=value,
        bytes=tuple(piece),
        top_logprobs=top,
    )
