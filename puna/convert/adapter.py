"""LoRA adapters, in PEFT's form or MLX's, become GGUF adapters. Runs in the child process.

An adapter's matrix is the product of two small ones. What a family does to the rows of a weight is
done to the second of them, so that no family needs code of its own. Facts: conversion spec, section
8.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from puna.convert.adapter_base import base_config, base_family
from puna.convert.check import check_adapter
from puna.convert.config import Config, read_json
from puna.convert.factors import Factors
from puna.convert.family import Value
from puna.convert.plan import Output, map_weights
from puna.convert.safetensors import read_places
from puna.convert.tensor import Tensor, stored
from puna.convert.unwritten import outline
from puna.convert.write import open_file, write_data
from puna.errors import BadCheckpoint, MissingTensor
from puna.gguf.reader import Header, read_header
from puna.gguf.translation.registry import translation_of

__all__ = ["convert_adapter"]

_FILES = ("adapter_model.safetensors", "adapters.safetensors")
_FACTOR = re.compile(r"^(?:base_model\.model\.)?(.+)\.lora_([ABab])(?:\.default)?(?:\.weight)?$")
_NEVER = re.compile(
    r"^per_layer_model_proj\.|\.time_mix_[wavg][0-2]\.|\.attn_(q_a|q_b|kv_a_mqa)\.weight$"
)
"""Weights that the engine multiplies by without looking for an adapter."""

_NEVER_IN_ATTENTION: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {"kimi-linear": re.compile(r"\.attn_"), "plm": re.compile(r"\.attn_(q|kv_b)\.weight$")}
)
"""Architectures where it does so with more weights of attention, and those."""

_SETTINGS = "adapter_config.json"


def convert_adapter(
    folder: Path, base: Path, target: Path, tell: Callable[[int, int], None]
) -> str:
    """Write `target`; gives the base's architecture. Raises ConvertError, OSError."""
    try:
        return _convert(folder, base, target, tell)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise


def _convert(folder: Path, base: Path, target: Path, tell: Callable[[int, int], None]) -> str:
    header = read_header(base, arrays=True)
    translation = translation_of(header, base)
    if translation:  # as it will be when the adapter is laid over it
        header = translation.text.header
    architecture = str(header.metadata.get("general.architecture", ""))
    settings = _Settings(folder)
    products = {f"{name}.weight": each for name, each in _products(folder, settings).items()}
    planned = map_weights(base_family(header, products), base_config(header), products, "F32")
    outputs = list(_factors(planned, header))
    keys: dict[str, Value] = {
        "general.architecture": architecture,
        "general.type": "adapter",
        "general.file_type": 0,
        "adapter.type": "lora",
        "adapter.lora.alpha": settings.alpha,
    }
    open_file(target, keys, outputs)
    done = 0

    def written(_output: Output) -> None:
        nonlocal done
        tell(done, len(outputs) + 1)
        done += 1

    write_data(target, outputs, written)
    read_header(target)
    if translation:
        with outline(translation.text, base, target) as path:
            check_adapter(path, target)
    else:
        check_adapter(base, target)
    tell(len(outputs) + 1, len(outputs) + 1)
    return architecture


class _Settings:
    """adapter_config.json: the rank, and the strength as the engine counts it, alpha over rank."""

    def __init__(self, folder: Path) -> None:
        """Raises BadCheckpoint for what is missing or cannot be expressed."""
        try:
            config = Config(read_json(folder / _SETTINGS))
        except FileNotFoundError:
            raise BadCheckpoint(_SETTINGS, "is missing") from None
        if config.flag("use_dora"):
            raise BadCheckpoint(_SETTINGS, "DoRA adapters cannot be converted: merge them instead")
        part = config.part("lora_parameters")
        mlx = part if part.text else config
        self.is_turned = config.flag("fan_in_fan_out")
        self._by_root = config.flag("use_rslora")
        self._ranks, self._alphas = config.part("rank_pattern"), config.part("alpha_pattern")
        self.rank = config.whole("r", mlx.whole("rank", 0))
        if not self.rank:
            raise BadCheckpoint(_SETTINGS, "'r' is missing")
        if config.has("lora_alpha"):
            self._alpha = config.real("lora_alpha")
        else:
            self._alpha = mlx.real("scale", mlx.real("alpha", self.rank) / self.rank) * self.rank
        self.alpha = self._strength(self._alpha, self.rank) * self.rank

    def _strength(self, alpha: float, rank: int) -> float:
        return alpha / (rank**0.5 if self._by_root else rank)

    def more(self, module: str, rank: int) -> float:
        """What a module's factors must be multiplied by, where its rank or alpha is its own."""
        alpha = self._own(self._alphas, module, self._alpha)
        wanted = self._strength(alpha, int(self._own(self._ranks, module, rank)))
        return wanted / (self.alpha / rank)

    @staticmethod
    def _own(pattern: Config, module: str, default: float) -> float:
        for name in pattern.text:
            plain = name.lstrip("^").removesuffix("$").replace("\\.", ".")
            if module == plain or module.endswith(f".{plain}"):
                return pattern.real(name)
        return default


def _products(folder: Path, settings: _Settings) -> dict[str, Tensor]:
    """Each module's two factors as one tensor, by the module's name."""
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        raise BadCheckpoint(folder.name, f"no {' and no '.join(_FILES)} in the folder")
    pairs: dict[str, dict[str, Tensor]] = {}
    for place in read_places(file):
        tensor = stored(place)
        found = _FACTOR.match(place.name)
        if not found:
            raise tensor.bad("is no factor of an adapter: only LoRA's can be converted")
        if len(tensor.shape) != 2:
            raise tensor.bad(f"has shape {list(tensor.shape)}, not two dimensions")
        # MLX writes both the other way round, under names in lower case
        turned = tensor if found[2].isupper() else tensor.transposed()
        pairs.setdefault(found[1], {})[found[2].lower()] = turned
    return {module: _product(module, pair, settings) for module, pair in sorted(pairs.items())}


def _product(module: str, pair: Mapping[str, Tensor], settings: _Settings) -> Tensor:
    for part, other in (("a", "b"), ("b", "a")):
        if part not in pair:
            name = f"{module}.lora_{part.upper()}.weight"
            raise MissingTensor(pair[other].file, "is missing", name)
    a, b = pair["a"], pair["b"]
    rank = a.shape[0]
    if b.shape[1] != rank:
        raise b.bad(f"shape {list(b.shape)} does not go together with {list(a.shape)}")
    more = settings.more(module, rank)
    if abs(more - 1) > 1e-6:
        b = b.times(more)
    product = Factors.of(a, b)
    # the weight itself is (in, out) in such a layer, and its factors are as anywhere
    return product.transposed() if settings.is_turned else product


def _factors(planned: Iterable[Output], header: Header) -> Iterable[Output]:
    """Two tensors for each product, which must have the shape of the base's weight."""
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    architecture = str(header.metadata.get("general.architecture", ""))
    for output in planned:
        product = output.tensor
        if not isinstance(product, Factors):
            continue  # it follows from the configuration, and the base has it
        shape = shapes.get(output.name)
        if shape is None:
            raise product.bad(f"the model has no {output.name}")
        if product.shape != shape[::-1]:
            raise product.bad(
                f"is for a weight of {list(product.shape)}, the model's is {list(shape[::-1])}"
            )
        more = _NEVER_IN_ATTENTION.get(architecture, _NEVER)
        if len(shape) != 2 or _NEVER.search(output.name) or more.search(output.name):
            raise product.bad(f"the engine lays no adapter over {output.name}")
        yield replace(output, name=f"{output.name}.lora_a", tensor=product.a, kind="F32")
        yield replace(output, name=f"{output.name}.lora_b", tensor=product.b, kind="F32")
