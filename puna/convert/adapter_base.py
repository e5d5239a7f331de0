"""What an adapter's base model is, as far as its GGUF file tells: the family that its weights were
converted by, and the numbers that a family asks of a configuration.

Only tensors are changed by it: what a family says of keys, or adds to the weights, the base has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from puna.convert.config import Config
from puna.convert.families.registry import families, family_writing
from puna.convert.family import Family
from puna.errors import ConvertError
from puna.gguf.reader import Header

__all__ = ["base_config", "base_family"]

_CHOSEN = (
    ("glm4", "rope.dimension_sections", "Glm4vForConditionalGeneration"),
    ("granite", "block_count", "GraniteMoeForCausalLM"),
    ("granitehybrid", "embedding_scale", "GraniteMoeHybridForCausalLM"),
    ("llama", "block_count", "LlamaForCausalLM"),
    ("nemotron_h_moe", "block_count", "NemotronHForCausalLM"),
)
"""Where families share an architecture and differ in what they do to rows: the key that only files
of one of them have, and its name.
"""

_FOLDED = frozenset({"falcon-h1"})
"""Architectures whose weights are multiplied by factors that the file does not tell."""

_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "block_count": ("num_hidden_layers",),
        "embedding_length": ("hidden_size",),
        "feed_forward_length": ("intermediate_size",),
        "attention.head_count": ("num_attention_heads",),
        "attention.head_count_kv": ("num_key_value_heads",),
        "attention.key_length": ("head_dim",),
        "attention.value_length_mla": ("v_head_dim",),
        "expert_count": ("num_experts",),
        "rope.dimension_count": ("attn_rotary_emb",),
        "ssm.conv_kernel": ("linear_conv_kernel_dim",),
        "ssm.state_size": ("linear_key_head_dim", "mamba_d_state", "ssm_state_size"),
        "ssm.group_count": ("linear_num_key_heads", "mamba_n_groups", "n_groups"),
        "ssm.time_step_rank": ("linear_num_value_heads", "mamba_n_heads", "mamba_num_heads"),
    }
)
"""By GGUF's keys, what makers call the same number."""


def base_family(header: Header, modules: Iterable[str] = ()) -> Family:
    """What the base's weights were changed by, for an adapter of these. Raises ConvertError
    where that cannot be known.
    """
    architecture = str(header.metadata.get("general.architecture", ""))
    if architecture in _FOLDED:
        raise ConvertError(
            f"adapters of {architecture} cannot be converted: the model's weights are multiplied "
            "by factors that its file does not tell; merge the adapter into the checkpoint instead"
        )
    for name, key, chosen in _CHOSEN:
        if name == architecture and f"{name}.{key}" in header.metadata:
            family = families()[chosen]
            break
    else:
        family = family_writing(architecture)
    if any(name.startswith("layers.") for name in modules):  # of the model without its head
        alike = (each for each in families().values() if each.architecture == architecture)
        family = replace(family, prefix=max((each.prefix for each in alike), default=""))
    return replace(
        family,
        architecture=architecture,
        more=lambda _config, _names: (),
        n_blocks=lambda config: config.n_layers,
    )


def base_config(header: Header) -> Config:
    """The base's numbers under the names that families know them by."""
    found: dict[str, int] = {}
    architecture = header.metadata.get("general.architecture")
    for key in (*_NAMES, "attention.key_length_mla", "ssm.inner_size"):
        value = header.metadata.get(f"{architecture}.{key}")
        if isinstance(value, tuple) and value and all(type(each) is int for each in value):
            value = max(value)  # layers that have none of it say 0
        if type(value) is int:
            found[key] = value
    values: dict[str, Any] = {
        name: found[key] for key, names in _NAMES.items() if key in found for name in names
    }
    return Config({**values, **_derived(found, str(architecture))})


def _derived(found: Mapping[str, int], architecture: str) -> Mapping[str, Any]:
    """What no key says by itself."""
    values: dict[str, Any] = {}
    rotated, heads = found.get("rope.dimension_count", 0), found.get("attention.head_count", 0)
    if heads > 0:
        size = found.get("attention.key_length", found.get("embedding_length", 0) // heads)
        values["partial_rotary_factor"] = (rotated + 0.5) / max(size, 1) if rotated else 1.0
    if "attention.key_length_mla" in found:
        values["qk_nope_head_dim"] = found["attention.key_length_mla"] - rotated
    if found.get("ssm.time_step_rank"):
        size = found.get("ssm.inner_size", 0) // found["ssm.time_step_rank"]
        values |= {"linear_value_head_dim": size, "mamba_head_dim": size}
    if architecture == "falcon":  # the form of which the others are cases
        values["new_decoder_architecture"] = True
    return values
