"""What a family of projectors declares: its name in libmtmd, keys beyond the common ones, and the
tensors that its file must have.

A projector's file holds an encoder of images or of sound, and what takes the encoder's values to
the width of the text model. Facts: conversion spec, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.tensor import Tensor

__all__ = ["CLIP_PIXELS", "HALF_PIXELS", "EncoderConfig", "Pixels", "Projector", "Shapes"]

Shapes = Mapping[str, tuple[int, ...]]
"""Each tensor's shape by its name in GGUF, the slowest dimension first; -1 where any number will
do.
"""


@dataclass(frozen=True, slots=True)
class Pixels:
    """By what red, green and blue are normalised where no file says it."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


CLIP_PIXELS = Pixels((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF_PIXELS = Pixels((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What a checkpoint says of its encoder: the whole configuration, the encoder's own part, how
    images are prepared, and the ids of tokens that were added to the vocabulary.
    """

    whole: Config
    own: Config
    images: Config
    tokens: Mapping[str, int]

    @property
    def text_width(self) -> int:
        """The width of the text model's embeddings."""
        return self.whole.whole("width")

    @property
    def width(self) -> int:
        """The width of the encoder."""
        return self.own.whole("width")

    @property
    def n_patches(self) -> int:
        """Patches along a side of an image of the encoder's own size."""
        return self.own.whole("image_size") // max(self.own.whole("patch_size"), 1)

    def refuse(self, key: str, *supported: object) -> None:
        """Raise BadCheckpoint where the encoder's setting is there, and none of those that the
        engine computes.
        """
        if self.own.has(key) and self.own.get(key) not in supported:
            raise self.own.bad(key, self.own.get(key), " or ".join(map(str, supported)))


def _no_keys(_encoder: EncoderConfig) -> Keys:
    return {}


def _as_it_is(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    return ((name, tensor),)


def _nothing_more(_encoder: EncoderConfig, _weights: Mapping[str, Tensor]) -> Iterable[Named]:
    return ()


@dataclass(frozen=True, slots=True)
class Projector:
    """How the encoders of some architectures become GGUF."""

    kind: str
    """libmtmd's name for it."""

    shapes: Callable[[EncoderConfig], Shapes]
    """All tensors that the file has, no more and no less."""

    keys: Callable[[EncoderConfig], Keys] = _no_keys
    """Beyond the common keys, without `clip.`."""

    weights: Callable[[EncoderConfig, str, Tensor], Iterable[Named]] = _as_it_is
    """What becomes of one tensor, under the maker's name without `model.` before it. Names that
    begin with `v.`, `a.` or `mm.` are those of the file.
    """

    more: Callable[[EncoderConfig, Mapping[str, Tensor]], Iterable[Named]] = _nothing_more
    """Tensors that are made of others of the checkpoint."""

    norm_eps: float = 1e-6
    """Where the encoder's configuration says nothing."""

    pixels: Pixels = HALF_PIXELS

    drop: str = ""
    """A pattern for tensors that the engine has no use for."""

    settings: Callable[[Config], Config] = lambda own: own
    """The encoder's configuration, under the names that others give to the same numbers."""

    suits: Callable[[Config], bool] = lambda _own: True
    """Whether an encoder of this configuration is of this family."""

    sense: Literal["vision", "audio"] = "vision"
    """What it takes in. The keys of the file, and the part of the configuration, are named so."""
