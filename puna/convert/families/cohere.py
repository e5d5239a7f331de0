"""Command R and its successors: blocks in parallel, a scale of logits, heads that rotate
neighbours.
"""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Value, moved
from puna.convert.keys import gating, n_leading_dense, window_pattern
from puna.errors import ConvertError

_PARTS = ("gate", "up", "down")


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


def _cohere2_moe(config: Config) -> Keys:
    """Its inner width is that of an expert; layers without experts have one of their own."""
    if config.text_of("shared_expert_combination_strategy", "average") != "average":
        raise ConvertError("config.json: the engine takes the mean of shared and other experts")
    n_shared, width = config.whole("n_experts_shared", 0), config.whole("intermediate_size")
    kinds = config.items("mlp_layer_types")
    keys: dict[str, Value | None] = {
        **_cohere2(config),
        "expert_feed_forward_length": width,
        "expert_gating_func": gating(config, config.text_of("expert_selection_fn", "softmax")),
        "expert_weights_norm": config.flag("norm_topk_prob", True),
        "leading_dense_block_count": (
            n_leading_dense(config) if kinds else config.whole("n_dense_layers", 0)
        ),
    }
    if n_shared:
        keys["expert_shared_count"] = n_shared
        keys["expert_shared_feed_forward_length"] = n_shared * width
    return keys


_MOE = moved(
    {f"shared_experts.{part}_proj.weight": f"ffn_{part}_shexp.weight" for part in _PARTS}
    | {f"experts.{part}_proj.weight": f"ffn_{part}_exps.weight" for part in _PARTS}
    | {"mlp.gate.weight": "ffn_gate_inp.weight"}
)

FAMILIES = {
    "CohereForCausalLM": Family("command-r", _command_r, tied=True),
    "Cohere2ForCausalLM": Family("cohere2", _cohere2, tied=True),
    "Cohere2MoeForCausalLM": Family("cohere2moe", _cohere2_moe, _MOE, tied=True),
}
