"""Folders become models in the real child process, or an error that names file and tensor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from puna.convert.conversion import Conversion, Order, Said, convert
from puna.convert.kinds import as_float32
from puna.convert.model import convert_model
from puna.errors import ConvertError
from puna.gguf.reader import read_header
from tests.fakes.checkpoints import llama_weights, make_checkpoint, write_safetensors
from tests.fakes.fixtures import SHARED

STORIES = SHARED / "fixtures" / "stories260K-hf"


def run(source: Path, target: Path, kind: str = "") -> list[Said]:
    """Convert; everything the child said."""

    async def work() -> list[Said]:
        async with aclosing(convert(Conversion("model", source, target, kind))) as steps:
            return [said async for said in steps]

    return asyncio.run(work())


def values(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of a file, as the gguf package reads them."""
    return {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}


def test_a_folder_becomes_a_model(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")
    target = tmp_path / "model.gguf"
    said = run(source, target)
    header = read_header(target, arrays=True)
    assert header.metadata["general.architecture"] == "llama"
    assert header.metadata["llama.attention.head_count_kv"] == 2
    assert header.metadata["tokenizer.ggml.pre"] == "gpt-2"
    assert len(header.metadata["tokenizer.ggml.tokens"]) == 280  # type: ignore[arg-type]
    (written,) = said[-1].written
    assert (written.role, written.architecture, written.type) == ("model", "llama", "F16")
    done = [one.done for one in said[:-1]]
    assert done == list(range(len(header.tensors) + 2))
    assert {one.total for one in said[:-1]} == {len(header.tensors) + 1}


def test_queries_and_keys_go_from_halves_to_neighbours(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")
    run(source, tmp_path / "a.gguf", "F32")
    weights, written = llama_weights(), values(tmp_path / "a.gguf")
    for ours, theirs, n_heads in (("attn_q", "q_proj", 4), ("attn_k", "k_proj", 2)):
        rows = weights[f"model.layers.1.self_attn.{theirs}.weight"]
        moved = np.empty_like(rows)
        for head in range(n_heads):
            for pair in range(4):
                for half in range(2):
                    moved[head * 8 + pair * 2 + half] = rows[head * 8 + half * 4 + pair]
        assert np.array_equal(written[f"blk.1.{ours}.weight"], moved)
    assert np.array_equal(
        written["blk.0.attn_v.weight"], weights["model.layers.0.self_attn.v_proj.weight"]
    )


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")
    run(source, tmp_path / "a.gguf")
    run(source, tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_shards_give_the_bytes_of_a_single_file(tmp_path: Path) -> None:
    run(make_checkpoint(tmp_path / "one"), tmp_path / "a.gguf")
    shards = make_checkpoint(tmp_path / "many")
    (shards / "model.safetensors").unlink()
    weights = list(llama_weights().items())
    where: dict[str, str] = {}
    for number, part in enumerate((weights[:5], weights[5:]), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        write_safetensors(shards / name, dict(part))
        where |= {tensor: name for tensor, _ in part}
    index = shards / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    run(shards, tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def as_bfloat16(weights: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: (w.view(np.uint32) >> 16).astype(np.uint16) for name, w in weights.items()}


def test_bfloat16_stays_so_and_norms_become_float32(tmp_path: Path) -> None:
    weights = as_bfloat16(llama_weights())
    run(make_checkpoint(tmp_path / "hf", weights), tmp_path / "a.gguf")
    types = {t.name: t.type_name for t in read_header(tmp_path / "a.gguf").tensors}
    assert types["blk.0.ffn_up.weight"] == "BF16"
    assert types["blk.0.attn_norm.weight"] == "F32"
    raw = values(tmp_path / "a.gguf")["blk.0.ffn_up.weight"].tobytes()
    assert raw == weights["model.layers.0.mlp.up_proj.weight"].tobytes()


def test_values_beyond_float16_make_the_file_bfloat16(tmp_path: Path) -> None:
    weights = llama_weights()
    weights["model.layers.1.mlp.up_proj.weight"][0, 0] = 70_000
    run(make_checkpoint(tmp_path / "hf", weights), tmp_path / "a.gguf")
    assert read_header(tmp_path / "a.gguf").metadata["general.file_type"] == 32


def test_eight_bits_are_written_down_as_what_the_weights_had(tmp_path: Path) -> None:
    """So that they become eight bits again where nobody asks for others."""
    weights = as_bfloat16(llama_weights())
    name = "model.layers.1.mlp.up_proj.weight"
    codes = np.random.default_rng(0).integers(0, 0x40, weights[name].shape).astype(np.uint8)
    weights[name] = codes
    weights[f"{name}_scale_inv"] = np.array([0.25], np.float32)
    source = make_checkpoint(tmp_path / "hf", weights)
    convert_model(Order("model", str(source), str(tmp_path / "a.gguf")), lambda _d, _t: None)
    metadata = read_header(tmp_path / "a.gguf", arrays=True).metadata
    assert metadata["llama.source_quantization"] == "hf_fp8"
    assert metadata["llama.source_fp8_tensors"] == ("blk.1.ffn_up.weight",)
    found = as_float32(values(tmp_path / "a.gguf")["blk.1.ffn_up.weight"].view(np.uint16), "BF16")
    assert np.array_equal(found, as_float32(codes, "F8_E4M3") / 4)


@pytest.mark.skipif(not STORIES.exists(), reason="the shared fixtures are not there")
def test_a_real_model_says_what_its_gguf_says(tmp_path: Path) -> None:
    from llama_cpp import Llama  # noqa: PLC0415 - heavy, and only for this

    def tell(path: Path) -> str:
        model = Llama(str(path), verbose=False, n_ctx=64)
        answer: Any = model("Once upon a time", max_tokens=32, temperature=0)
        return str(answer["choices"][0]["text"])

    run(STORIES, tmp_path / "a.gguf")
    text = tell(tmp_path / "a.gguf")
    assert text == tell(SHARED / "fixtures" / "stories260K.gguf")
    assert text.startswith(", there was a little girl named Lily")


Break = Callable[[Path, dict[str, Any]], object]
FAULTY = "model.layers.1.mlp.up_proj.weight"


def broken(change: Callable[[dict[str, Any]], Any]) -> Break:
    """A fault in the weights."""

    def apply(folder: Path, weights: dict[str, Any]) -> None:
        change(weights)
        write_safetensors(folder / "model.safetensors", weights)

    return apply


def configured(**changes: Any) -> Break:
    """A fault in the configuration."""

    def apply(folder: Path, _weights: dict[str, Any]) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return apply


def cut(folder: Path, _weights: dict[str, Any]) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def with_nan(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    half = values.astype(np.float16)
    half[2, 5] = np.nan
    return half


def indexed(tensor: str, file: str) -> Break:
    """An index that names all tensors, and this one in this file."""

    def apply(folder: Path, weights: dict[str, Any]) -> None:
        names = dict.fromkeys(weights, "model.safetensors") | {tensor: file}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))

    return apply


def twice(folder: Path, weights: dict[str, Any]) -> None:
    """Two parts which share a tensor."""
    (folder / "model.safetensors").unlink()
    write_safetensors(folder / "model-00001-of-00002.safetensors", weights)
    rest = {"lm_head.weight": weights["lm_head.weight"]}
    write_safetensors(folder / "model-00002-of-00002.safetensors", rest)


FAULTS: dict[str, tuple[Break, str]] = {
    "a missing tensor": (
        broken(lambda w: w.pop(FAULTY)),
        rf'model\.safetensors: tensor "{FAULTY}": is missing',
    ),
    "a wrong shape": (
        broken(lambda w: w.update({FAULTY: w[FAULTY][:-1]})),
        rf'model\.safetensors: tensor "{FAULTY}": .*wrong shape',
    ),
    "a NaN": (
        broken(lambda w: w[FAULTY].__setitem__((3, 3), np.nan)),
        rf'model\.safetensors: tensor "{FAULTY}": holds a NaN',
    ),
    "an infinity": (
        broken(lambda w: w[FAULTY].__setitem__((0, 0), -np.inf)),
        rf'model\.safetensors: tensor "{FAULTY}": holds a NaN or an infinity',
    ),
    "a NaN among half-precision floats": (
        broken(lambda w: w.update({FAULTY: with_nan(w[FAULTY])})),
        rf'model\.safetensors: tensor "{FAULTY}": holds a NaN',
    ),
    "a norm of another width": (
        broken(lambda w: w.update({"model.norm.weight": np.ones(31, np.float32)})),
        r'tensor "model\.norm\.weight": .*wrong shape',
    ),
    "a tensor of no dimension": (
        broken(lambda w: w.update({FAULTY: np.float32(1).reshape(())})),
        rf'tensor "{FAULTY}": .*wrong shape',
    ),
    "a tensor of another model": (
        broken(lambda w: w.update({"model.layers.0.strange.weight": np.ones((2, 2), np.float32)})),
        r'tensor "model\.layers\.0\.strange\.weight": llama has no place for',
    ),
    "a type that is no weight": (
        broken(lambda w: w.update({FAULTY: w[FAULTY].astype(np.int32)})),
        rf'tensor "{FAULTY}": unknown data type: I32',
    ),
    "a file that is cut off": (cut, r"model\.safetensors: tensor .* is cut off"),
    "a pointer of Git LFS": (
        lambda folder, _: (folder / "model.safetensors").write_text(
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        ),
        r"model\.safetensors: is a Git LFS pointer, .*git lfs pull",
    ),
    "a header longer than the file": (
        lambda folder, _: (folder / "model.safetensors").write_bytes(b"\0\0\0\0\0\1\0\0{}"),
        r"model\.safetensors: is cut off or not a safetensors file",
    ),
    "a tensor in two parts": (
        twice,
        r'model-00002-of-00002\.safetensors: tensor "lm_head\.weight": duplicate tensor name, '
        r"also in model-00001-of-00002",
    ),
    "an index of a part that is not there": (
        indexed(FAULTY, "model-00002-of-00002.safetensors"),
        r"model-00002-of-00002\.safetensors: is missing, model\.safetensors\.index\.json names it",
    ),
    "an index of a tensor that is not there": (
        indexed("model.gone.weight", "model.safetensors"),
        r'model\.safetensors: tensor "model\.gone\.weight": is missing, .*index\.json names it',
    ),
    "an index that is empty": (
        lambda folder, _: (folder / "model.safetensors.index.json").write_text("{}"),
        r"model\.safetensors\.index\.json: has no 'weight_map'",
    ),
    "no configuration": (
        lambda folder, _: (folder / "config.json").unlink(),
        r"config\.json: is missing",
    ),
    "a configuration without width": (
        configured(hidden_size=None),
        r"config\.json: 'hidden_size' or .* is missing",
    ),
    "a width that is text": (
        configured(hidden_size="wide"),
        r"config\.json: 'hidden_size' .* is 'wide', not a whole number",
    ),
    "an unknown architecture": (
        configured(architectures=["TinyForCausalLM"]),
        r'unsupported architecture "TinyForCausalLM" \(known: .*LlamaForCausalLM',
    ),
    "an architecture that the engine has no graph for": (
        configured(architectures=["T5ForConditionalGeneration"]),
        "reads a whole text before it writes another, and such models are not run",
    ),
    "quantised weights": (
        configured(quantization_config={"quant_method": "gptq", "bits": 4}),
        "gptq has quantised cannot be converted: take the original checkpoint and quantise with "
        "--quantize",
    ),
    "no tokenizer": (
        lambda folder, _: (folder / "tokenizer.json").unlink(),
        r"no tokenizer\.json, tokenizer\.model or tekken\.json",
    ),
    "no weights": (
        lambda folder, _: (folder / "model.safetensors").unlink(),
        r"no model\*\.safetensors",
    ),
    "Python objects": (
        lambda folder, _: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        r"pytorch_model\.bin: holds Python objects",
    ),
    "an index that leaves the folder": (
        lambda folder, _: (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "../model.safetensors"}})
        ),
        "is not a file's name",
    ),
    "a part that is not there": (
        lambda folder, _: (folder / "model.safetensors").rename(
            folder / "model-00001-of-00002.safetensors"
        ),
        r"model-00002-of-00002\.safetensors: is missing",
    ),
}


@pytest.mark.parametrize(("fault", "problem"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_and_nothing_is_left(tmp_path: Path, fault: Break, problem: str) -> None:
    source = make_checkpoint(tmp_path / "hf")
    fault(source, llama_weights())
    target = tmp_path / "out" / "model.gguf"
    target.parent.mkdir()
    with pytest.raises(ConvertError, match=problem):
        convert_model(Order("model", str(source), str(target)), lambda _done, _total: None)
    assert list(target.parent.iterdir()) == []


def test_a_fault_is_told_by_the_child_as_well(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")
    cut(source, {})
    with pytest.raises(ConvertError, match=r"^cannot convert: model\.safetensors: .*is cut off"):
        run(source, tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()


def test_a_single_file_goes_before_its_makers_own_form(tmp_path: Path) -> None:
    """Both are there in Mistral's repositories: the same weights, under other names."""
    source = make_checkpoint(tmp_path / "hf")
    write_safetensors(source / "consolidated.safetensors", {"tok": np.ones((2, 2), np.float32)})
    assert run(source, tmp_path / "a.gguf")[-1].written


def test_a_document_that_is_nested_without_end_is_told(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")
    for depth in (300, 450, 100_000):
        step = '{"type": "Sequence", "pretokenizers": [' * depth + "]}" * depth
        text = (source / "tokenizer.json").read_text()
        changed = text.replace('"pre_tokenizer": {', f'"pre_tokenizer": {step}, "x": {{', 1)
        folder = make_checkpoint(tmp_path / f"{depth}")
        (folder / "tokenizer.json").write_text(changed)
        with pytest.raises(ConvertError, match=r"tokenizer\.json|nested too deeply"):
            run(folder, tmp_path / "o.gguf")


def test_who_stops_listening_ends_the_child_and_leaves_nothing(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")

    async def work() -> None:
        order = Conversion("model", source, tmp_path / "model.gguf")
        async with aclosing(convert(order)) as steps:
            async for _ in steps:
                break

    asyncio.run(work())
    assert not (tmp_path / "model.gguf").exists()
