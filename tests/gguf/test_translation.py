"""What is made of files in the reference's own form, from their headers alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puna.errors import BadModelFile
from puna.gguf.reader import read_header
from puna.gguf.translation.registry import ARCHITECTURES, Translation, translation_of
from puna.gguf.values import ArrayInfo
from tests.fakes.ggufs import Array, Raw, Tensor, Value, write_gguf

GEMMA: Mapping[str, Value] = {
    "general.architecture": "gemma3",
    "gemma3.block_count": 1,
    "gemma3.context_length": 131_072,
    "gemma3.embedding_length": 4,
    "gemma3.vision.block_count": 1,
    "gemma3.vision.embedding_length": 4,
    "gemma3.vision.feed_forward_length": 4,
    "gemma3.vision.attention.head_count": 1,
    "gemma3.vision.image_size": 56,
    "gemma3.vision.patch_size": 14,
    "gemma3.mm.tokens_per_image": 4,
    "tokenizer.ggml.tokens": Array(8, ["a", "b", "c"]),
    "tokenizer.ggml.scores": Array(6, [1.0, 2.0, 3.0]),
}
TENSORS = (
    Tensor("token_embd.weight", (4, 2), data=bytes(range(32))),
    Tensor("v.patch_embedding.weight", (4,), 1, data=bytes(8)),
    Tensor("v.blk.0.mlp.fc1.weight"),
)


def translated(
    path: Path, keys: Mapping[str, Value] = GEMMA, tensors: tuple[Tensor, ...] = TENSORS
) -> Translation | None:
    write_gguf(path, keys, tensors)
    return translation_of(read_header(path), path)


def without(name: str) -> dict[str, Value]:
    return {key: value for key, value in GEMMA.items() if key != name}


def test_what_the_text_model_lacks_is_added_and_the_encoder_is_left_out(tmp_path: Path) -> None:
    found = translated(tmp_path / "m.gguf")
    assert found is not None
    path = tmp_path / "text.gguf"
    head = found.text.read_head(tmp_path / "m.gguf")
    path.write_bytes(head + bytes(32))
    header = read_header(path, arrays=True)
    assert [tensor.name for tensor in header.tensors] == ["token_embd.weight"]
    assert header.metadata["tokenizer.ggml.tokens"] == ("a", "b")
    assert header.metadata["tokenizer.ggml.scores"] == (1.0, 2.0)
    assert header.metadata["gemma3.rope.freq_base"] == 1e6
    assert header.metadata["gemma3.rope.scaling.type"] == "linear"
    assert header.metadata["gemma3.attention.layer_norm_rms_epsilon"] == 1e-6


def test_the_encoder_has_its_own_names_and_keys(tmp_path: Path) -> None:
    found = translated(tmp_path / "m.gguf")
    assert found is not None
    assert found.eye is not None
    header = found.eye.header
    assert [(tensor.name, tensor.type_name) for tensor in header.tensors] == [
        ("v.patch_embd.weight", "F32"),
        ("v.blk.0.ffn_up.weight", "F32"),
    ]
    assert header.metadata["clip.projector_type"] == "gemma3"
    assert header.metadata["clip.vision.projector.scale_factor"] == 2


BLIND: Mapping[str, tuple[Mapping[str, Value], tuple[Tensor, ...], str]] = {
    "a key that must be there": (
        without("gemma3.vision.patch_size"),
        TENSORS,
        'key "gemma3.vision.patch_size" is missing',
    ),
    "tokens that are no square": (
        {**GEMMA, "gemma3.mm.tokens_per_image": 5},
        TENSORS,
        "5 tokens are no square of 4 patches a side",
    ),
    "two tensors of one name": (
        GEMMA,
        (*TENSORS, Tensor("v.patch_embd.weight")),
        'tensor "v.patch_embd.weight" is there twice',
    ),
}


@pytest.mark.parametrize(("keys", "tensors", "reason"), BLIND.values(), ids=BLIND)
def test_an_encoder_that_cannot_be_used_is_no_hindrance_for_texts(
    tmp_path: Path, keys: Mapping[str, Value], tensors: tuple[Tensor, ...], reason: str
) -> None:
    found = translated(tmp_path / "m.gguf", keys, tensors)
    assert found is not None
    assert found.eye is None
    assert found.why_blind == f"the encoder inside its file cannot be used: {reason}"
    assert [each.name for each in found.text.header.tensors] == ["token_embd.weight"]


PLAIN: Mapping[str, tuple[dict[str, Any], tuple[Tensor, ...]]] = {
    "a file of the engine's form": (
        {
            "general.architecture": "gemma3",
            "gemma3.block_count": 1,
            "gemma3.attention.layer_norm_rms_epsilon": 1e-6,
        },
        TENSORS[:1],
    ),
    "another architecture": (
        {"general.architecture": "llama", "llama.block_count": 1},
        TENSORS[:1],
    ),
    "a projector": ({"general.architecture": "clip", "clip.has_vision_encoder": True}, TENSORS[1:]),
}


@pytest.mark.parametrize(("keys", "tensors"), PLAIN.values(), ids=PLAIN)
def test_other_files_are_left_alone(
    tmp_path: Path, keys: dict[str, Any], tensors: tuple[Tensor, ...]
) -> None:
    assert translated(tmp_path / "m.gguf", keys, tensors) is None


def test_a_part_of_a_model_is_not_translated(tmp_path: Path) -> None:
    keys = {**GEMMA, "split.count": 2, "split.no": 0}
    with pytest.raises(BadModelFile, match="must be whole"):
        translated(tmp_path / "m.gguf", keys)


NEW: Mapping[str, tuple[str, dict[str, Value], tuple[Tensor, ...], list[str], dict[str, Any]]] = {
    "Gemma 3n loses the tokens that its layers do not know": (
        "gemma3n",
        {"tokenizer.ggml.tokens": Array(8, ["a", "b", "c"])},
        (
            Tensor("token_embd.weight", (2, 3), data=bytes(24)),
            Tensor("per_layer_token_embd.weight", (2, 2)),
        ),
        ["token_embd.weight [2, 2]", "per_layer_token_embd.weight [2, 2]"],
        {"general.architecture": "gemma3n", "tokenizer.ggml.tokens": 2},
    ),
    "Nemotron with a compressed network": (
        "nemotron_h_moe",
        {},
        (
            Tensor("blk.1.ffn_latent_in.weight", (2, 2)),
            Tensor("blk.1.ffn_latent_out.weight", (2, 2)),
            Tensor("mtp.layers.0.x"),
        ),
        ["blk.1.ffn_latent_down.weight [2, 2]", "blk.1.ffn_latent_up.weight [2, 2]"],
        {"nemotron_h_moe.moe_latent_size": 2},
    ),
    "Nemotron that sees and hears": (
        "nemotron_h_omni",
        {"nemotron_h_omni.expert_count": 4},
        (Tensor("blk.0.x"), Tensor("v.x"), Tensor("a.x"), Tensor("mm.x")),
        ["blk.0.x [4]"],
        {"general.architecture": "nemotron_h_moe", "nemotron_h_moe.expert_count": 4},
    ),
    "Nemotron without experts that sees": (
        "nemotron_h_omni",
        {},
        (Tensor("blk.0.x"), Tensor("v.x")),
        ["blk.0.x [4]"],
        {"general.architecture": "nemotron_h"},
    ),
    "Qwen3-Next": (
        "qwen3next",
        {"qwen3next.attention.head_count_kv": Array(4, [0, 0, 0, 2])},
        (Tensor("blk.0.ssm_dt"),),
        ["blk.0.ssm_dt.bias [4]"],
        {"qwen3next.attention.head_count_kv": 2},
    ),
    "Qwen3.5 with experts": (
        "qwen35moe",
        {"qwen35moe.attention.head_count_kv": Array(4, [0, 2])},
        (Tensor("blk.0.ssm_dt"), Tensor("blk.1.x"), Tensor("mtp.x")),
        ["blk.0.ssm_dt.bias [4]", "blk.1.x [4]"],
        {
            "qwen35moe.attention.head_count_kv": 2,
            "qwen35moe.block_count": 2,
            "qwen35moe.rope.dimension_sections": (11, 11, 10, 0),
        },
    ),
    "Laguna": (
        "laguna",
        {"laguna.rope.swa.dimension_count": 64, "laguna.rope.swa.freq_base": 1e4},
        (Tensor("blk.0.attn_g.weight"),),
        ["blk.0.attn_gate.weight [4]"],
        {"laguna.rope.dimension_count_swa": 64, "laguna.rope.freq_base_swa": 1e4},
    ),
    "an early file of Mixtral": (
        "llama",
        {"llama.expert_count": 2},
        (
            *(Tensor(f"blk.0.ffn_gate.{n}.weight", (2, 2), data=bytes(16)) for n in (1, 0)),
            *(Tensor(f"blk.0.ffn_up.{n}.weight", (2, 2), n, data=bytes(16)) for n in (0, 1)),
        ),
        ["blk.0.ffn_gate_exps.weight [2, 2, 2]", "blk.0.ffn_up_exps.weight [2, 2, 2]"],
        {"llama.expert_count": 2},
    ),
}


@pytest.mark.parametrize(("architecture", "keys", "tensors", "made", "told"), NEW.values(), ids=NEW)
def test_names_and_numbers_of_others_become_the_engines(
    tmp_path: Path,
    architecture: str,
    keys: dict[str, Value],
    tensors: tuple[Tensor, ...],
    made: list[str],
    told: dict[str, Any],
) -> None:
    common: dict[str, Value] = {"general.architecture": architecture}
    found = translated(
        tmp_path / "m.gguf", {**common, f"{architecture}.block_count": 1, **keys}, tensors
    )
    assert found is not None
    header = found.text.header
    assert [f"{each.name} {list(each.shape)}" for each in header.tensors] == made
    said = {key: header.metadata[key] for key in told}
    assert {
        key: value.count if isinstance(value, ArrayInfo) else value for key, value in said.items()
    } == told


def test_a_type_of_old_has_a_meaning_in_one_architecture_alone(tmp_path: Path) -> None:
    tensors = (Tensor("blk.0.ffn_gate_exps.weight", (32, 2, 1), 4, data=bytes(34)),)
    keys: dict[str, Value] = {"general.architecture": "gptoss", "gptoss.block_count": 1}
    found = translated(tmp_path / "m.gguf", keys, tensors)
    assert found is not None
    (made,) = found.text.tensors
    assert (made.info.type_id, made.info.type_name) == (39, "MXFP4")
    for architecture in ("llama", "gpt-oss"):
        with pytest.raises(BadModelFile, match="unknown tensor type 4"):
            translated(tmp_path / "m.gguf", {**keys, "general.architecture": architecture}, tensors)


def read_back(tmp_path: Path, found: Translation | None, n_bytes: int) -> Mapping[str, Any]:
    """The keys of the text model's file, with all arrays."""
    assert found is not None
    path = tmp_path / "text.gguf"
    path.write_bytes(found.text.read_head(tmp_path / "m.gguf") + bytes(n_bytes))
    return read_header(path, arrays=True).metadata


def test_bytes_among_tokens_are_known_as_such(tmp_path: Path) -> None:
    keys: dict[str, Value] = {
        "general.architecture": "gemma3n",
        "gemma3n.block_count": 1,
        "tokenizer.ggml.tokens": Array(8, ["a", "<0x0A>", "<0xZZ>", "b"]),
        "tokenizer.ggml.token_type": Array(5, [1, 1, 3, 1]),
    }
    tensors = (
        Tensor("token_embd.weight", (1, 4)),
        Tensor("per_layer_token_embd.weight", (1, 3), data=bytes(12)),
    )
    found = translated(tmp_path / "m.gguf", keys, tensors)
    made = read_back(tmp_path, found, 64)
    assert made["tokenizer.ggml.token_type"] == (1, 6, 3)
    assert made["tokenizer.ggml.tokens"] == ("a", "<0x0A>", "<0xZZ>")


@pytest.mark.parametrize(("letters", "expected"), [("AQL/", (1, 2, 255)), ("AQL", None)])
def test_a_table_in_letters_becomes_bytes(
    tmp_path: Path, letters: str, expected: tuple[int, ...] | None
) -> None:
    keys: dict[str, Value] = {
        "general.architecture": "bert",
        "bert.block_count": 1,
        "tokenizer.ggml.precompiled_charsmap": Array(8, list(letters)),
    }
    found = translated(tmp_path / "m.gguf", keys, (Tensor("blk.0.x"),))
    if expected is None:
        with pytest.raises(BadModelFile, match="is not in base64"):
            read_back(tmp_path, found, 32)
    else:
        made = read_back(tmp_path, found, 32)
        assert made["tokenizer.ggml.precompiled_charsmap"] == expected


ODD = st.one_of(
    st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.floats(width=32),
    st.sampled_from(["", "llama", "default"]),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5).map(lambda each: Array(5, each)),
    st.lists(st.floats(width=32), max_size=4).map(lambda each: Array(6, each)),
    st.integers(0, 2**64 - 1).map(lambda each: Raw(10, each)),
    st.floats().map(lambda each: Raw(12, each)),
)
NAMES = """
    token_embd.weight per_layer_token_embd.weight blk.0.ffn_gate_exps.weight blk.0.ssm_dt
    blk.0.attn_qkv.weight blk.0.attn_qkv.bias blk.0.ffn_gate_up_exps.weight
    blk.0.ffn_gate_up_exps.bias
    blk.1.ffn_down_exps.weight blk.1.ffn_down_shexp.weight blk.0.ffn_gate.weight blk.0.ffn_up.weight
    dense.0.weight dense.1.weight blk.0.ffn_latent_in.weight mtp.x v.patch_embd.weight
    v.patch_embed.weight v.pos_embed.weight v.blk.0.attn_q.weight v.blk.0.attn_k.weight
    v.blk.0.attn_v.weight v.blk.0.ffn_up.weight v.blk.0.mlp.linear_fc1.weight
    v.deepstack_merger.0.norm.weight s.position_embd mm.a.x a.x
"""
KEYS = """
    block_count context_length embedding_length attention.head_count attention.head_count_kv
    attention.key_length attention.cross_attention_layers attention.kv_lora_rank
    rope.dimension_count rope.mrope_section
    rope.dimension_sections rope.partial_rotary_factor expert_count spatial_merge_size
    mm.tokens_per_image vision.block_count vision.embedding_length vision.feed_forward_length
    vision.attention.head_count vision.head_count vision.image_size vision.patch_size
    vision.num_channels vision.intermediate_size vision.pixel_shuffle_ratio
    vision.deepstack_visual_indexes vision.fullatt_block_indexes vision.image_mean sam.block_count
    sam.embedding_length sam.head_count
"""
USUAL: Mapping[str, Value] = dict.fromkeys(KEYS.split(), 2)
SQUARE: Mapping[str, list[int]] = {name: [4, 4] for name in NAMES.split()}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ARCHITECTURES), st.data())
def test_whatever_a_file_says_there_is_a_translation_or_an_error(
    tmp_path: Path, architecture: str, data: st.DataObject
) -> None:
    odd_keys = data.draw(st.dictionaries(st.sampled_from([*USUAL]), st.none() | ODD, max_size=3))
    shapes = st.none() | st.lists(st.integers(0, 4), max_size=4)
    odd_shapes = data.draw(st.dictionaries(st.sampled_from([*SQUARE]), shapes, max_size=3))
    keys: dict[str, Value] = {"general.architecture": architecture}
    for name, value in {**USUAL, "block_count": 1, **odd_keys}.items():
        if value is not None:
            keys[f"{architecture}.{name}"] = value
    tensors = tuple(
        Tensor(name, shape, data=bytes(1024))
        for name, shape in {**SQUARE, **odd_shapes}.items()
        if shape is not None
    )
    with contextlib.suppress(BadModelFile):
        found = translated(tmp_path / "m.gguf", keys, tensors)
        for target in filter(None, (found.text, found.eye) if found else ()):
            target.read_head(tmp_path / "m.gguf")


INFINITE = Array(6, [math.inf, 1.0, math.nan])
BEYOND: dict[str, tuple[str, dict[str, Value], str]] = {
    "a part of a side": (
        "llama4",
        {"llama4.vision.pixel_shuffle_ratio": Raw(12, 5e-324)},  # one over it is infinite
        "a pixel_shuffle_ratio of 5e-324 is no part of a side",
    ),
    "a part of a head": (
        "glmocr",
        {
            "glmocr.rope.partial_rotary_factor": Raw(12, 1e308),
            "glmocr.attention.key_length": Raw(10, 2**63),
        },
        "a partial_rotary_factor of 1e+308 is no part of a head",
    ),
    "layers": (
        "mllama",
        {"mllama.attention.cross_attention_layers": INFINITE},
        'key "mllama.attention.cross_attention_layers" is missing',
    ),
    "blocks": ("qwen3vl", {"qwen3vl.vision.deepstack_visual_indexes": INFINITE}, ""),
    "a list": (
        "qwen3vl",
        {"tokenizer.ggml.tokens": Array(8, ["a"] * 9), "tokenizer.ggml.scores": 5},
        "",
    ),
    "tokens": ("glm4moelite", {"tokenizer.ggml.eos_token_ids": INFINITE}, ""),
}


@pytest.mark.parametrize(("architecture", "odd", "told"), BEYOND.values(), ids=BEYOND)
def test_numbers_that_are_none_are_told_or_passed_over(
    tmp_path: Path, architecture: str, odd: dict[str, Value], told: str
) -> None:
    keys: dict[str, Value] = {"general.architecture": architecture}
    keys |= {f"{architecture}.{name}": value for name, value in USUAL.items()} | odd
    tensors = tuple(Tensor(name, shape, data=bytes(1024)) for name, shape in SQUARE.items())
    assert told in what_is_wrong(tmp_path / "m.gguf", keys, tensors)


def what_is_wrong(path: Path, keys: Mapping[str, Value], tensors: tuple[Tensor, ...]) -> str:
    try:
        found = translated(path, keys, tensors)
    except BadModelFile as error:
        return str(error)
    assert found is not None
    found.text.read_head(path)
    return found.why_blind
