"""Checkpoints of models that hear become two files, and the engine hears with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from puna.convert.conversion import Conversion
from puna.errors import ConvertError
from puna.gguf.describe import describe_header
from puna.gguf.reader import read_header
from puna.runner.llama.projector import Chunk, Projector, Recording, Vectors
from tests.convert.test_conversion import run, values
from tests.fakes.ears import tone
from tests.fakes.heard import CONFIG, TEXT, heard_weights, write_heard
from tests.runner.raw import RawEngine

TOKENS = 750  # of a window of 30 seconds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model and its projector."""
    folder = tmp_path_factory.mktemp("heard")
    target = folder / "heard.gguf"
    run(write_heard(folder / "source"), target, "F32")
    return target, Conversion("model", target, target).projector


def hear(files: tuple[Path, Path], *sounds: np.ndarray[Any, Any]) -> Iterator[Vectors]:
    raw = RawEngine(files[0])
    projector = Projector(str(files[1]), raw.model, 1, on_card=False)
    for number, sound in enumerate(sounds):
        chunks = projector.read([Recording(sound, str(number))], with_bos=False)
        (chunk,) = [each for each in chunks if isinstance(each, Chunk)]
        yield projector.encode(chunk)
    projector.close()
    raw.close()


def test_the_engine_hears_with_both_files(made: tuple[Path, Path]) -> None:
    one, other, again = hear(made, *(tone(1, seed=seed) for seed in (1, 2, 1)))
    assert one.shape == (TOKENS, TEXT)
    assert np.isfinite(one).all()
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_what_is_in_the_projector(made: tuple[Path, Path]) -> None:
    header = read_header(made[1])
    keys = {
        "general.type": "mmproj",
        "clip.has_audio_encoder": True,
        "clip.projector_type": "qwen2a",
        "clip.audio.projection_dim": TEXT,
        "clip.audio.num_mel_bins": 80,
        "clip.audio.block_count": 2,
    }
    assert {key: header.metadata[key] for key in keys} == keys
    assert not [key for key in header.metadata if key.startswith("clip.vision.")]
    assert "audio" in describe_header(header).capabilities
    kinds = {tensor.name: tensor.type_name for tensor in header.tensors}
    assert kinds["a.conv1d.2.weight"] == "F16"  # whatever else is asked for
    assert kinds["a.position_embd.weight"] == kinds["a.blk.1.attn_q.weight"] == "F32"
    source, written = heard_weights(), values(made[1])
    assert np.array_equal(written["mm.a.fc.weight"], source["multi_modal_projector.linear.weight"])
    assert written["a.conv1d.1.bias"].shape == (24, 1)


def test_audio_flamingo_has_two_matrices(tmp_path: Path) -> None:
    parts = {
        "multi_modal_projector__linear__weight": None,
        "multi_modal_projector__linear__bias": None,
        "multi_modal_projector__linear_1__weight": np.ones((TEXT, 24), np.float32),
        "multi_modal_projector__linear_1__bias": np.ones(TEXT, np.float32),
        "multi_modal_projector__linear_2__weight": np.ones((TEXT, TEXT), np.float32),
        "multi_modal_projector__linear_2__bias": np.ones(TEXT, np.float32),
    }
    config = CONFIG | {
        "architectures": ["AudioFlamingo3ForConditionalGeneration"],
        "model_type": "audioflamingo3",
    }
    target = tmp_path / "heard.gguf"
    run(write_heard(tmp_path / "source", config, **parts), target, "F32")
    header = read_header(Conversion("model", target, target).projector)
    assert header.metadata["clip.projector_type"] == "musicflamingo"
    unbiased = config | {"projector_bias": False}
    with pytest.raises(ConvertError, match="projector_bias"):
        run(write_heard(tmp_path / "other", unbiased, **parts), target, "F32")


AUDIO = CONFIG["audio_config"]
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "other windows": ({"max_source_positions": 750}, {}, "max_source_positions"),
    "another activation": ({"activation_function": "relu"}, {}, "activation_function"),
    "a tensor is missing": ({}, {"audio_tower__layer_norm__bias": None}, "a.post_ln.bias"),
    "a tensor of another shape": (
        {},
        {"multi_modal_projector__linear__bias": np.zeros(7, np.float32)},
        r"has shape \[7\], where \[32\] is expected",
    ),
    "a tensor too many": (
        {},
        {"audio_tower__layers__0__self_attn__k_proj__bias": np.zeros(24, np.float32)},
        "no place for a.blk.0.attn_k.bias",
    ),
}


@pytest.mark.parametrize(("audio", "weights", "complaint"), REFUSED.values(), ids=REFUSED)
def test_refusals(
    tmp_path: Path, audio: dict[str, Any], weights: dict[str, Any], complaint: str
) -> None:
    config = CONFIG | {"audio_config": AUDIO | audio}
    source = write_heard(tmp_path / "source", config, **weights)
    with pytest.raises(ConvertError, match=complaint):
        run(source, tmp_path / "heard.gguf", "F32")
