"""Command R and its successors: blocks in parallel, a scale of logits, heads that rotate
neighbours.
"""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import window_pattern


def _command_r(config: Config) -> Keys:
    return {
        "context_length": config.whole("model_max_length", config.whole("context")),
        "logit_scale": config.real("logit_scale"),
    }


def _cohere2(config: Config) -> Keys:
    return {
        "logit_scale": config.real("logit_scale"),
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(
            config, every=config.whole("sliding_window_pattern", 4)
        ),
    }


FAMILIES = {
    "CohereForCausalLM": Family("command-r", _command_r, tied=True),
    "Cohere2ForCausalLM": Family("cohere2", _cohere2, tied=True),
}
