"""Gemma 4's: a ViT whose heads rotate by column and by row, groups of neighbours averaged, and one
matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Pixels, Projector, Shapes
from puna.convert.projectors.layers import linear, norm, patch_shapes
from puna.convert.tensor import Tensor

_PLAIN = Pixels((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # the engine takes a half off, and doubles
_BOUNDS = ("input_min", "input_max", "output_min", "output_max")
_BLOCK = re.compile(r"vision_tower\.encoder\.layers\.(\d+)\.(.+)")
_IN_BLOCK = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_out",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "ln1",
    "post_attention_layernorm": "attn_post_norm",
    "pre_feedforward_layernorm": "ln2",
    "post_feedforward_layernorm": "ffn_post_norm",
}
_OUTSIDE = {
    "vision_tower.std_bias": "v.std_bias",
    "vision_tower.std_scale": "v.std_scale",
    "vision_tower.patch_embedder.position_embedding_table": "v.position_embd.weight",
    "embed_vision.embedding_projection.weight": "mm.input_projection.weight",
}
_USUAL_SIDE, _USUAL_BASE = 3, 100.0


def _keys(encoder: EncoderConfig) -> Keys:
    own = encoder.own
    side = own.whole("pooling_kernel_size", _USUAL_SIDE)
    if own.n_kv_heads != own.n_heads:
        raise own.bad("n_kv_heads", own.n_kv_heads, "as many as query heads")
    if own.head_size * own.n_heads != encoder.width:
        raise own.bad("head_dim", own.head_size, f"a part of {encoder.width}")
    if own.rope.real("rope_theta", _USUAL_BASE) != _USUAL_BASE:
        raise own.bad("rope_theta", own.rope.get("rope_theta"), "100, which the engine has")
    encoder.refuse("hidden_activation", "gelu_pytorch_tanh")
    return {
        "use_gelu": True,
        "vision.attention.layer_norm_epsilon": own.real("rms_eps", 1e-6),
        "vision.projector.scale_factor": None if side == _USUAL_SIDE else side,
    }


def _settings(own: Config) -> Config:
    """With a size of images, of which any will do: they keep their own."""
    return Config({"image_size": 224, **own.text})


def _shapes(encoder: EncoderConfig) -> Shapes:
    own, width = encoder.own, encoder.width
    ffn = own.whole("ffn")
    shapes: dict[str, tuple[int, ...]] = {
        **patch_shapes(encoder),
        "v.position_embd.weight": (2, own.whole("position_embedding_size"), width),
        "mm.input_projection.weight": (encoder.text_width, width),
    }
    if own.flag("standardize"):
        shapes |= {"v.std_bias": (width,), "v.std_scale": (width,)}
    for number in range(own.n_layers):
        block = f"v.blk.{number}"
        matrices = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_out"), (width, width))
        matrices |= dict.fromkeys(("ffn_gate", "ffn_up"), (ffn, width))
        matrices["ffn_down"] = (width, ffn)
        for name, (rows, columns) in matrices.items():
            shapes |= linear(f"{block}.{name}", rows, columns, bias=False)
            for bound in _BOUNDS if own.flag("use_clipped_linears") else ():
                shapes[f"{block}.{name}.{bound}"] = (1,)
        for name in ("ln1", "ln2", "attn_post_norm", "ffn_post_norm"):
            shapes |= norm(f"{block}.{name}", width, bias=False)
        for name in ("attn_q_norm", "attn_k_norm"):
            shapes |= norm(f"{block}.{name}", own.head_size, bias=False)
    return shapes


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    """A patch's values come pixel by pixel, where the engine wants colour by colour."""
    if name.endswith("patch_embedder.input_proj.weight"):
        size = encoder.own.whole("patch_size")
        colours = tensor.reshaped(tensor.shape[0], -1, 3).transposed()
        yield "v.patch_embd.weight", colours.reshaped(tensor.shape[0], 3, size, size)
    elif found := _BLOCK.fullmatch(name):
        stem, _, kind = found[2].replace(".linear.", ".").rpartition(".")
        part = f"v.blk.{found[1]}.{_IN_BLOCK.get(stem, stem)}.{kind}"
        yield part, tensor.reshaped(1) if kind in _BOUNDS else tensor
    else:
        yield _OUTSIDE.get(name, name), tensor


PROJECTORS = {
    "Gemma4ForConditionalGeneration": (
        Projector(
            "gemma4v",
            _shapes,
            _keys,
            _weights,
            pixels=_PLAIN,
            drop=r"audio_tower|embed_audio",
            settings=_settings,
        ),
    )
}
