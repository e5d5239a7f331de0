"""Nemotron-H: each layer is one of Mamba 2, attention, a plain network, or experts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from puna.convert.config import Config
from puna.convert.families.mamba import state_space
from puna.convert.family import Family, Keys, Named, Value, in_block
from puna.convert.keys import moe_keys, no_rope
from puna.convert.tensor import Tensor
from puna.errors import ConvertError

_LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
_NAMES = {"linear_attention": "mamba", "full_attention": "attention"}
_KINDS = frozenset(_LETTERS.values())


def _layers(config: Config) -> Sequence[str]:
    """What each layer is: listed by name, or a letter for each."""
    listed = config.items("layers_block_type") or config.items("layer_types")
    kinds = [_NAMES.get(str(kind), str(kind)) for kind in listed]
    if not kinds:
        kinds = [
            _LETTERS.get(letter, letter) for letter in config.text_of("hybrid_override_pattern")
        ]
    if not kinds or set(kinds) - _KINDS:
        raise config.bad("layers_block_type", kinds or None, "a list of kinds of layers")
    return kinds


def _inner(config: Config) -> int:
    return config.whole("mamba_num_heads") * config.whole("mamba_head_dim")


def _keys(config: Config) -> Keys:
    eps = config.real("norm_eps", config.real("rms_eps", 1e-5))
    widths = {"mlp": config.whole("ffn", 0), "moe": config.whole("expert_ffn", 0)}
    kinds = _layers(config)
    size = config.whole("head_dim", 0) or config.whole("attention_head_dim")
    return {
        **no_rope(),
        "attention.head_count_kv": [
            config.n_kv_heads if kind == "attention" else 0 for kind in kinds
        ],
        "attention.key_length": size,
        "attention.value_length": size,
        "attention.layer_norm_epsilon": eps,
        "attention.layer_norm_rms_epsilon": eps,
        "feed_forward_length": [widths.get(kind, 0) for kind in kinds],
        "ssm.conv_kernel": config.whole("conv_kernel", 4),
        "ssm.inner_size": _inner(config),
        "ssm.state_size": config.whole("ssm_state_size"),
        "ssm.time_step_rank": config.whole("mamba_num_heads"),
        "ssm.group_count": config.whole("n_groups", 1),
        "expert_count": None,
        "expert_used_count": None,
    }


def _moe(config: Config) -> Keys:
    if "mlp" in _layers(config):
        raise ConvertError("config.json: experts beside plain networks are not supported")
    keys: dict[str, Value | None] = {
        **_keys(config),
        **moe_keys(config),
        "expert_count": config.whole("n_experts"),
        "expert_used_count": config.whole("n_experts_used"),
        "expert_shared_feed_forward_length": config.whole("moe_shared_expert_intermediate_size"),
    }
    if config.has("moe_latent_size"):
        keys["moe_latent_size"] = config.whole("moe_latent_size")
    return keys


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.startswith("model.layers."):
        name = "backbone." + name.removeprefix("model.")
    for part in ("up", "down"):
        if name.endswith(f".experts.{part}_proj.weight"):
            name = in_block(name, f"ffn_{part}_exps.weight")
    yield state_space(name, tensor, config.whole("n_groups", 1))


def _n_blocks(config: Config) -> int:
    return len(_layers(config))


_MTP = r"^(?:mtp|mlp1|vision_model|sound_encoder|sound_projection)\."
_MOE = Family("nemotron_h_moe", _moe, _weights, drop=_MTP, n_blocks=_n_blocks)


def _with_experts(config: Config) -> Family | None:
    return _MOE if "moe" in _layers(config) else None


_PLAIN = Family("nemotron_h", _keys, _weights, drop=_MTP, n_blocks=_n_blocks, final=_with_experts)

FAMILIES = {
    "NemotronHForCausalLM": _PLAIN,
    "NemotronH_Nano_VL_V2": _PLAIN,
    "NemotronH_Nano_Omni_Reasoning_V3": _PLAIN,
}
