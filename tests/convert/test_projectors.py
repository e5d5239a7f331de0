"""Checkpoints of models that see become two files, and the engine sees with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from puna.convert.config import Config
from puna.convert.conversion import Conversion, Written
from puna.errors import ConvertError
from puna.gguf.reader import read_header
from puna.runner.llama.vision import Chunk, Picture, Projector, Vectors
from puna.runner.pixels import read_pixels
from tests.convert.test_conversion import run, values
from tests.fakes.projectors import make_image
from tests.fakes.sighted import CHECKPOINTS, TEXT, Sighted, Weights
from tests.runner.raw import RawEngine


@dataclass(frozen=True)
class Converted:
    """Both files of a checkpoint, and what the converter said of them."""

    source: Sighted
    model: Path
    projector: Path
    written: tuple[Written, ...]


def projector_of(target: Path) -> Path:
    return Conversion("model", target, target).projector


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Converted]:
    folder = tmp_path_factory.mktemp("sighted")
    done: dict[str, Converted] = {}

    def make(name: str) -> Converted:
        if name not in done:
            source, target = CHECKPOINTS[name], folder / f"{name}.gguf"
            said = run(source.write(folder / name), target, "F32")
            done[name] = Converted(source, target, projector_of(target), said[-1].written)
        return done[name]

    return make


@pytest.fixture(params=CHECKPOINTS)
def converted(request: pytest.FixtureRequest, made: Callable[[str], Converted]) -> Converted:
    return made(request.param)


def see(converted: Converted, images: list[bytes]) -> Iterator[Vectors]:
    """What the engine's own code makes of images."""
    raw = RawEngine(converted.model)
    projector = Projector(str(converted.projector), raw.model, 1, on_card=False)
    for image in images:
        picture = Picture(read_pixels(image, 0)[0], hashlib.sha256(image).hexdigest())
        chunks = projector.read([picture], with_bos=False)
        (chunk,) = [each for each in chunks if isinstance(each, Chunk)]
        yield projector.encode(chunk)
    projector.close()
    raw.close()


def test_the_engine_sees_with_both_files(converted: Converted) -> None:
    one, other, again = see(converted, [make_image(seed=1), make_image(seed=2), make_image(seed=1)])
    assert one.shape == (converted.source.tokens, TEXT)
    assert np.isfinite(one).all()
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_it_is_said_what_was_written(converted: Converted) -> None:
    paths = {"model": str(converted.model), "projector": str(converted.projector)}
    assert {one.role: one.path for one in converted.written} == paths
    header = read_header(converted.projector)
    assert header.metadata["general.architecture"] == "clip"
    assert header.metadata["clip.vision.projection_dim"] == TEXT
    assert not [t.name for t in read_header(converted.model).tensors if t.name[:2] in ("v.", "mm")]


def test_gemma_3_counts_its_norm_from_one(made: Callable[[str], Converted]) -> None:
    gemma = made("gemma3")
    source, written = gemma.source.weights(), values(gemma.projector)
    norm = source["multi_modal_projector.mm_soft_emb_norm.weight"]
    assert np.array_equal(written["mm.soft_emb_norm.weight"], norm + 1)
    matrix = source["multi_modal_projector.mm_input_projection_weight"]
    assert np.array_equal(written["mm.input_projection.weight"], matrix)
    assert read_header(gemma.projector).metadata["clip.vision.projector.scale_factor"] == 2


def test_what_backends_cannot_compute_in_bfloat16_is_float32(tmp_path: Path) -> None:
    target = tmp_path / "a.gguf"
    run(CHECKPOINTS["gemma3"].write(tmp_path / "hf"), target, "BF16")
    types = {t.name: t.type_name for t in read_header(projector_of(target)).tensors}
    assert types["v.blk.0.ffn_up.weight"] == "BF16"
    for name in ("v.patch_embd", "v.position_embd", "mm.input_projection", "v.post_ln"):
        assert types[f"{name}.weight"] == "F32"


Fault = Callable[[Weights], object]
FC1 = "vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight"
MATRIX = "multi_modal_projector.mm_input_projection_weight"

FAULTS: dict[str, tuple[str, Fault, str]] = {
    "a block's tensor is missing": (
        "gemma3",
        lambda w: w.pop(FC1),
        rf'model\.safetensors: tensor "{FC1}": is missing \(v\.blk\.1\.ffn_up\.weight\)',
    ),
    "the projector is missing": (
        "gemma3",
        lambda w: w.pop(MATRIX),
        r'tensor "mm\.input_projection\.weight": the projector\'s tensor is missing',
    ),
    "a wrong shape": (
        "gemma3",
        lambda w: w.update({FC1: w[FC1][:-1]}),
        rf'tensor "{FC1}": has shape \[39, 24\], where \[40, 24\] is expected',
    ),
    "a NaN": (
        "gemma3",
        lambda w: w[FC1].__setitem__((3, 3), np.nan),
        rf'tensor "{FC1}": holds a NaN',
    ),
    "a tensor of another encoder": (
        "gemma3",
        lambda w: w.update({"vision_tower.vision_model.ears.weight": np.ones((2, 2), np.float32)}),
        r'"vision_tower\.vision_model\.ears\.weight": the projector gemma3 has no place for',
    ),
}


@pytest.mark.parametrize(("name", "fault", "problem"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_and_neither_file_is_left(
    tmp_path: Path, name: str, fault: Fault, problem: str
) -> None:
    weights = CHECKPOINTS[name].weights()
    fault(weights)
    source = CHECKPOINTS[name].write(tmp_path / "hf", weights)
    target = tmp_path / "out" / "model.gguf"
    target.parent.mkdir()
    with pytest.raises(ConvertError, match=problem):
        run(source, target)
    assert list(target.parent.iterdir()) == []


def test_without_an_encoder_the_text_model_alone_is_written(tmp_path: Path) -> None:
    whole = CHECKPOINTS["gemma3"].weights()
    text = {name: values for name, values in whole.items() if name.startswith("language_model.")}
    target = tmp_path / "a.gguf"
    (written,) = run(CHECKPOINTS["gemma3"].write(tmp_path / "hf", text), target)[-1].written
    assert (written.role, written.architecture) == ("model", "gemma3")
    assert not projector_of(target).exists()


def test_what_a_nested_configuration_leaves_out_is_as_its_class_has_it() -> None:
    """As the maker's own files of Gemma 3 do: neither heads nor the context are in them."""
    part = {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34}
    config = Config(json.loads(json.dumps({"model_type": "gemma3", "text_config": part})))
    assert (config.n_heads, config.n_kv_heads, config.head_size) == (8, 4, 256)
    assert (config.whole("context"), config.whole("width")) == (131072, 2560)
    assert not Config(part).has("n_heads")
