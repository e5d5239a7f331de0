"""The shapes of what encoders have in common: blocks of attention and a feed-forward network, and
linear layers.
"""

from __future__ import annotations

from puna.convert.projector import EncoderConfig, Shapes

__all__ = ["block_shapes", "linear", "norm", "patch_shapes"]

_ATTENTION = ("attn_q", "attn_k", "attn_v")


def linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Shapes:
    """A matrix, and what is added after it."""
    return {f"{name}.weight": (rows, columns)} | ({f"{name}.bias": (rows,)} if bias else {})


def norm(name: str, width: int, *, bias: bool = True) -> Shapes:
    """A norm's scale, and its offset."""
    return {f"{name}.weight": (width,)} | ({f"{name}.bias": (width,)} if bias else {})


def block_shapes(
    encoder: EncoderConfig,
    *,
    attention_bias: bool = True,
    ffn_bias: bool = True,
    norm_bias: bool = True,
    gate: bool = False,
    fused: bool = False,
) -> Shapes:
    """All blocks of an encoder; `fused`: queries, keys and values are one tensor."""
    width, ffn = encoder.width, encoder.own.whole("ffn")
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(encoder.own.n_layers):
        block = f"v.blk.{number}"
        rows = {"attn_qkv": 3 * width} if fused else dict.fromkeys(_ATTENTION, width)
        for name, n_rows in {**rows, "attn_out": width}.items():
            shapes |= linear(f"{block}.{name}", n_rows, width, bias=attention_bias)
        for name in ("ln1", "ln2"):
            shapes |= norm(f"{block}.{name}", width, bias=norm_bias)
        for name in ("ffn_up", "ffn_gate") if gate else ("ffn_up",):
            shapes |= linear(f"{block}.{name}", ffn, width, bias=ffn_bias)
        shapes |= linear(f"{block}.ffn_down", width, ffn, bias=ffn_bias)
    return shapes


def patch_shapes(encoder: EncoderConfig, name: str = "v.patch_embd.weight") -> Shapes:
    """The convolution that makes a patch's pixels one vector."""
    size = encoder.own.whole("patch_size")
    return {name: (encoder.width, 3, size, size)}
