"""Families that differ from Llama in names and numbers only, or in little more."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, Value, moved
from puna.convert.keys import gating, llama3_factors, local_base, moe_keys, window_pattern
from puna.convert.tensor import Tensor
from puna.errors import ConvertError


def _stablelm(config: Config) -> Keys:
    return {"use_parallel_residual": config.flag("use_parallel_residual", True)}


def _exaone4(config: Config) -> Keys:
    if not config.has("window"):
        return {}
    pattern = config.get("sliding_window_pattern")
    local: list[bool] = window_pattern(config, every=4)
    if isinstance(pattern, str) and pattern and not config.items("layer_types"):
        local = [pattern[layer % len(pattern)] == "L" for layer in range(config.n_layers)]
    return {
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": local,
    }


def _exaone_moe(config: Config) -> Keys:
    shared = config.whole("num_shared_experts", 0)
    return {
        **_exaone4(config),
        **moe_keys(config),
        "expert_shared_count": shared,
        "expert_shared_feed_forward_length": shared * config.whole("expert_ffn"),
        "expert_gating_func": gating(config, "sigmoid"),
        "rope.scaling.type": "none",
    }


def _minicpm(config: Config) -> Keys:
    depth = config.real("scale_depth", 1.0) / config.n_layers**0.5
    return {
        "embedding_scale": config.real("scale_emb", 1.0),
        "residual_scale": depth,
        "logit_scale": config.whole("width") / config.real("dim_model_base", 256.0),
    }


def _qwen(config: Config) -> Keys:
    return {
        "feed_forward_length": config.whole("intermediate_size"),  # of both halves
        "attention.layer_norm_rms_epsilon": config.real("layer_norm_epsilon"),
        "attention.layer_norm_epsilon": None,
    }


def _exaone(config: Config) -> Keys:
    return {"attention.layer_norm_rms_epsilon": config.real("norm_eps")}


def _orion(config: Config) -> Keys:
    """Its norms are of the kind that subtracts the mean, whatever their setting is called."""
    return {
        "attention.layer_norm_epsilon": config.real("rms_eps"),
        "attention.layer_norm_rms_epsilon": None,
    }


def _baichuan(config: Config) -> Keys:
    """The engine takes the number of layers for what tells positions: 32 turn, 40 fade."""
    if config.n_layers not in (32, 40):
        raise config.bad("n_layers", config.n_layers, "32 or 40, which the engine knows")
    return {}


def _packed(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Baichuan's queries, keys and values stand in one tensor."""
    if not name.endswith("W_pack.weight"):
        yield name, tensor
        return
    width = config.whole("width")
    query, key, value = tensor.split(width, width, width)
    yield name.replace("W_pack", "q_proj"), query.unrotated(config.n_heads)
    yield name.replace("W_pack", "k_proj"), key.unrotated(config.n_kv_heads)
    yield name.replace("W_pack", "v_proj"), value


def _internlm2(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Group by group: the queries of a key, the key, the value."""
    if not name.endswith("wqkv.weight"):
        yield name, tensor
        return
    n_kv, size = config.n_kv_heads, config.head_size
    each = config.n_heads // n_kv
    if tensor.shape[0] != n_kv * (each + 2) * size:
        raise tensor.bad(f"{tensor.shape[0]} rows are not those of {config.n_heads} heads")
    rows = {"wq": range(each), "wk": [each], "wv": [each + 1]}
    for part, members in rows.items():
        wanted = [
            (group * (each + 2) + member) * size + row
            for group in range(n_kv)
            for member in members
            for row in range(size)
        ]
        piece = tensor.taken(wanted)
        if part != "wv":
            piece = piece.unrotated(n_kv * len(members))
        yield name.replace("wqkv", part), piece


def _pangu(config: Config) -> Keys:
    size = config.head_size
    return {"attention.key_length": size, "attention.value_length": size}


def _afmoe(config: Config) -> Keys:
    if not config.flag("mup_enabled"):
        raise config.bad("mup_enabled", False, "true: the engine scales all embeddings")
    return {
        **moe_keys(config),
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(
            config, every=config.whole("global_attn_every_n_layers", 4)
        ),
        "expert_gating_func": gating(config, "sigmoid"),
        "expert_weights_norm": config.flag("route_norm", True),
        "expert_weights_scale": config.real("route_scale", 1.0),
    }


def _mellum(config: Config) -> Keys:
    if "dense" in config.items("mlp_layer_types"):
        raise config.bad("mlp_layer_types", "dense", "sparse in all layers")
    keys: dict[str, Value | None] = {**moe_keys(config)}
    pattern = window_pattern(config, every=0)
    if config.whole("window", 0) and any(pattern):
        if local_base(config) != config.rope_base:
            raise ConvertError("config.json: the engine rotates all layers by the same base")
        keys["attention.sliding_window"] = config.whole("window")
        keys["attention.sliding_window_pattern"] = pattern
    return keys


FAMILIES = {
    "MaincoderForCausalLM": Family("maincoder"),
    "SmolLM3ForCausalLM": Family("smollm3", unrotate=True, more=llama3_factors),
    "StableLmForCausalLM": Family("stablelm", _stablelm),
    "StableLMEpochForCausalLM": Family("stablelm", _stablelm),
    "LlavaStableLMEpochForCausalLM": Family("stablelm", _stablelm),
    "Starcoder2ForCausalLM": Family("starcoder2"),
    "NemotronForCausalLM": Family("nemotron", norm_offset=r"norm\.weight$"),
    "ExaoneForCausalLM": Family("exaone", _exaone, more=llama3_factors),
    "Exaone4ForCausalLM": Family("exaone4", _exaone4, more=llama3_factors),
    "Exaone4_5_ForConditionalGeneration": Family(
        "exaone4", _exaone4, more=llama3_factors, drop=r"^mtp\."
    ),
    "ExaoneMoeForCausalLM": Family("exaone-moe", _exaone_moe, more=llama3_factors, drop=r"^mtp\."),
    "ExaoneMoEForCausalLM": Family("exaone-moe", _exaone_moe, more=llama3_factors, drop=r"^mtp\."),
    "Jais2ForCausalLM": Family("jais2"),
    "AfmoeForCausalLM": Family("afmoe", _afmoe, moved({".expert_bias": "exp_probs_b.bias"})),
    "MellumForCausalLM": Family("mellum", _mellum, drop=r"^mtp\."),
    "PanguEmbeddedForCausalLM": Family("pangu-embedded", _pangu),
    "SeedOssForCausalLM": Family("seed_oss"),
    "MiniCPMForCausalLM": Family("minicpm", _minicpm, unrotate=True),
    "QWenLMHeadModel": Family("qwen", _qwen),
    "OrionForCausalLM": Family("orion", _orion),
    "XverseForCausalLM": Family("xverse", unrotate=True),
    "BaichuanForCausalLM": Family("baichuan", _baichuan, _packed),
    "BaiChuanForCausalLM": Family("baichuan", _baichuan, _packed),
    "InternLM2ForCausalLM": Family("internlm2", weights=_internlm2),
}
