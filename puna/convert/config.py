"""What a checkpoint's configuration says: one table of the names that makers give to the same
number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from puna.convert.assumed import assumed
from puna.errors import BadCheckpoint

__all__ = ["MAX_REAL", "Config", "read_json"]

MAX_JSON = 256 << 20  # bytes: tokenizer.json of large vocabularies has 35 MB

MAX_REAL = 3.4028234e38  # numbers are written as floats of 32 bits
MAX_HEAD = 1 << 16  # values of a head: tables of that length are made
MAX_LAYERS = 512  # the engine's own limit, beyond which it ends its process

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "n_layers": (
            "n_layers", "num_hidden_layers", "n_layer", "num_layers", "depth",
            "num_transformer_layers",
        ),
        "context": (
            "max_position_embeddings", "n_ctx", "n_positions", "max_seq_len", "seq_length",
            "max_sequence_length", "model_max_length", "max_context_length", "max_length",
        ),
        "width": ("hidden_size", "n_embd", "dim", "d_model", "n_embed", "model_dim"),
        "ffn": (
            "prefix_dense_intermediate_size", "dense_intermediate_size", "intermediate_size",
            "n_inner", "ffn_hidden_size", "hidden_dim", "d_ff",
        ),
        "n_heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
        "n_kv_heads": ("num_key_value_heads", "n_kv_heads", "num_kv_heads", "n_head_kv"),
        "rms_eps": ("rms_norm_eps", "norm_eps", "norm_epsilon"),
        "norm_eps": ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"),
        "rope_base": ("global_rope_theta", "rope_global_theta", "rope_theta", "rotary_emb_base"),
        "rope_base_local": (
            "local_rope_theta", "rope_local_theta", "swa_rope_theta", "rope_local_base_freq",
        ),
        "rotary_part": ("partial_rotary_factor", "rope_pct", "rope_percent", "rotary_pct"),
        "n_experts": (
            "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts",
            "moe_num_primary_experts",
        ),
        "n_experts_used": (
            "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_k", "moe_topk",
        ),
        "n_experts_shared": ("n_shared_experts", "num_shared_experts"),
        "n_dense_layers": ("first_k_dense_replace", "num_dense_layers"),
        "expert_ffn": ("moe_intermediate_size", "expert_ffn_hidden_size"),
        "vocab": ("vocab_size", "padded_vocab_size"),
        "window": ("sliding_window", "local_attention"),
    }
)  # fmt: skip
"""The first name that is there counts."""

_TEXT = ("text_config", "llm_config", "language_config", "lm_config")


def read_json(path: Path) -> dict[str, Any]:
    """An object out of a JSON file. Raises BadCheckpoint; OSError where there is no file."""
    if path.stat().st_size > MAX_JSON:
        raise BadCheckpoint(path.name, f"is over the limit of {MAX_JSON} bytes")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as cause:
        raise BadCheckpoint(path.name, "is not JSON") from cause
    if not isinstance(value, dict):
        raise BadCheckpoint(path.name, "is not a JSON object")
    return value


class Config:
    """Typed access to config.json, the text model's part over the whole. Everything raises
    BadCheckpoint.

    Keys are those of NAMES, or a name as it stands in the file.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        thinker = values.get("thinker_config")  # of Qwen's that speak, what is no speech
        if isinstance(thinker, Mapping):
            values = {**thinker, **values}
        self.top = dict(values)
        self.text = dict(values)
        for name in _TEXT:
            part = values.get(name)
            if isinstance(part, Mapping):
                said = {key: value for key, value in part.items() if value is not None}
                self.text = {**assumed(part), **self.text, **said}
                break

    @property
    def architecture(self) -> str:
        """The first of `architectures`, or empty."""
        names = self.top.get("architectures") or self.text.get("architectures")
        if isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
        return "MambaForCausalLM" if "ssm_cfg" in self.top else ""

    def get(self, key: str) -> Any:
        """The value as it is, None where there is none."""
        for name in NAMES.get(key, (key,)):
            if self.text.get(name) is not None:
                return self.text[name]
        return None

    def has(self, key: str) -> bool:
        """Whether it is there and not null."""
        return self.get(key) is not None

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number from 0 to 2³¹."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not 0 <= value < 2**31:
            raise self.bad(key, value, "a whole number")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A number that a float of 32 bits can hold."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if type(value) not in (int, float) or not abs(value) <= MAX_REAL:
            raise self.bad(key, value, "a number")
        return float(value)

    def positive(self, key: str, default: float | None = None) -> float:
        """A finite number above 0."""
        value = self.real(key, default)
        if value <= 0:
            raise self.bad(key, value, "a number above 0")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value."""
        value = self.get(key)
        if value is None:
            return default
        if type(value) is not bool:
            raise self.bad(key, value, "true or false")
        return value

    def text_of(self, key: str, default: str = "") -> str:
        """A string."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.bad(key, value, "a string")
        return value

    def part(self, key: str) -> Config:
        """An object within; without anything where there is none."""
        value = self.get(key)
        if value is None:
            return Config({})
        if not isinstance(value, Mapping):
            raise self.bad(key, value, "an object")
        return Config(value)

    def items(self, key: str) -> Sequence[Any]:
        """A list; empty where there is none."""
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.bad(key, value, "a list")
        return value

    def bad(self, key: str, value: object, wanted: str) -> BadCheckpoint:
        """An error about a key that is missing or not what is wanted."""
        names = " or ".join(repr(name) for name in NAMES.get(key, (key,)))
        if value is None:
            return BadCheckpoint("config.json", f"{names} is missing")
        return BadCheckpoint("config.json", f"{names} is {str(value)[:60]!r}, not {wanted}")

    @property
    def n_layers(self) -> int:
        """How many blocks."""
        n = self.whole("n_layers")
        if not 0 < n <= MAX_LAYERS:
            raise self.bad("n_layers", n, f"from 1 to {MAX_LAYERS}")
        return n

    @property
    def n_heads(self) -> int:
        """Query heads of a block."""
        n = self.whole("n_heads")
        if n < 1:
            raise self.bad("n_heads", n, "at least 1")
        return n

    @property
    def n_kv_heads(self) -> int:
        """Key and value heads of a block; as many as query heads where nothing is said."""
        return max(self.whole("n_kv_heads", self.n_heads), 1)

    @property
    def head_size(self) -> int:
        """Values of a head."""
        size = self.whole("head_dim", 0) or self.whole("width") // self.n_heads
        if size > MAX_HEAD:
            raise self.bad("head_dim", size, f"at most {MAX_HEAD}")
        return size

    @property
    def rotary_size(self) -> int:
        """Values of a head that are rotated."""
        parameters = self.part("rope_parameters")
        part = parameters.real("partial_rotary_factor", self.real("rotary_part", 1.0))
        return int(self.head_size * part)

    @property
    def rope(self) -> Config:
        """The rotation's own settings, in either of the two places, without what a kind of layer
        has.
        """
        for key in ("rope_parameters", "rope_scaling"):
            part = self.part(key)
            if "full_attention" in part.text:
                part = part.part("full_attention")
            if part.text:
                return part
        return Config({})

    @property
    def rope_base(self) -> float:
        """The rotation's base, 10000 where nothing is said."""
        return self.rope.positive("rope_theta", self.positive("rope_base", 10000.0))
