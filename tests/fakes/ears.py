"""Tiny models that hear: projectors of Whisper's kind with random weights, and recordings."""

from __future__ import annotations

import io
from pathlib import Path

import gguf
import numpy as np
import soundfile

from tests.fakes.ggufs import EMBD
from tests.fakes.monoliths import read_gguf, write_copy
from tests.fakes.projectors import Tower, tower_block
from tests.fakes.shapes import Array, Draw, write_model

__all__ = ["EAR_TOKENS", "RATE", "make_both", "make_ear", "make_sound", "tone"]

EAR_TOKENS = 25
"""Tokens that `make_ear`'s projectors make of each 30 seconds that were begun."""

RATE = 16_000
_POSITIONS = 1500  # of 30 seconds
_MELS = 80
_TINY = Tower(16, 2, 32, 1)
_STACK = _POSITIONS // EAR_TOKENS
_HIDDEN = 32


def tone(seconds: float, *, hertz: float = 440, rate: int = RATE, seed: int = 0) -> Array:
    """A sound whose pitch and noise are those of its seed."""
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * (1 + seed / 7) * time)
    return np.asarray(wave + 0.1 * draw.standard_normal(len(time)), np.float32)


def make_sound(
    seconds: float = 1,
    *,
    seed: int = 0,
    rate: int = RATE,
    channels: int = 1,
    format: str = "WAV",
    subtype: str | None = None,
) -> bytes:
    """A file of a recording; another for each seed."""
    wave = np.repeat(tone(seconds, rate=rate, seed=seed)[:, None], channels, axis=1)
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format=format, subtype=subtype)
    return out.getvalue()


def make_ear(path: Path, *, seed: int = 0, n_embd: int = EMBD, tower: Tower = _TINY) -> Path:
    """Write a projector that hears, of Ultravox's kind, and return its path."""
    draw = Draw(seed)
    width, n_ff = tower.width, tower.n_ff
    weights: dict[str, Array] = {
        "a.conv1d.1.weight": _kernel(draw, width, _MELS),
        "a.conv1d.1.bias": np.zeros((width, 1), np.float32),
        "a.conv1d.2.weight": _kernel(draw, width, width),
        "a.conv1d.2.bias": np.zeros((width, 1), np.float32),
        "a.position_embd.weight": draw.normal(_POSITIONS, width, 0.2),
        "a.post_ln.weight": np.ones(width, np.float32),
        "a.post_ln.bias": np.zeros(width, np.float32),
        "mm.a.norm_pre.weight": np.ones(width * _STACK, np.float32),
        "mm.a.mlp.1.weight": draw.normal(2 * _HIDDEN, width * _STACK, 0.05),
        "mm.a.norm_mid.weight": np.ones(_HIDDEN, np.float32),
        "mm.a.mlp.2.weight": draw.normal(n_embd, _HIDDEN, 0.3),
    }
    for layer in range(tower.n_layers):
        block = f"a.blk.{layer}"
        weights |= tower_block(draw, block, tower, down=0.3)
        del weights[f"{block}.attn_k.bias"]
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_audio_encoder", True)
    writer.add_string("clip.audio.projector_type", "ultravox")
    writer.add_uint32("clip.audio.embedding_length", width)
    writer.add_uint32("clip.audio.feed_forward_length", n_ff)
    writer.add_uint32("clip.audio.block_count", tower.n_layers)
    writer.add_uint32("clip.audio.attention.head_count", tower.n_heads)
    writer.add_uint32("clip.audio.projection_dim", n_embd)
    writer.add_float32("clip.audio.attention.layer_norm_epsilon", 1e-5)
    writer.add_uint32("clip.audio.num_mel_bins", _MELS)
    writer.add_uint32("clip.audio.projector.stack_factor", _STACK)
    return write_model(writer, weights, path)


def make_both(path: Path, eye: Path, ear: Path) -> Path:
    """Write one projector that sees as `eye` does and hears as `ear` does."""
    seen, heard = read_gguf(eye), read_gguf(ear)
    kind = seen[0].pop("clip.projector_type")
    return write_copy(
        path, heard[0] | seen[0] | {"clip.vision.projector_type": kind}, seen[1] | heard[1]
    )


def _kernel(draw: Draw, rows: int, columns: int) -> Array:
    return draw.normal(rows, columns * 3, 0.1).reshape(rows, columns, 3).astype(np.float16)
