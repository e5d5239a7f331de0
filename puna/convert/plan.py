"""From a checkpoint's tensors to those of a GGUF file: names, order and types, before any value is
read.

Facts: conversion spec, sections 3.2, 3.4 and 6.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from puna.convert.config import Config
from puna.convert.family import Family, Named
from puna.convert.kinds import is_float
from puna.convert.names import tensor_names
from puna.convert.tensor import Tensor, stack
from puna.errors import BadCheckpoint, MissingTensor
from puna.gguf.types import FILE_TYPES

__all__ = [
    "DENSE",
    "FILE_TYPE_NUMBERS",
    "Output",
    "is_used",
    "map_weights",
    "missing_like",
    "natural_kind",
    "of_encoder",
    "placed",
]

FILE_TYPE_NUMBERS = {name: number for number, name in FILE_TYPES.items()}

DENSE = ("dense_2.weight", "dense_3.weight")
"""What the finished vector goes through, by its names in the file."""

MAX_NAME = 63  # bytes that the engine has for a tensor's name

_IGNORED = re.compile(
    r"\.attention\.masked_bias$|\.attn\.masked_bias$|\.attention\.bias$|\.attn\.bias$"
    r"|rotary_emb\.inv_freq$|rope\.freqs$|embeddings\.position_ids$|\.num_batches_tracked$"
)
_OTHER_SENSES = re.compile(
    r"(^|\.)(vision_tower|vision_model|visual|audio_tower|multi_modal_projector|mm_projector"
    r"|vision_embed_tokens|embed_vision|embed_audio|audio_model|patch_merger|vision_encoder"
    r"|vision_language_adapter|vision_embedder|connector|mlp1|sam_model|projector|mlp_AR|vit"
    r"|vision_projection|aligner|vpm|resampler|merger|siglip2)\."
    r"|image_newline|view_seperator"
)
_EXPERT = re.compile(r"^(.*\bexperts)\.(\d+)\.(\w+)\.(weight|bias|weight_scale_inv)$")
_NUMBERED_EXPERTS = re.compile(
    r"^model\.layers\.(\d+)\.(?:block_sparse_moe|feed_forward)\.experts\.(w[123]\..*)$"
)
_BLOCK = re.compile(r"^blk\.(\d+)\.")
_NUMBERED = re.compile(r"((?:v\.)?blk)\.(\d+)\.(.*)")
_ALWAYS_F32 = re.compile(
    r"_norm\.weight$|ffn_gate_inp(_shexp)?\.weight$|^position_embd\.weight$|^token_types\.weight$"
    r"|ssm_conv1d|shortconv\.conv|time_mix_(first|[wavg][0-2]|decay_w1|decay_w2|lerp_fused)"
    r"|altup_(correct|predict)_coef|(?<!\.weight)(?<!\.lora_a)(?<!\.lora_b)$"
)


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor of the file to be: its name in GGUF, its values, and the type to write them as."""

    name: str
    tensor: Tensor
    kind: str

    @property
    def shape(self) -> tuple[int, ...]:
        """What the file says: values, not the bytes in which blocks of them are packed."""
        *front, last = self.tensor.shape
        return (*front, last // 17 * 32) if self.kind == "MXFP4" else self.tensor.shape


def natural_kind(weights: Iterable[Tensor]) -> str:
    """The 16-bit type that keeps what the first matrix has: BF16 or F16."""
    for tensor in weights:
        if len(tensor.shape) > 1 and is_float(tensor.kind):
            return "F16" if tensor.kind in ("F16", "F32", "F64") else "BF16"
    return "F16"


def map_weights(
    family: Family, config: Config, weights: Mapping[str, Tensor], kind: str
) -> list[Output]:
    """The tensors of the file, those outside blocks first, then block by block, in order of names.

    `kind` is the type of matrices. Raises BadCheckpoint for a tensor that has no place, or twice
    the same.
    """
    outputs = placed(
        _changed(family, config, weights),
        tensor_names(family.architecture, family.n_blocks(config)),
        lambda name, tensor: _kind(name, tensor, kind),
        family.architecture,
    )
    return sorted(outputs.values(), key=_place)


def placed(
    changed: Iterable[Named],
    target_of: Callable[[str], str | None],
    kind_of: Callable[[str, Tensor], str],
    owner: str,
) -> dict[str, Output]:
    """Tensors by their names in the file of `owner`, which errors name.

    Raises BadCheckpoint for a tensor that has no place, or twice the same.
    """
    outputs: dict[str, Output] = {}
    for name, tensor in changed:
        target = target_of(name)
        if target is None:
            raise BadCheckpoint(tensor.file, f"{owner} has no place for {name}", tensor.source)
        if target in outputs:
            raise BadCheckpoint(
                tensor.file,
                f"duplicate tensor name {target!r} was found for this model",
                tensor.source,
            )
        if len(target) > MAX_NAME:
            raise tensor.bad(f"the name {target!r} is longer than {MAX_NAME} bytes")
        outputs[target] = Output(target, tensor, kind_of(target, tensor))
    return outputs


def missing_like(missing: str, sources: Mapping[str, Tensor]) -> MissingTensor | None:
    """The error for a missing tensor under the name that its like of another block suggests."""
    wanted = _NUMBERED.fullmatch(missing)
    for name, tensor in sources.items() if wanted else ():
        other = _NUMBERED.fullmatch(name)
        if wanted and other and other[1] == wanted[1] and other[3] == wanted[3]:
            source = re.sub(rf"\.{other[2]}\.", f".{wanted[2]}.", tensor.source, count=1)
            return MissingTensor(tensor.file, f"is missing ({missing})", source)
    return None


def is_used(name: str) -> bool:
    """Whether a tensor is a weight, and not a table that the engine makes for itself."""
    return not _IGNORED.search(name)


def of_encoder(name: str) -> bool:
    """Whether a tensor is of a checkpoint's other senses, and not of its text model."""
    return _OTHER_SENSES.search(name) is not None


def _place(output: Output) -> tuple[int, str]:
    found = _BLOCK.match(output.name)
    return (int(found[1]) if found else -1, output.name)


def _kind(name: str, tensor: Tensor, kind: str) -> str:
    if not is_float(tensor.kind):
        if tensor.kind == "MXFP4":
            return "MXFP4"
        raise tensor.bad(f"unknown data type: {tensor.kind}")
    if len(tensor.shape) < 2 or _ALWAYS_F32.search(name):
        return "F32"
    return kind


def _changed(family: Family, config: Config, weights: Mapping[str, Tensor]) -> Iterable[Named]:
    drop = re.compile(family.drop) if family.drop else None
    offset = re.compile(family.norm_offset) if family.norm_offset else None
    tied = family.tied or config.flag("tie_word_embeddings")
    predicted = config.whole("num_nextn_predict_layers", 0)
    kept = {
        _plain(name, family): tensor
        for name, tensor in weights.items()
        if is_used(name) and not of_encoder(name) and not (drop and drop.search(name))
    }
    kept = _gathered(family.gathered, kept) if family.gathered else kept
    for name, tensor in family.join(config, stack_experts(config, kept)).items():
        if tied and name in ("lm_head.weight", "model.lm_head.weight"):
            continue
        if predicted and _is_predicting(name, config.n_layers):
            continue
        if offset and offset.search(name):
            tensor = tensor.plus(1)
        if family.unrotate:
            tensor = _unrotated(config, name, tensor)
        yield from family.weights(config, name, tensor)
    yield from family.more(config, kept.keys())


def _is_predicting(name: str, n_layers: int) -> bool:
    """Whether a tensor is of the blocks after the last one, which predict several
    tokens at once.
    """
    found = re.match(r"model\.layers\.(\d+)\.", name)
    return found is not None and int(found[1]) >= n_layers


def _plain(name: str, family: Family) -> str:
    """Without what a checkpoint of several senses puts before its text model's names."""
    name = name.replace("e_score_correction_bias", "e_score_correction.bias")
    name = name.removeprefix("thinker.").removeprefix("llm.")
    for wrapper in ("model.language_model.", "language_model.model.", "model.text_model."):
        if name.startswith(wrapper):
            return "model." + name.removeprefix(wrapper)
    name = name.removeprefix("language_model.")
    is_whole = name.startswith((family.prefix, *DENSE))
    return name if is_whole else family.prefix + name


def _unrotated(config: Config, name: str, tensor: Tensor) -> Tensor:
    if name.endswith(("q_proj.weight", "q_proj.bias")):
        return tensor.unrotated(config.n_heads)
    if name.endswith(("k_proj.weight", "k_proj.bias")):
        return tensor.unrotated(config.n_kv_heads)
    return tensor


def stack_experts(config: Config, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Experts that stand alone, side by side in one tensor; a number that is missing
    is an error.
    """
    groups: dict[str, dict[int, Tensor]] = {}
    merged: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if found := _EXPERT.match(name):
            together = f"{found[1]}.{found[3]}.{found[4]}"
            groups.setdefault(together, {})[int(found[2])] = tensor
        else:
            merged[name] = tensor
    n_experts = config.whole("n_experts") if groups else 0
    for name, members in groups.items():
        for number in range(n_experts):
            if number not in members:
                file = next(iter(members.values())).file
                raise MissingTensor(
                    file, "is missing", name.replace("experts.", f"experts.{number}.")
                )
        if len(members) != n_experts:
            surplus = members[max(members)]
            raise surplus.bad(f"config.json says that there are {n_experts} experts")
        stacked = stack([members[number] for number in range(n_experts)])
        merged[_merged_name(name)] = stacked
    return merged


def _gathered(pattern: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that are numbered, in the order of their numbers, as one."""
    groups: dict[str, dict[int, Tensor]] = {}
    merged: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if found := re.search(pattern, name):
            together = name[: found.start(1) - 1] + name[found.end(1) :]
            groups.setdefault(together, {})[int(found[1])] = tensor
        else:
            merged[name] = tensor
    for name, members in groups.items():
        for number in range(len(members)):
            if number not in members:
                file = next(iter(members.values())).file
                raise MissingTensor(file, f"number {number} is missing", name)
        merged[name] = stack([members[number] for number in range(len(members))])
    return merged


def _merged_name(name: str) -> str:
    """The name under which `gguf` knows the stack."""
    if found := _NUMBERED_EXPERTS.match(name):
        return f"layers.{found[1]}.feed_forward.experts.{found[2]}"
    return name
