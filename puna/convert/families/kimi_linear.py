"""Kimi Linear: layers of gated delta nets between those with attention, and experts."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.deepseek import heads_apart
from puna.convert.families.mamba import decay
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import gating, latent_keys, moe_keys
from puna.convert.tensor import Tensor


def _attends(config: Config) -> list[bool]:
    """Which layers have attention; the maker counts them from one."""
    if kinds := config.items("layer_types"):
        return [kind == "full_attention" for kind in kinds]
    listed = config.part("linear_attn_config").items("full_attn_layers")
    return [layer + 1 in listed for layer in range(config.n_layers)]


def _keys(config: Config) -> Keys:
    linear = config.part("linear_attn_config")
    return {
        **moe_keys(config),
        "attention.head_count_kv": [int(attends) for attends in _attends(config)],
        **latent_keys(config, config.whole("kv_lora_rank")),
        "ssm.conv_kernel": linear.whole(
            "short_conv_kernel_size", config.whole("linear_conv_kernel_dim", 4)
        ),
        "kda.head_dim": linear.whole("head_dim", config.whole("linear_head_dim", 128)),
        "expert_gating_func": gating(config, "sigmoid"),
    }


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith(".A_log"):
        tensor = tensor.reshaped(1, 1, -1, 1).computed(decay)
    elif name.endswith(".dt_bias"):
        name = name.replace(".dt_bias", ".dt_proj.bias")
    elif name.endswith("_conv1d.weight"):
        tensor = tensor.reshaped(1, tensor.shape[0], 1, tensor.shape[-1])
    elif ".block_sparse_moe." in name and name.count("_proj") and "expert" not in name:
        name = name.replace(".block_sparse_moe.", ".mlp.")
    yield from heads_apart(config, name, tensor)


_KIMI = Family("kimi-linear", _keys, _weights)

FAMILIES = {"KimiLinearForCausalLM": _KIMI, "KimiLinearModel": _KIMI}
