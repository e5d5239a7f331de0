"""BERT and its kind: encoders whose vectors of tokens become one by a pooling."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import no_rope
from puna.convert.tensor import Tensor

_RANK = 4
_POOLING = {"mean": 1, "cls": 2}
_MODERN_HEAD = {"head.dense.": "cls.", "head.norm.": "cls.norm.", "classifier.": "cls.output."}
_HEADS = r"^(?:bert\.|roberta\.)?(?:embeddings\.position_ids|pooler\.|cls\.|lm_head\.|vocab_)"


def _encoder(config: Config) -> Keys:
    return {
        **no_rope(),
        "attention.causal": False,
        "attention.layer_norm_epsilon": config.real("norm_eps", 1e-12),
        "attention.layer_norm_rms_epsilon": None,
        "tokenizer.ggml.token_type_count": config.whole("type_vocab_size", 1),
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    for wrapper in ("bert.", "roberta.", "distilbert."):
        name = name.removeprefix(wrapper)
    if name.endswith((".gamma", ".beta")):
        name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
    yield name, tensor


def _offset(config: Config) -> int:
    """Positions before the first one that a token can have."""
    return 1 + config.whole("pad_token_id") if config.has("pad_token_id") else 0


def _roberta(config: Config) -> Keys:
    return {**_encoder(config), "context_length": config.whole("context") - _offset(config)}


def _roberta_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    for plain, values in _weights(config, name, tensor):
        if plain == "embeddings.position_embeddings.weight":
            yield plain, values.rows(_offset(config), values.shape[0])
        else:
            yield plain, values


def _labels(config: Config) -> Keys:
    """A head that gives scores of the first token's vector."""
    names = config.get("id2label")
    n_labels = len(names) if isinstance(names, dict) else config.whole("num_labels", 2)
    labels = [f"LABEL_{number}" for number in range(n_labels)]
    if isinstance(names, dict):
        labels = [str(names.get(str(number), label)) for number, label in enumerate(labels)]
    return {"pooling_type": _RANK, "classifier.output_labels": labels}


def _bert_scores(config: Config) -> Keys:
    return {**_encoder(config), **_labels(config)}


def _roberta_scores(config: Config) -> Keys:
    return {**_roberta(config), **_labels(config)}


def _bert_head(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Its pooler is what others have as the first matrix of their head."""
    for plain, values in _weights(config, name, tensor):
        moved = plain.replace("pooler.dense.", "classifier.dense.")
        if plain.startswith("classifier."):
            moved = plain.replace("classifier.", "classifier.out_proj.")
        yield moved, values


def _distilbert(config: Config) -> Keys:
    """Its inner width is called as others call their outer one."""
    return {**_encoder(config), "feed_forward_length": config.whole("hidden_dim")}


def _modern(config: Config) -> Keys:
    rope = config.part("rope_parameters")
    local = rope.part("sliding_attention").real("rope_theta", config.real("rope_base_local", 1e4))
    return {
        "attention.causal": False,
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": config.whole("global_attn_every_n_layers", 3),
        "attention.layer_norm_rms_epsilon": None,
        "rope.freq_base_swa": local,
        "hidden_activation": config.text_of("hidden_activation", "gelu"),
    }


def _modern_weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield name.removeprefix("model."), tensor


def _modern_scores(config: Config) -> Keys:
    kind = config.text_of("classifier_pooling", "cls")
    if kind not in _POOLING:
        raise config.bad("classifier_pooling", kind, "cls or mean")
    if config.text_of("classifier_activation", "gelu") != "gelu":
        raise config.bad("classifier_activation", config.get("classifier_activation"), "gelu")
    return {**_modern(config), **_labels(config), "classifier.pooling_type": _POOLING[kind]}


def _modern_head(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    for theirs, ours in _MODERN_HEAD.items():
        if name.startswith(theirs):
            name = name.replace(theirs, ours)
            break
    yield from _modern_weights(config, name, tensor)


def _nomic(config: Config) -> Keys:
    """The context is the one that was trained on: the settings claim four times as much."""
    positions = config.whole("n_positions", config.whole("context"))
    trained = config.whole("max_trained_positions", positions)
    every = config.whole("moe_every_n_layers", 0)
    return {
        "attention.causal": False,
        "attention.layer_norm_epsilon": config.real("norm_eps"),
        "attention.layer_norm_rms_epsilon": None,
        "context_length": 512 if every and positions == 2048 else min(positions, trained),
        "tokenizer.ggml.token_type_count": config.whole("type_vocab_size", 1),
        "moe_every_n_layers": every,
        "expert_used_count": config.whole("moe_top_k") if every else None,
    }


def _nomic_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    for plain, values in _weights(config, name, tensor):
        if ".mlp.experts.mlp.w" not in plain:
            yield plain, values
            continue
        stacked = values.reshaped(
            config.whole("n_experts"), config.whole("n_inner"), config.whole("width")
        )
        yield f"{plain}.weight", stacked.transposed() if plain.endswith("w2") else stacked


def _is_nomic_moe(config: Config) -> Family | None:
    return _NOMIC_MOE if config.whole("moe_every_n_layers", 0) else None


def _jina(config: Config) -> Keys:
    return {
        **_encoder(config),
        "tokenizer.ggml.token_type_count": config.whole("type_vocab_size", 2),
    }


def _eurobert(config: Config) -> Keys:
    return {"attention.causal": False, "tokenizer.ggml.add_bos_token": False}


def _neobert(config: Config) -> Keys:
    """Its networks have two thirds of the width that is said, in eights."""
    return {
        "attention.causal": False,
        "attention.layer_norm_epsilon": None,
        "attention.layer_norm_rms_epsilon": config.positive("norm_eps", 1e-6),
        "feed_forward_length": -(-int(2 * config.whole("ffn") / 3) // 8) * 8,
        "pooling_type": _POOLING["cls"],
    }


def _neobert_scores(config: Config) -> Keys:
    return {**_neobert(config), **_labels(config)}


def _neobert_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Queries, keys and values come head by head."""
    name = name.removeprefix("model.").replace("classifier.", "classifier.out_proj.")
    if name.endswith(".qkv.weight"):
        size = config.whole("width") // config.n_heads
        tensor = tensor.regrouped((config.n_heads, 3, size), (1, 0, 2))
    yield name, tensor


def _jina3(config: Config) -> Keys:
    """Its positions turn: it has none to learn."""
    return {
        **_encoder(config),
        "rope.freq_base": config.rope.real("rope_theta", config.real("rotary_emb_base", 20000.0)),
        "rope.dimension_count": config.head_size,
        "context_length": config.whole("context") - _offset(config),
    }


def _jina3_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Its adapters for tasks stand beside the weights, as what parametrizes them."""
    name = name.replace(".parametrizations.", ".").removesuffix(".original")
    yield from _weights(config, name, tensor)


def _has_adapters(config: Config) -> Family | None:
    """The maker's own file names its architecture as that which it is built on."""
    return _JINA3 if config.has("lora_adaptations") else None


_DROPPED_MOE = rf"{_HEADS}|mlp\.experts\.bias"
_NOMIC_MOE = Family("nomic-bert-moe", _nomic, _nomic_weights, drop=_DROPPED_MOE)
_NOMIC = Family("nomic-bert", _nomic, _nomic_weights, drop=_HEADS, final=_is_nomic_moe)
_BERT = Family("bert", _encoder, _weights, drop=_HEADS)
_ROBERTA = Family("bert", _roberta, _roberta_weights, drop=_HEADS)
_DISTILBERT = Family("bert", _distilbert, _weights, drop=_HEADS)
_JINA3 = Family("jina-bert-v3", _jina3, _jina3_weights, drop=rf"{_HEADS}|\.lora_[AB]$")
_XLM = Family("bert", _roberta, _roberta_weights, drop=_HEADS, final=_has_adapters)
_JINA = Family("jina-bert-v2", _jina, _weights, drop=_HEADS)
_PREDICTIONS = r"embeddings\.position_ids|^cls\."
_BERT_SCORES = Family("bert", _bert_scores, _bert_head, drop=_PREDICTIONS)
_ROBERTA_SCORES = Family("bert", _roberta_scores, _roberta_weights, drop=_HEADS)
_MODERN = Family("modern-bert", _modern, _modern_weights, drop=r"^(?:head|decoder|classifier)\.")

_NEOBERT = Family("neo-bert", _neobert, _neobert_weights, drop=r"^(?:decoder|dense|classifier)\.")

FAMILIES = {
    "NeoBERT": _NEOBERT,
    "NeoBERTLMHead": _NEOBERT,
    "NeoBERTForSequenceClassification": Family("neo-bert", _neobert_scores, _neobert_weights),
    "BertModel": _BERT,
    "BertForMaskedLM": _BERT,
    "CamembertModel": _ROBERTA,
    "RobertaModel": _ROBERTA,
    "RobertaForMaskedLM": _ROBERTA,
    "XLMRobertaModel": _XLM,
    "XLMRobertaForMaskedLM": _ROBERTA,
    "DistilBertModel": _DISTILBERT,
    "DistilBertForMaskedLM": _DISTILBERT,
    "BertForSequenceClassification": _BERT_SCORES,
    "CamembertForSequenceClassification": _ROBERTA_SCORES,
    "RobertaForSequenceClassification": _ROBERTA_SCORES,
    "XLMRobertaForSequenceClassification": _ROBERTA_SCORES,
    "NomicBertModel": _NOMIC,
    "NomicBertMoEModel": _NOMIC,
    "ModernBertModel": _MODERN,
    "ModernBertForMaskedLM": _MODERN,
    "ModernBertForSequenceClassification": Family("modern-bert", _modern_scores, _modern_head),
    "JinaEmbeddingsV3Model": _JINA3,
    "JinaBertModel": _JINA,
    "JinaBertForMaskedLM": _JINA,
    "JinaEmbeddingsV5Model": Family("eurobert", _eurobert, _modern_weights),
    "EuroBertModel": Family("eurobert", _eurobert, _modern_weights),
}
