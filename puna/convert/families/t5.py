"""T5's encoder: positions by buckets of distances."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import no_rope


def _keys(config: Config) -> Keys:
    eps = config.real("layer_norm_epsilon", 1e-6)
    return {
        **no_rope(),
        "context_length": config.whole("n_positions", 512),
        "attention.head_count_kv": None,
        "attention.key_length": config.whole("d_kv"),
        "attention.value_length": config.whole("d_kv"),
        "attention.layer_norm_epsilon": eps,
        "attention.layer_norm_rms_epsilon": eps,
        "attention.relative_buckets_count": config.whole("relative_attention_num_buckets", 32),
    }


_ENCODER = Family("t5encoder", _keys, drop=r"^(?:encoder|decoder)\.embed_tokens\.")

FAMILIES = {"T5EncoderModel": _ENCODER, "UMT5EncoderModel": _ENCODER}
