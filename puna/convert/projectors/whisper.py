"""Encoders of Whisper's kind: sound as a spectrogram, two convolutions over time, learned positions
of 30 seconds. Of each two tokens the mean is taken. Behind it Qwen 2 Audio has one matrix,
Audio Flamingo 3 two. Qwen 3's begin with three convolutions over pieces of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import linear, norm
from puna.convert.tensor import Tensor, made

_POSITIONS = 1500  # the engine's windows have 3,000 frames, of which the second convolution takes 2
_KERNEL = 3
_PIECE, _TOKENS = 100, 13  # frames of a piece of Qwen 3's, and what becomes of them
_MATRICES = {"linear": "fc", "linear_1": "mlp.1", "linear_2": "mlp.2"}
_NAMES = {
    "encoder_layers": "num_hidden_layers",
    "encoder_attention_heads": "num_attention_heads",
    "encoder_ffn_dim": "intermediate_size",
}


def _settings(own: Config) -> Config:
    return Config({_NAMES.get(key, key): value for key, value in own.top.items()})


def _keys(audio: EncoderConfig) -> Keys:
    audio.refuse("activation_function", "gelu")
    audio.refuse("max_source_positions", _POSITIONS)
    return {"audio.num_mel_bins": audio.own.whole("num_mel_bins")}


def _tower(audio: EncoderConfig) -> Shapes:
    width = audio.width
    return {
        "a.conv1d.1.weight": (width, audio.own.whole("num_mel_bins"), _KERNEL),
        "a.conv1d.1.bias": (width, 1),
        "a.conv1d.2.weight": (width, width, _KERNEL),
        "a.conv1d.2.bias": (width, 1),
        "a.position_embd.weight": (_POSITIONS, width),
        **_blocks(audio, key_bias=False),
    }


def _blocks(audio: EncoderConfig, *, key_bias: bool) -> Shapes:
    width, ffn = audio.width, audio.own.whole("ffn")
    shapes: dict[str, tuple[int, ...]] = {**norm("a.post_ln", width)}
    for number in range(audio.own.n_layers):
        block = f"a.blk.{number}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes |= linear(f"{block}.{name}", width, width, bias=key_bias or name != "attn_k")
        for name in ("ln1", "ln2"):
            shapes |= norm(f"{block}.{name}", width)
        shapes |= linear(f"{block}.ffn_up", ffn, width)
        shapes |= linear(f"{block}.ffn_down", width, ffn)
    return shapes


def _qwen2(audio: EncoderConfig) -> Shapes:
    return {**_tower(audio), **linear("mm.a.fc", audio.text_width, audio.width)}


def _flamingo(audio: EncoderConfig) -> Shapes:
    text, whole = audio.text_width, audio.whole
    for key, wanted in (("projector_hidden_act", "gelu"), ("projector_bias", True)):
        if whole.has(key) and whole.get(key) != wanted:
            raise whole.bad(key, whole.get(key), str(wanted))
    return {
        **_tower(audio),
        **linear("mm.a.mlp.1", text, audio.width),
        **linear("mm.a.mlp.2", text, text),
    }


def _qwen3(audio: EncoderConfig) -> Shapes:
    """Three convolutions over time and height, in pieces of a second."""
    width, channels = audio.width, audio.own.whole("downsample_hidden_size")
    height = audio.own.whole("num_mel_bins")
    for _ in range(3):
        height = (height + 1) // 2
    audio.refuse("activation_function", "gelu")
    audio.refuse("n_window", _PIECE // 2)
    shapes: dict[str, tuple[int, ...]] = {
        "a.position_embd.weight": (_TOKENS, width),
        "a.conv_out.weight": (width, channels * height),
        **_blocks(audio, key_bias=True),
        **linear("mm.a.mlp.1", width, width),
        **linear("mm.a.mlp.2", audio.text_width, width),
    }
    for number, n_in in ((1, 1), (2, channels), (3, channels)):
        shapes[f"a.conv2d.{number}.weight"] = (channels, n_in, _KERNEL, _KERNEL)
        shapes[f"a.conv2d.{number}.bias"] = (channels,)
    return shapes


def _qwen3_keys(audio: EncoderConfig) -> Keys:
    return {"audio.num_mel_bins": audio.own.whole("num_mel_bins")}


def _qwen3_weights(audio: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    name = re.sub(r"^audio_tower\.conv2d(\d)\.", r"a.conv2d.\1.", name)
    name = name.replace("audio_tower.conv_out.", "a.conv_out.")
    name = re.sub(r"^audio_tower\.proj([12])\.", r"mm.a.mlp.\1.", name)
    yield from _weights(audio, name, tensor)


def _places(audio: EncoderConfig, _weights: Mapping[str, Tensor]) -> Iterable[Named]:
    """Sines and cosines of the places within a piece."""
    half = audio.width // 2
    speeds = np.exp(-np.log(10000.0) / (half - 1) * np.arange(half))
    angles = np.arange(_TOKENS)[:, None] * speeds
    yield "a.position_embd.weight", made(np.hstack([np.sin(angles), np.cos(angles)]), "positions")


def _weights(_audio: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name in ("audio_tower.conv1.bias", "audio_tower.conv2.bias"):
        tensor = tensor.reshaped(*tensor.shape, 1)
    for theirs, ours in _MATRICES.items():
        name = name.replace(f"multi_modal_projector.{theirs}.", f"mm.a.{ours}.")
    yield name, tensor


_QWEN3 = (
    Projector(
        "qwen3a",
        _qwen3,
        _qwen3_keys,
        _qwen3_weights,
        _places,
        norm_eps=1e-5,
        settings=_settings,
        sense="audio",
        drop=r"(?:^|\.)visual\.|^(?:talker|code2wav)\.",
    ),
)

PROJECTORS = {
    "Qwen3ASRForConditionalGeneration": _QWEN3,
    "Qwen3OmniMoeForConditionalGeneration": _QWEN3,
    "AudioFlamingo3ForConditionalGeneration": (
        Projector(
            "musicflamingo",
            _flamingo,
            _keys,
            _weights,
            norm_eps=1e-5,
            settings=_settings,
            sense="audio",
        ),
    ),
    "Qwen2AudioForConditionalGeneration": (
        Projector(
            "qwen2a",
            _qwen2,
            _keys,
            _weights,
            norm_eps=1e-5,
            settings=_settings,
            sense="audio",
        ),
    ),
}
