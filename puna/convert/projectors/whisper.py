"""Encoders of Whisper's kind: sound as a spectrogram, two convolutions over time, learned positions
of 30 seconds. Of each two tokens the mean is taken. Behind it Qwen 2 Audio has one matrix,
Audio Flamingo 3 two.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import linear, norm
from puna.convert.tensor import Tensor

_POSITIONS = 1500  # the engine's windows have 3,000 frames, of which the second convolution takes 2
_KERNEL = 3
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
    width, ffn = audio.width, audio.own.whole("ffn")
    shapes: dict[str, tuple[int, ...]] = {
        "a.conv1d.1.weight": (width, audio.own.whole("num_mel_bins"), _KERNEL),
        "a.conv1d.1.bias": (width, 1),
        "a.conv1d.2.weight": (width, width, _KERNEL),
        "a.conv1d.2.bias": (width, 1),
        "a.position_embd.weight": (_POSITIONS, width),
        **norm("a.post_ln", width),
    }
    for number in range(audio.own.n_layers):
        block = f"a.blk.{number}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes |= linear(f"{block}.{name}", width, width, bias=name != "attn_k")
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


def _weights(_audio: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name in ("audio_tower.conv1.bias", "audio_tower.conv2.bias"):
        tensor = tensor.reshaped(*tensor.shape, 1)
    for theirs, ours in _MATRICES.items():
        name = name.replace(f"multi_modal_projector.{theirs}.", f"mm.a.{ours}.")
    yield name, tensor


PROJECTORS = {
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
