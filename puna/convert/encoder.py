"""A checkpoint's encoder of images or of sound becomes tensors and keys of a projector's file.

Facts: conversion spec, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from puna.convert.assumed import assumed
from puna.convert.config import Config, read_json
from puna.convert.family import Named, Value
from puna.convert.names import tensor_names
from puna.convert.plan import (
    FILE_TYPE_NUMBERS,
    Output,
    is_used,
    missing_like,
    of_encoder,
    placed,
)
from puna.convert.projector import EncoderConfig, Projector
from puna.convert.projectors.registry import projectors
from puna.convert.tensor import Tensor
from puna.convert.tokenizer.special import Folder
from puna.errors import BadCheckpoint, MissingTensor

__all__ = ["Encoder", "find_encoder"]

ARCHITECTURE = "clip"
_OWN = ("v.", "a.", "mm.", "resampler.")
"""How the file's own names begin."""

_BLOCK = re.compile(r"^[va]\.blk\.(\d+)\.")
_ALWAYS_F32 = re.compile(
    r"^v\.(position_embd|class_embd|token_embd|view_seperator|sam\.(pos_embd|neck|net_))|\.pos_[hw]\."
    r"|^a\.(position_embd|conv1d\.\d\.bias)|^resampler\.(query|pos_embed_k)"
)
_ALWAYS_F16 = re.compile(r"^a\.conv1d\.\d\.weight")
"""Kernels over time: the engine multiplies them in halves, and knows no others."""
_NEVER_BF16 = re.compile(
    r"^(a\.conv2d\.\d|v\.(sam\.)?patch_embd|mm\.patch_merger|mm\.input_projection)\.weight"
)
"""Convolutions and transposed matrices: backends have no kernels for them in BF16."""

_ACTIVATIONS: Mapping[str, Mapping[str, bool]] = {
    "quick_gelu": {},
    "gelu": {"use_gelu": True},
    "gelu_new": {"use_gelu": True},
    "gelu_fast": {"use_gelu": True},
    "gelu_pytorch_tanh": {"use_gelu": True},
    "silu": {"use_silu": True},
    "swish": {"use_silu": True},
}


class Encoder:
    """A projector's family, and a checkpoint's encoder that is of it."""

    architecture = ARCHITECTURE

    def __init__(self, projector: Projector, config: EncoderConfig) -> None:
        self._projector = projector
        self._config = config

    @property
    def row(self) -> int:
        """The height in pixels of a row of tokens; 0 where it hears."""
        if self._projector.sense == "audio":
            return 0
        own, whole = self._config.own, self._config.whole
        merge = own.whole("spatial_merge_size", whole.whole("spatial_merge_size", 1))
        return own.whole("patch_size") * max(merge, 1)

    def keys(self, kind: str) -> dict[str, Value]:
        """The file's metadata in its order. Raises BadCheckpoint."""
        own, sense = self._config.own, self._projector.sense
        keys: dict[str, Value | None] = {
            "general.architecture": ARCHITECTURE,
            "general.type": "mmproj",
            "general.file_type": FILE_TYPE_NUMBERS[kind],
            "general.quantization_version": 2,
        }
        clip: dict[str, Value | None] = {
            f"has_{sense}_encoder": True,
            "projector_type": self._projector.kind,
            **(self._image_keys() if sense == "vision" else {}),
            f"{sense}.embedding_length": own.whole("width"),
            f"{sense}.feed_forward_length": own.whole("ffn"),
            f"{sense}.block_count": own.n_layers,
            f"{sense}.attention.head_count": own.n_heads,
            f"{sense}.attention.layer_norm_epsilon": own.real("norm_eps", self._projector.norm_eps),
            f"{sense}.projection_dim": self._config.text_width,
            **self._projector.keys(self._config),
        }
        keys |= {f"{ARCHITECTURE}.{key}": value for key, value in clip.items()}
        return {key: value for key, value in keys.items() if value is not None}

    def _image_keys(self) -> dict[str, Value]:
        own, images, pixels = self._config.own, self._config.images, self._projector.pixels
        return {
            **_activation(own),
            "vision.image_size": own.whole("image_size"),
            "vision.patch_size": own.whole("patch_size"),
            "vision.image_mean": _colours(images, "image_mean", pixels.mean),
            "vision.image_std": _colours(images, "image_std", pixels.std),
        }

    def outputs(self, weights: Mapping[str, Tensor], kind: str) -> list[Output]:
        """The file's tensors. Raises BadCheckpoint for one that is missing, of a wrong shape, or of
        no use.
        """
        n_blocks = max(self._config.own.n_layers, 4)  # also numbers the projector's layers
        names = tensor_names(ARCHITECTURE, n_blocks)
        owner = f"the projector {self._projector.kind}"
        outputs = placed(
            self._changed(weights),
            lambda name: name if name.startswith(_OWN) else names(name),
            lambda name, tensor: _kind(name, tensor, kind),
            owner,
        )
        wanted = self._projector.shapes(self._config)
        sources = {name: output.tensor for name, output in outputs.items()}
        for name, shape in wanted.items():
            if name not in outputs:
                raise missing_like(name, sources) or _missing(name, weights)
            if not _fits(sources[name].shape, shape):
                raise sources[name].bad(
                    f"has shape {list(sources[name].shape)}, where {list(shape)} is expected"
                )
        for name, tensor in sources.items():
            if name not in wanted:
                raise BadCheckpoint(tensor.file, f"{owner} has no place for {name}", tensor.source)
        return sorted(outputs.values(), key=_place)

    def _changed(self, weights: Mapping[str, Tensor]) -> Iterable[Named]:
        drop = re.compile(self._projector.drop) if self._projector.drop else None
        for name, tensor in weights.items():
            if of_encoder(name) and is_used(name) and not (drop and drop.search(name)):
                plain = name.removeprefix("thinker.").removeprefix("model.")
                yield from self._projector.weights(self._config, plain, tensor)
        yield from self._projector.more(self._config, weights)


def find_encoder(folder: Path, config: Config, weights: Mapping[str, Tensor]) -> Encoder | None:
    """What converts the checkpoint's encoder; None where it has none, or one of a kind that is not
    converted. Raises BadCheckpoint.
    """
    if not any(map(of_encoder, weights)):
        return None
    for projector in projectors().get(config.architecture, ()):
        part = config.top.get(f"{projector.sense}_config")
        if not isinstance(part, Mapping):
            continue
        own = _whole(part, str(config.top.get("model_type", "")))
        if projector.suits(own):
            files = Folder.read(folder, config)
            said = EncoderConfig(config, projector.settings(own), _images(folder), _added(files))
            return Encoder(projector, said)
    return None


def _whole(part: Mapping[str, Any], model_type: str) -> Config:
    return Config({**assumed(part, model_type), **_said(part)})


def _said(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if value is not None}


def _images(folder: Path) -> Config:
    """How images are prepared, by either file; the newer one holds it in a part of its own."""
    said: dict[str, Any] = {}
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            values = read_json(folder / name)
            part = values.get("image_processor")
            said |= values | (part if isinstance(part, dict) else {})
    return Config(said)


def _added(files: Folder) -> dict[str, int]:
    """Ids by text, as far as either file of the tokenizer lists them."""
    return {
        str(entry["content"]): int(entry["id"])
        for entry in files.added_tokens()
        if "content" in entry and str(entry.get("id")).isdecimal()
    }


def _activation(own: Config) -> Mapping[str, bool]:
    name = own.text_of("hidden_act", "gelu")
    if name not in _ACTIVATIONS:
        raise own.bad("hidden_act", name, f"one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def _colours(images: Config, key: str, default: tuple[float, ...]) -> list[float]:
    values = images.items(key) or default
    if len(values) != 3 or any(type(value) not in (int, float) for value in values):
        raise BadCheckpoint("preprocessor_config.json", f"{key!r} is not three numbers")
    return [float(value) for value in values]


def _kind(name: str, tensor: Tensor, kind: str) -> str:
    if _ALWAYS_F16.search(name):
        return "F16"
    if len(tensor.shape) < 2 or _ALWAYS_F32.search(name):
        return "F32"
    is_convolution = len(tensor.shape) > 3 or _NEVER_BF16.search(name) is not None
    return "F32" if kind == "BF16" and is_convolution else kind


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(
        n in (found, -1) for found, n in zip(shape, wanted, strict=True)
    )


def _missing(name: str, weights: Mapping[str, Tensor]) -> MissingTensor:
    file = next(tensor.file for source, tensor in weights.items() if of_encoder(source))
    return MissingTensor(file, "the projector's tensor is missing", name)


def _place(output: Output) -> tuple[int, str]:
    found = _BLOCK.match(output.name)
    return (int(found[1]) if found else -1, output.name)
