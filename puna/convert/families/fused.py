"""Families that keep queries, keys and values in one tensor, each in an order of its own."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import no_rope
from puna.convert.tensor import Tensor


def _wide(config: Config) -> Keys:
    """An inner width of four times the outer, where nothing else is said."""
    return {"feed_forward_length": config.whole("ffn", 4 * config.whole("width"))}


def _gpt2(config: Config) -> Keys:
    return {**_wide(config), **no_rope(), "attention.head_count_kv": None}


def _transposed(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """GPT-2's matrices have their inputs first."""
    if not name.startswith("transformer.") and not name.startswith("lm_head."):
        name = f"transformer.{name}"
    turned = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
    yield name, tensor.transposed() if name.endswith(turned) else tensor


def _bigcode(config: Config) -> Keys:
    return {**_gpt2(config), "attention.head_count_kv": 1}


def _by_kind(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Head by head, three of each, becomes all queries, all keys, all values."""
    if "query_key_value." in name:
        size = config.whole("width") // config.n_heads
        tensor = tensor.regrouped((config.n_heads, 3, size), (1, 0, 2))
    yield name, tensor


def _neox(config: Config) -> Keys:
    return {
        "use_parallel_residual": config.flag("use_parallel_residual", True),
        "attention.head_count_kv": None,
    }


def _bloom(config: Config) -> Keys:
    return {
        **_wide(config),
        **no_rope(),
        "context_length": config.whole("context", config.whole("width")),
    }


def _bloom_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield from _by_kind(config, name.removeprefix("transformer."), tensor)


def _n_kv(config: Config) -> int:
    if config.flag("new_decoder_architecture"):
        return config.n_kv_heads
    return 1 if config.flag("multi_query", True) else config.n_heads


def _falcon(config: Config) -> Keys:
    return {
        **_wide(config),
        "context_length": config.whole("context", 2048),
        "attention.head_count_kv": _n_kv(config),
        "tensor_data_layout": "jploski",
    }


def _falcon_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Group by group, queries and one key and value, becomes all queries, all keys, all values."""
    if "query_key_value." in name:
        n_kv = _n_kv(config)
        each = config.n_heads // n_kv
        size = max(config.whole("width") // config.n_heads, 1)
        rows = range(n_kv * (each + 2) * size)
        places = [rows[start : start + size] for start in range(0, len(rows), size)]
        heads = [places[group * (each + 2) + i] for group in range(n_kv) for i in range(each)]
        heads += [places[group * (each + 2) + each] for group in range(n_kv)]
        heads += [places[group * (each + 2) + each + 1] for group in range(n_kv)]
        if len(rows) != tensor.shape[0]:
            raise tensor.bad(f"{tensor.shape[0]} rows are not those of {config.n_heads} heads")
        tensor = tensor.taken([row for place in heads for row in place])
    yield name, tensor


def _mpt(config: Config) -> Keys:
    attention = config.part("attn_config")
    clamp = attention.real("clip_qkv", 0.0)
    return {
        **_wide(config),
        **no_rope(),
        "attention.head_count_kv": attention.whole("kv_n_heads", config.n_heads),
        "attention.layer_norm_epsilon": 1e-5,
        "attention.clamp_kqv": clamp or None,
        "attention.max_alibi_bias": (
            float(attention.whole("alibi_bias_max", 8)) if attention.flag("alibi", True) else 0.0
        ),
    }


FAMILIES = {
    "GPT2LMHeadModel": Family("gpt2", _gpt2, _transposed),
    "GPTBigCodeForCausalLM": Family("starcoder", _bigcode),
    "GPTNeoXForCausalLM": Family("gptneox", _neox, _by_kind),
    "BloomForCausalLM": Family("bloom", _bloom, _bloom_weights, tied=True),
    "BloomModel": Family("bloom", _bloom, _bloom_weights, tied=True),
    "FalconForCausalLM": Family("falcon", _falcon, _falcon_weights),
    "RWForCausalLM": Family("falcon", _falcon, _falcon_weights),
    "MptForCausalLM": Family("mpt", _mpt, tied=True),
    "MPTForCausalLM": Family("mpt", _mpt, tied=True),
}
