"""Mamba 1 and 2: a state instead of attention."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, Value
from puna.convert.keys import no_rope
from puna.convert.kinds import Array
from puna.convert.tensor import Tensor
from puna.errors import ConvertError

__all__ = ["FAMILIES", "decay", "hybrid_keys", "need_doubled", "recurrent", "state_space"]


def decay(logarithms: Array) -> Array:
    """How fast the state fades, out of the logarithm that checkpoints keep."""
    faded: Array = -np.exp(logarithms)
    return faded


def _common(config: Config) -> dict[str, float | int | bool | None]:
    eps = config.real("layer_norm_epsilon", config.real("rms_eps", 1e-5))
    return {
        **dict.fromkeys(no_rope()),
        "context_length": 1 << 20,
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "attention.head_count_kv": None,
        "attention.key_length": None,
        "attention.value_length": None,
        "attention.layer_norm_rms_epsilon": eps,
        "attention.layer_norm_epsilon": None,
        "ssm.conv_kernel": config.whole("conv_kernel", config.whole("d_conv", 4)),
    }


def _mamba(config: Config) -> Keys:
    width = config.whole("width")
    return {
        **_common(config),
        "ssm.inner_size": config.whole("intermediate_size", config.whole("d_inner", 2 * width)),
        "ssm.state_size": config.whole("state_size", config.whole("d_state", 16)),
        "ssm.time_step_rank": (
            -(-width // 16)
            if config.get("time_step_rank") in (None, "auto")
            else config.whole("time_step_rank")
        ),
        "ssm.dt_b_c_rms": config.text_of("model_type") == "falcon_mamba",
    }


def _inner(config: Config) -> int:
    expand = int(config.real("mamba_expand", config.real("expand", 2.0)))
    return config.whole(
        "intermediate_size", config.whole("d_inner", expand * config.whole("width"))
    )


def _mamba2(config: Config) -> Keys:
    return {
        **_common(config),
        "ssm.inner_size": _inner(config),
        "ssm.state_size": config.whole("state_size", config.whole("d_state", 128)),
        "ssm.time_step_rank": _inner(config) // max(config.whole("head_dim", 64), 1),
        "ssm.group_count": config.whole("n_groups", 1),
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield recurrent(name, tensor)


def recurrent(name: str, tensor: Tensor) -> Named:
    """A tensor of a Mamba layer as the engine has it; any other as it is."""
    if name.endswith(".A_log"):
        tensor = tensor.computed(decay)
    if name.endswith("conv1d.weight"):
        tensor = tensor.reshaped(tensor.shape[0], -1)
    return name, tensor


def need_doubled(config: Config) -> None:
    """Raise ConvertError for states that the engine has no graph for."""
    if (expand := config.real("mamba_expand", 2.0)) != 2:
        raise ConvertError(f"config.json: 'mamba_expand' is {expand:g}; the engine knows 2 alone")


def hybrid_keys(config: Config) -> dict[str, Value | None]:
    """What describes the Mamba 2 layers of hybrids whose settings begin with `mamba_`."""
    inner = int(config.real("mamba_expand", 2.0) * config.whole("width"))
    return {
        "ssm.conv_kernel": config.whole("mamba_d_conv", 4),
        "ssm.inner_size": config.whole("mamba_d_ssm", inner),
        "ssm.state_size": config.whole("mamba_d_state"),
        "ssm.time_step_rank": config.whole("mamba_n_heads"),
        "ssm.group_count": config.whole("mamba_n_groups", 1),
    }


def _weights2(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    name = name.removeprefix("model.") if name.startswith("model.") else name
    yield state_space(name, tensor, config.whole("n_groups", 1))


def state_space(name: str, tensor: Tensor, n_groups: int) -> Named:
    """A tensor of a Mamba 2 layer as the engine has it; any other as it is."""
    if name.endswith((".A_log", ".D")):
        tensor = tensor.reshaped(-1, 1)
    if name.endswith((".mixer.norm.weight", ".mamba.norm.weight")):
        tensor = tensor.reshaped(n_groups, -1)
    if name.endswith(".dt_bias"):
        name = name.replace(".dt_bias", ".dt_proj.bias")
    return recurrent(name, tensor)


_MAMBA = Family("mamba", _mamba, _weights)

FAMILIES = {
    "MambaForCausalLM": _MAMBA,
    "MambaLMHeadModel": _MAMBA,
    "FalconMambaForCausalLM": _MAMBA,
    "Mamba2ForCausalLM": Family("mamba2", _mamba2, _weights2),
}
