"""What memory depends on, read from headers of several families."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from puna.gguf.footprint import Footprint, footprint_of
from puna.gguf.reader import Header
from puna.gguf.tensors import TensorInfo
from puna.gguf.values import Value

F16 = 2


def tensor(name: str, *shape: int) -> TensorInfo:
    count = 1
    for size in shape:
        count *= size
    return TensorInfo(name, shape, 1, "F16", 0, count, count * F16)


def footprint(
    architecture: str, keys: dict[str, Value], *, layers: int = 4, tied: bool = False
) -> Footprint:
    metadata: dict[str, Value] = {
        "general.architecture": architecture,
        f"{architecture}.block_count": layers,
        f"{architecture}.embedding_length": 64,
        f"{architecture}.attention.head_count": 4,
    }
    metadata |= {f"{architecture}.{name}": value for name, value in keys.items()}
    tensors = [tensor("token_embd.weight", 64, 1000), tensor("output_norm.weight", 64)]
    tensors += [tensor(f"blk.{index}.attn_q.weight", 64, 64) for index in range(layers)]
    tensors += [] if tied else [tensor("output.weight", 64, 1000)]
    return footprint_of(Header(3, "little", MappingProxyType(metadata), tuple(tensors), 0, 1 << 30))


def test_weights_are_told_apart_by_where_they_go() -> None:
    found = footprint("llama", {})
    assert [layer.weights for layer in found.layers] == [64 * 64 * F16] * 4
    assert found.other == 64_000 * F16
    assert found.output == (64_000 + 64) * F16
    assert found.weights == found.other + found.output + 4 * 64 * 64 * F16
    assert found.n_vocab == 1000


def test_an_embedding_that_gives_the_output_counts_once() -> None:
    found = footprint("llama", {}, tied=True)
    assert found.is_tied
    assert found.output == 64_000 * F16
    assert found.weights == (64_000 + 64) * F16 + 4 * 64 * 64 * F16


KEPT: dict[str, tuple[str, dict[str, Value], list[tuple[int, int, int]]]] = {
    "as many heads for keys as for queries": ("llama", {}, [(64, 64, 0)] * 4),
    "fewer heads for keys": ("llama", {"attention.head_count_kv": 2}, [(32, 32, 0)] * 4),
    "lengths of their own": (
        "gemma3",
        {
            "attention.head_count_kv": 1,
            "attention.key_length": 256,
            "attention.value_length": 128,
        },
        [(256, 128, 0)] * 4,
    ),
    "a compressed token": (
        "deepseek2",
        {
            "attention.head_count_kv": 1,
            "attention.key_length": 576,
            "attention.value_length": 512,
            "attention.key_length_mla": 192,
        },
        [(576, 0, 0)] * 4,
    ),
    "states alone": (
        "mamba",
        {
            "attention.head_count": 0,
            "ssm.inner_size": 128,
            "ssm.state_size": 16,
            "ssm.conv_kernel": 4,
        },
        [(0, 0, 3 * 128 + 16 * 128)] * 4,
    ),
    "states where there are no heads": (
        "lfm2",
        {"attention.head_count_kv": (0, 4, 0, 4), "shortconv.l_cache": 3},
        [(0, 0, 128), (64, 64, 0), (0, 0, 128), (64, 64, 0)],
    ),
    "full attention in every second layer": (
        "qwen3next",
        {
            "full_attention_interval": 2,
            "ssm.inner_size": 32,
            "ssm.state_size": 8,
            "ssm.conv_kernel": 4,
            "ssm.group_count": 2,
        },
        [(0, 0, 3 * (32 + 2 * 2 * 8) + 8 * 32), (64, 64, 0)] * 2,
    ),
    "both in every layer": (
        "falcon-h1",
        {"ssm.inner_size": 32, "ssm.state_size": 8, "ssm.conv_kernel": 4},
        [(64, 64, 3 * 32 + 8 * 32)] * 4,
    ),
    "rwkv": (
        "rwkv7",
        {"attention.head_count": 0, "wkv.head_size": 32},
        [(0, 0, 64 * (2 + 32))] * 4,
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_a_layer_keeps(case: str) -> None:
    architecture, keys, kept = KEPT[case]
    found = footprint(architecture, keys)
    assert [(layer.key, layer.value, layer.state) for layer in found.layers] == kept


def test_sliding_layers_have_a_mask_of_their_own() -> None:
    assert footprint("llama", {}).n_masks == 1
    assert footprint("gemma3", {"attention.sliding_window": 512}).n_masks == 2


def test_a_number_from_the_file_makes_no_endless_list() -> None:
    metadata: dict[str, Value] = {"general.architecture": "llama", "llama.block_count": 2**60}
    header = Header(3, "little", MappingProxyType(metadata), (), 0, Path(__file__).stat().st_size)
    assert len(footprint_of(header).layers) <= 4096
