"""GLM 4 as its maker first had it, ChatGLM: another form of what transformers calls GLM."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.tensor import Tensor

_FIXED = {
    "rmsnorm": True,
    "post_layer_norm": True,
    "apply_residual_connection_post_layernorm": False,
}


def _keys(config: Config) -> Keys:
    for key, wanted in _FIXED.items():
        if config.flag(key, wanted) != wanted:
            raise config.bad(key, not wanted, str(wanted).lower())
    grouped = config.flag("multi_query_attention")
    n_kv = config.whole("multi_query_group_num") if grouped else config.n_heads
    size = config.whole("kv_channels", config.head_size)
    return {
        "attention.head_count_kv": n_kv,
        "attention.layer_norm_rms_epsilon": config.positive("layernorm_epsilon", 1e-5),
        "rope.dimension_count": size // 2,
        "rope.freq_base": 10000.0 * config.positive("rope_ratio", 1.0),
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield name.removeprefix("transformer."), tensor


_CHATGLM = Family(
    "chatglm", _keys, _weights, drop=r"rotary_pos_emb\.inv_freq$|^transformer\.vision\."
)

FAMILIES = {"ChatGLMModel": _CHATGLM, "ChatGLMForConditionalGeneration": _CHATGLM}
