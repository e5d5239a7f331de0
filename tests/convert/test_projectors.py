"""Checkpoints of models that see become two files, and the engine sees with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from puna.convert.checkpoint import read_config, read_weights
from puna.convert.config import Config
from puna.convert.conversion import Conversion, Written
from puna.convert.encoder import find_encoder
from puna.convert.family import Value
from puna.convert.projector import CLIP_PIXELS
from puna.errors import BadCheckpoint, ConvertError
from puna.gguf.reader import read_header
from puna.runner.llama.projector import Chunk, Picture, Projector, Vectors
from puna.runner.pixels import read_pixels
from tests.convert.test_conversion import run, values
from tests.fakes.checkpoints import write_tokenizer
from tests.fakes.projectors import make_image
from tests.fakes.sighted import BREAK, CHECKPOINTS, Sighted
from tests.fakes.sighted_weights import TEXT, Weights
from tests.runner.raw import RawEngine


@dataclass(frozen=True)
class Converted:
    """Both files of a checkpoint, and what the converter said of them."""

    source: Sighted
    model: Path
    projector: Path
    written: tuple[Written, ...]


def projector_path(target: Path) -> Path:
    return Conversion("model", target, target).projector


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Converted]:
    folder = tmp_path_factory.mktemp("sighted")
    done: dict[str, Converted] = {}

    def make(name: str) -> Converted:
        if name not in done:
            source, target = CHECKPOINTS[name], folder / f"{name}.gguf"
            said = run(source.write(folder / name), target, "F32")
            done[name] = Converted(source, target, projector_path(target), said[-1].written)
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
    images = [make_image(*converted.source.size, seed=seed) for seed in (1, 2, 1)]
    one, other, again = see(converted, images)
    assert one.shape == (converted.source.tokens, converted.source.width)
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


def test_pixtral_brings_the_token_between_rows(made: Callable[[str], Converted]) -> None:
    mistral = made("mistral3")
    source, written = mistral.source.weights(), values(mistral.projector)
    row = source["language_model.model.embed_tokens.weight"][BREAK]
    assert np.array_equal(written["v.token_embd.img_break"], row)


def test_pixtral_goes_from_halves_to_neighbours(made: Callable[[str], Converted]) -> None:
    mistral = made("mistral3")
    source, written = mistral.source.weights(), values(mistral.projector)
    for ours, theirs in (("attn_q", "q_proj"), ("attn_k", "k_proj")):
        rows = source[f"vision_tower.transformer.layers.1.attention.{theirs}.weight"]
        moved = np.stack([rows[0:6], rows[6:12]], 1).reshape(12, 24)  # the first of two heads
        assert np.array_equal(written[f"v.blk.1.{ours}.weight"][:12], moved)


def test_qwen_parts_its_frames_and_its_attention(made: Callable[[str], Converted]) -> None:
    qwen = made("qwen2.5-vl")
    source, written = qwen.source.weights(), values(qwen.projector)
    frames = source["visual.patch_embed.proj.weight"]
    assert np.array_equal(written["v.patch_embd.weight"], frames[:, :, 0])
    assert np.array_equal(written["v.patch_embd.weight.1"], frames[:, :, 1])
    for number, name in enumerate(("attn_q", "attn_k", "attn_v")):
        part = slice(24 * number, 24 * (number + 1))
        for kind in ("weight", "bias"):
            whole = source[f"visual.blocks.1.attn.qkv.{kind}"]
            assert np.array_equal(written[f"v.blk.1.{name}.{kind}"], whole[part])
    assert read_header(qwen.projector).metadata["clip.vision.n_wa_pattern"] == 2


def test_what_qwen_3_hands_on_is_named_by_its_block(made: Callable[[str], Converted]) -> None:
    qwen = made("qwen3-vl")
    source, written = qwen.source.weights(), values(qwen.projector)
    first = source["model.visual.deepstack_merger_list.0.linear_fc1.weight"]
    assert np.array_equal(written["v.deepstack.1.fc1.weight"], first)
    assert np.array_equal(written["v.post_ln.bias"], source["model.visual.merger.norm.bias"])
    header = read_header(qwen.projector, arrays=True)
    assert header.metadata["clip.vision.is_deepstack_layers"] == (False, True)
    assert header.metadata["clip.vision.image_size"] == 56


def test_lfm2_has_the_colours_of_a_patch_last(made: Callable[[str], Converted]) -> None:
    lfm = made("lfm2-vl")
    tower = "model.vision_tower.vision_model.embeddings.patch_embedding.weight"
    source, written = lfm.source.weights()[tower], values(lfm.projector)["v.patch_embd.weight"]
    assert written.shape == (24, 3, 14, 14)
    assert all(source[5, (3 * 14 + 7) * 3 + c] == written[5, c, 3, 7] for c in range(3))


def test_llama_4_has_two_norms_in_a_block(made: Callable[[str], Converted]) -> None:
    llama = made("llama4")
    source, written = llama.source.weights(), values(llama.projector)
    for ours, theirs in (("ln1", "input_layernorm"), ("ln2", "post_attention_layernorm")):
        weight = source[f"vision_model.model.layers.1.{theirs}.weight"]
        assert np.array_equal(written[f"v.blk.1.{ours}.weight"], weight)


def look(name: str, folder: Path, **changes: Any) -> dict[str, Value]:
    """The keys of a checkpoint's projector, with another configuration; nothing is written."""
    sighted = CHECKPOINTS[name]
    own = {**sighted.config["vision_config"], **changes.pop("vision", {})}
    told = {**sighted.config, "vision_config": own, **changes}
    source = replace(sighted, config=told).write(folder)
    weights = read_weights(source)
    encoder = find_encoder(source, read_config(source), weights)
    assert encoder
    encoder.outputs(weights, "F16")
    return encoder.keys("F16")


@pytest.mark.parametrize(
    ("layer", "depths"), [(-2, None), (1, None), (-1, [2]), (2, [2]), ([-1], [2])]
)
def test_llava_reads_after_the_block_that_is_named(
    tmp_path: Path, layer: object, depths: list[int] | None
) -> None:
    keys = look("llava", tmp_path, vision_feature_layer=layer)
    assert keys.get("clip.vision.feature_layer") == depths


SETTINGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "an activation": (
        "llava",
        {"vision": {"hidden_act": "relu"}},
        "'hidden_act' is 'relu', not one of quick_gelu, gelu",
    ),
    "the class as a token": (
        "llava",
        {"vision_feature_select_strategy": "full"},
        "'vision_feature_select_strategy' is 'full', not default",
    ),
    "a layer that is not there": (
        "llava",
        {"vision_feature_layer": 3},
        "'vision_feature_layer' is '3', not rising, up to 2 layers",
    ),
    "a projector with another activation": (
        "llava",
        {"projector_hidden_act": "relu"},
        "'projector_hidden_act' is 'relu', not gelu",
    ),
    "windows of another size": (
        "qwen2.5-vl",
        {"vision": {"window_size": 224}},
        "'window_size' is '224', not 112",
    ),
    "blocks that see everything, without a rule": (
        "qwen2.5-vl",
        {"vision": {"fullatt_block_indexes": [0, 1, 5]}},
        "'fullatt_block_indexes' is .* not every so many blocks",
    ),
    "another rotation": (
        "mistral3",
        {"vision": {"rope_theta": 5000.0}},
        "'rope_theta' is '5000.0', not 10000.0",
    ),
    "tokens that are no square": (
        "gemma3",
        {"mm_tokens_per_image": 5},
        "'mm_tokens_per_image' is '5', not a square",
    ),
    "blocks that are handed on, and are not there": (
        "qwen3-vl",
        {"vision": {"deepstack_visual_indexes": [2]}},
        "'deepstack_visual_indexes' is .*, not rising numbers of blocks",
    ),
    "less blocks handed on than there are matrices for": (
        "qwen3-vl",
        {"vision": {"deepstack_visual_indexes": []}},
        r"deepstack_merger_list\.0\..*config\.json says that 0 blocks are handed on",
    ),
    "positions that are no square": (
        "qwen3-vl",
        {"vision": {"num_position_embeddings": 17}},
        "'num_position_embeddings' is '17', not a square",
    ),
    "an encoder that is not read at its end": (
        "lfm2-vl",
        {"vision_feature_layer": -2},
        "'vision_feature_layer' is '-2', not the last one",
    ),
    "a part of a patch": (
        "llama4",
        {"vision": {"pixel_shuffle_ratio": 0.4}},
        "'pixel_shuffle_ratio' is '0.4', not one part",
    ),
    "more blocks than there are": (
        "gemma3",
        {"vision": {"num_hidden_layers": 3}},
        r"layers\.2\..*is missing \(v\.blk\.2",
    ),
}


@pytest.mark.parametrize(("name", "changes", "problem"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_the_engine_does_not_compute_are_refused(
    tmp_path: Path, name: str, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BadCheckpoint, match=problem):
        look(name, tmp_path, **changes)


def test_without_its_token_between_rows_pixtral_is_refused(tmp_path: Path) -> None:
    source = CHECKPOINTS["mistral3"].write(tmp_path)
    write_tokenizer(source)
    weights = read_weights(source)
    encoder = find_encoder(source, read_config(source), weights)
    assert encoder
    with pytest.raises(BadCheckpoint, match=r"has no added token \[IMG_BREAK\]"):
        encoder.outputs(weights, "F16")


def test_how_images_are_prepared_is_taken_from_either_file(tmp_path: Path) -> None:
    assert look("llava", tmp_path)["clip.vision.image_mean"] == list(CLIP_PIXELS.mean)
    older, newer = tmp_path / "preprocessor_config.json", tmp_path / "processor_config.json"
    older.write_text(json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}))
    newer.write_text(json.dumps({"image_processor": {"image_std": [0.5, 0.6, 0.7]}}))
    keys = look("llava", tmp_path)
    assert keys["clip.vision.image_mean"] == [0.1, 0.2, 0.3]
    assert keys["clip.vision.image_std"] == [0.5, 0.6, 0.7]
    newer.write_text(json.dumps({"image_mean": "grey"}))
    with pytest.raises(BadCheckpoint, match="'image_mean' is 'grey', not a list"):
        look("llava", tmp_path)


def test_what_backends_cannot_compute_in_bfloat16_is_float32(tmp_path: Path) -> None:
    target = tmp_path / "a.gguf"
    run(CHECKPOINTS["gemma3"].write(tmp_path / "hf"), target, "BF16")
    types = {t.name: t.type_name for t in read_header(projector_path(target)).tensors}
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
    "a matrix of LLaVA's projector is missing, which the engine would not mind": (
        "llava",
        lambda w: w.pop("multi_modal_projector.linear_2.weight"),
        r'tensor "mm\.2\.weight": the projector\'s tensor is missing',
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
    assert not projector_path(target).exists()


def test_what_a_nested_configuration_leaves_out_is_as_its_class_has_it() -> None:
    """As the maker's own files of Gemma 3 do: neither heads nor the context are in them."""
    part = {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34}
    config = Config(json.loads(json.dumps({"model_type": "gemma3", "text_config": part})))
    assert (config.n_heads, config.n_kv_heads, config.head_size) == (8, 4, 256)
    assert (config.whole("context"), config.whole("width")) == (131072, 2560)
    assert not Config(part).has("n_heads")
