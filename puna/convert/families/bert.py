"""BERT and its kind: encoders whose vectors of tokens become one by a pooling."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import no_rope
from puna.convert.tensor import Tensor


def _bert(config: Config) -> Keys:
    return {
        **no_rope(),
        "attention.causal": False,
        "tokenizer.ggml.token_type_count": config.whole("type_vocab_size", 1),
    }


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Masks, poolers and heads of pre-training stay behind."""
    name = name.removeprefix("bert.")
    if name.endswith(("gamma", "beta")):
        name = name.replace("gamma", "weight").replace("beta", "bias")
    if name == "classifier.dense.weight":
        name = "classifier.weight"
    yield name, tensor


_BERT = Family("bert", _bert, _weights, drop=r"^(bert\.)?(embeddings\.position_ids|pooler\.|cls\.)")

FAMILIES = {"BertModel": _BERT, "BertForMaskedLM": _BERT}
