"""Configurations of strangers: whatever is said in place of what should be, a conversion goes on or
says what is wrong, and takes neither long nor much memory.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.checkpoint import read_config
from puna.convert.config import MAX_JSON
from puna.convert.conversion import Order
from puna.convert.families.registry import family_of
from puna.convert.model import convert_model, model_keys
from puna.convert.plan import Output, map_weights
from puna.convert.tensor import made
from puna.convert.write import open_file
from puna.errors import ConvertError
from puna.gguf.reader import read_header
from tests.convert.parity.cases import CASES
from tests.fakes.checkpoints import LLAMA, llama_weights, make_checkpoint, write_tokenizer

WILD: list[Any] = [
    *(None, True, False, 0, 1, -1, 3, 7, 2**31 - 1, 2**31, 2**63, 10**400),
    *(0.5, -1.5, 1e308, float("nan"), float("inf"), "", "x", "16", "a" * 1000),
    *([], [1], [-1], [None], ["x"], [[]], [{}], {}, {"a": 1}),
    *({"rope_type": kind} for kind in ("yarn", "linear", "llama3", "other")),
    *({"rope_type": 7}, {"rope_type": []}),
    {"rope_type": "llama3", "factor": 0, "low_freq_factor": 0, "high_freq_factor": 0},
    *({"rope_theta": value} for value in (0, -1, 1e308, "x")),
    *({"full_attention": value} for value in (3, {"rope_theta": -1})),
    {"quant_method": [1]},
    {"quant_method": "fp8", "weight_block_size": "x", "config_groups": [1]},
]
KEYS = (
    *("rope_scaling", "rope_parameters", "rope_theta", "head_dim", "sliding_window"),
    *("layer_types", "text_config", "vision_config", "quantization_config", "architectures"),
    *("tie_word_embeddings", "num_nextn_predict_layers", "partial_rotary_factor"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "hf")


def prepare(folder: Path) -> None:
    """Everything that comes before the first tensor is read. Raises ConvertError."""
    config = read_config(folder)
    family = family_of(config)
    family = family.final(config) or family
    weights = {name: made(values, name) for name, values in llama_weights().items()}
    is_llama = family.architecture == "llama"
    outputs: list[Output] = map_weights(family, config, weights if is_llama else {}, "F32")
    keys = model_keys(folder, config, family, outputs, "F32")
    open_file(folder / "o.gguf", keys, [])


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, by the keys that lead there."""
    items: dict[Any, Any] = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        items = dict(enumerate(value[:3]))
    for key, inner in items.items():
        yield (*before, key)
        yield from places(inner, (*before, key))


def with_change(document: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    inner: Any = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


ROWS = {
    name: {**case.config, "model_type": case.model_type, "architectures": [case.architecture]}
    for name, case in CASES.items()
}


def test_a_number_too_large_for_a_list_of_the_file_is_an_error(folder: Path) -> None:
    place = ("text_config", "rope_parameters", "mrope_section", 0)
    config = with_change(ROWS["qwen2-vl, text"], place, 2**31)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConvertError, match="out of bounds"):
        prepare(folder)


@given(data=st.data())
def test_any_configuration_goes_on_or_is_an_error(folder: Path, data: st.DataObject) -> None:
    config = ROWS[data.draw(st.sampled_from(list(ROWS)))]
    known = [*places(config), *((key,) for key in KEYS)]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(known))
        try:
            config = with_change(config, place, data.draw(st.sampled_from(WILD)))
        except (KeyError, TypeError, IndexError):
            continue  # what was there is gone by another change
    (folder / "config.json").write_text(json.dumps(config))
    with suppress(ConvertError):
        prepare(folder)


NAMED = {
    "no heads": ("num_attention_heads", 0, r"'num_attention_heads' .* is '0', not at least 1"),
    "heads below none": ("num_attention_heads", -4, "not a whole number"),
    "more layers than there can be": ("num_hidden_layers", 2**63, "not a whole number"),
    "more layers than the engine takes": ("num_hidden_layers", 600, "not from 1 to 512"),
    "a width that is text": ("hidden_size", "32", "'hidden_size' .* is '32', not a whole number"),
    "heads of billions": ("head_dim", 2**31 - 1, "'head_dim' is '2147483647', not at most"),
    "a negative epsilon": ("rms_norm_eps", -1e-5, "'rms_norm_eps' .*not a number above 0"),
    "an epsilon that is none": ("rms_norm_eps", 1e300, "'rms_norm_eps' .* not a number"),
    "a rotation without base": ("rope_theta", 0, "'rope_theta' .* not a number above 0"),
    "a rotation of another kind": ("rope_scaling", {"rope_type": "spiral"}, "'spiral' is not"),
    "a stretch by nothing": ("rope_scaling", {"rope_type": "llama3", "factor": 0}, "'factor' is"),
    "architectures as a text": ("architectures", "LlamaForCausalLM", "unsupported architecture"),
}


@pytest.mark.parametrize(("key", "value", "problem"), NAMED.values(), ids=NAMED)
def test_a_wild_value_is_told_with_its_key(
    folder: Path, key: str, value: object, problem: str
) -> None:
    (folder / "config.json").write_text(json.dumps({**LLAMA, "rope_theta": 10000.0, key: value}))
    with pytest.raises(ConvertError, match=problem):
        prepare(folder)


DOCUMENTS = (
    *("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"),
    *("model.safetensors.index.json", "modules.json"),
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_too_long_is_not_read(tmp_path: Path, name: str) -> None:
    source = make_checkpoint(tmp_path / "hf")
    with (source / name).open("ab") as file:
        file.truncate(MAX_JSON + 1)
    with pytest.raises(ConvertError, match=rf"{name}: is over the limit"):
        convert_model(Order("model", str(source), str(tmp_path / "o.gguf")), lambda _d, _t: None)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    for text in ("", "{", "3", "[" * 100_000, "\udc80"):
        source = make_checkpoint(tmp_path / "hf")
        (source / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(ConvertError, match=rf"{name}: .*(is not|not JSON)"):
            convert_model(
                Order("model", str(source), str(tmp_path / "o.gguf")), lambda _d, _t: None
            )


TOKENIZERS: dict[str, tuple[dict[str, Any], str]] = {
    "merges that are no list": (
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": 3}},
        r"tokenizer\.json: the merges are not a list",
    ),
    "a score beyond all numbers": (
        {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 10**400]]}},
        r"tokenizer\.json: the vocabulary is not pairs",
    ),
    "steps that are no list": (
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": 3}},
        r"tokenizer\.json: ",
    ),
}


@pytest.mark.parametrize(("document", "problem"), TOKENIZERS.values(), ids=TOKENIZERS)
def test_a_tokenizer_of_wrong_types_is_told(
    tmp_path: Path, document: dict[str, Any], problem: str
) -> None:
    source = make_checkpoint(tmp_path / "hf")
    write_tokenizer(source, **document)
    with pytest.raises(ConvertError, match=problem):
        prepare(source)


def test_a_template_whose_name_is_too_long_is_left_out(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "hf")
    templates = [{"name": name, "template": "x"} for name in ("default", "tool_use", "a" * 100_000)]
    (source / "tokenizer_config.json").write_text(json.dumps({"chat_template": templates}))
    prepare(source)
    assert read_header(source / "o.gguf", arrays=True).metadata["tokenizer.chat_templates"] == (
        "tool_use",
    )
