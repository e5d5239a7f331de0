"""gpt-oss: attention with sinks, experts whose weights are 4-bit floats in blocks."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.keys import window_pattern
from puna.convert.tensor import Tensor


def _keys(config: Config) -> Keys:
    return {
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(config, every=2),
        "expert_feed_forward_length": config.whole("ffn"),
    }


def _every_other(tensor: Tensor, first: int) -> Tensor:
    """The even or the odd rows of each expert's matrix, or values of its bias."""
    axis = 1
    shape = (tensor.shape[0], tensor.shape[axis] // 2, *tensor.shape[2:])
    return tensor.changed(shape, lambda values: values[:, first::2])


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Gates and inputs of the experts take turns, row by row; matrices have their inputs first."""
    if name.endswith(".self_attn.sinks"):
        yield in_block(name, "attn_sinks.weight"), tensor
    elif name.endswith((".router.weight", ".router.bias")):
        yield in_block(name, "ffn_gate_inp." + name.rpartition(".")[2]), tensor
    elif name.endswith("experts.gate_up_proj_bias"):
        yield in_block(name, "ffn_gate_exps.bias"), _every_other(tensor, 0)
        yield in_block(name, "ffn_up_exps.bias"), _every_other(tensor, 1)
    elif name.endswith("experts.down_proj_bias"):
        yield in_block(name, "ffn_down_exps.bias"), tensor
    elif name.endswith(("experts.gate_up_proj", "experts.gate_up_proj.weight")):
        turned = tensor if tensor.kind == "MXFP4" else tensor.transposed()
        yield in_block(name, "ffn_gate_exps.weight"), _every_other(turned, 0)
        yield in_block(name, "ffn_up_exps.weight"), _every_other(turned, 1)
    elif name.endswith(("experts.down_proj", "experts.down_proj.weight")):
        turned = tensor if tensor.kind == "MXFP4" else tensor.transposed()
        yield in_block(name, "ffn_down_exps.weight"), turned
    else:
        yield name, tensor


FAMILIES = {"GptOssForCausalLM": Family("gpt-oss", _keys, _weights)}
