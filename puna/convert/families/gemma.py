"""Gemma: norms that count from one, soft-capped logits, layers with a window, the head tied."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import window_pattern
from puna.convert.tensor import Tensor

_NORMS = r"norm\.weight$"


def _gemma(config: Config) -> Keys:
    return {
        "attention.key_length": config.head_size,
        "attention.value_length": config.head_size,
    }


def _gemma2(config: Config) -> Keys:
    return {
        **_gemma(config),
        "attn_logit_softcapping": config.real("attn_logit_softcapping"),
        "final_logit_softcapping": config.real("final_logit_softcapping"),
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(config, every=2),
    }


def _gemma3(config: Config) -> Keys:
    every = config.whole("sliding_window_pattern", 6)
    local = config.part("rope_parameters").part("sliding_attention")
    cap = config.get("final_logit_softcapping")
    return {
        **_gemma(config),
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(config, every=every),
        "rope.freq_base_swa": local.real("rope_theta", config.real("rope_base_local", 10000.0)),
        "final_logit_softcapping": None if cap is None else config.real("final_logit_softcapping"),
    }


def _embedding(config: Config) -> Keys:
    """Every token sees all others. There is nothing to soft-cap."""
    return {**_gemma3(config), "final_logit_softcapping": None, "attention.causal": False}


def _vectors(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield name.removeprefix("model.") if ".dense_" in name else name, tensor


FAMILIES = {
    "Gemma3TextModel": Family(
        "gemma-embedding",
        _embedding,
        _vectors,
        norm_offset=_NORMS,
        tied=True,
        prefix="model.",
        dense=True,
    ),
    "GemmaForCausalLM": Family("gemma", _gemma, norm_offset=_NORMS, tied=True),
    "Gemma2ForCausalLM": Family("gemma2", _gemma2, norm_offset=_NORMS, tied=True),
    "Gemma3ForCausalLM": Family("gemma3", _gemma3, norm_offset=_NORMS, tied=True),
    "Gemma3ForConditionalGeneration": Family("gemma3", _gemma3, norm_offset=_NORMS, tied=True),
}
