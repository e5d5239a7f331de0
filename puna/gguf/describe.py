"""What the rest of Puna asks of a model file, answered from its header alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from puna.gguf.reader import Header, read_header
from puna.gguf.split import place_of, read_joined
from puna.gguf.types import FILE_TYPES
from puna.gguf.values import ArrayInfo, Value

__all__ = [
    "ENCODER",
    "Description",
    "Json",
    "Keys",
    "describe",
    "describe_header",
    "describe_parts",
    "show_metadata",
    "show_tensors",
]

UNKNOWN = "unknown"
HIDDEN = frozenset({"general.name", "tokenizer.chat_template"})
COMMON = ("general.", "tokenizer.")

ENCODER = ("v.", "a.", "mm.")
"""Beginnings of the names of an encoder's tensors and of its projector's."""

Kind = Literal["model", "adapter", "projector"]
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Keys:
    """Metadata by name: those not common to all models have the architecture before them."""

    metadata: Mapping[str, Value]

    @cached_property
    def architecture(self) -> str:
        """`general.architecture`, `unknown` where the file has none."""
        value = self.metadata.get("general.architecture")
        return value if isinstance(value, str) and value else UNKNOWN

    def find(self, name: str) -> Value | None:
        """The value of `name`, or None."""
        full = name if name.startswith(COMMON) else f"{self.architecture}.{name}"
        return self.metadata.get(full)

    def whole(self, name: str) -> int | None:
        """The value of `name` where it is a whole number of any width, not negative; else None."""
        return _whole(self.find(name))

    def each(self, name: str, layers: int) -> tuple[int, ...] | None:
        """A whole number for each layer, from a single one or a list; else None."""
        value = self.find(name)
        if isinstance(value, tuple):
            return tuple(_whole(each) or 0 for each in value[:layers])
        single = _whole(value)
        return None if single is None else (single,) * layers

    def text(self, name: str) -> str | None:
        """The value of `name` where it is a string that is not empty; else None."""
        value = self.find(name)
        return value if isinstance(value, str) and value else None

    def is_true(self, name: str) -> bool:
        """Whether `name` is there and true."""
        return self.find(name) is True


def _whole(value: Value | None) -> int | None:
    return value if type(value) is int and value >= 0 else None


@dataclass(frozen=True, slots=True)
class Description:
    """A model file in brief. Lengths and counts are 0 where the file does not say.

    `file_type` is the name for `general.file_type` as the reference reports it: a file of type 0
    (F32) or without a type is `unknown`. `quantization` is then better informed: it falls back to
    the tensor type that holds the most elements.
    """

    architecture: str
    kind: Kind
    parameter_count: int
    file_type: str
    quantization: str
    context_length: int
    embedding_length: int
    block_count: int
    head_count_kv: tuple[int, ...]  # for each layer; 0 where a layer has no attention
    key_length: int
    value_length: int
    chat_template: str | None
    has_pooling: bool
    has_vision: bool
    has_audio: bool
    has_audio_encoder: bool  # a projector's own flag
    split_count: int  # 0: not split
    split_no: int | None  # from 0
    file_size: int

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the file's keys say it can do (API spec, 13.4 step 2, without the chat template).

        For a projector, what it adds to a model (step 3).
        """
        if self.kind == "projector":
            return ("vision", "audio") if self.has_audio_encoder else ("vision",)
        words = ["embedding" if self.has_pooling else "completion"]
        words += ["vision"] * self.has_vision + ["audio"] * self.has_audio
        return tuple(words)

    def kv_bytes_per_token(self, bytes_per_element: float = 2.0) -> int:
        """Bytes of cache for one token in full attention, keys and values of all layers together.

        `bytes_per_element`: 2 for f16, 1 for q8_0, 0.5 for q4_0. Sliding windows and recurrent
        layers are not considered.
        """
        values = sum(self.head_count_kv) * (self.key_length + self.value_length)
        return math.ceil(values * bytes_per_element)


def describe(path: Path) -> Description:
    """Read and validate a model file's header and describe it. Raises BadModelFile, OSError."""
    return describe_header(read_header(path))


def describe_parts(paths: Sequence[Path]) -> Description:
    """Describe a model in one file or several, of which none may be missing.

    Raises BadModelFile, OSError.
    """
    return describe_header(read_joined(paths))


def describe_header(header: Header) -> Description:
    """Describe a header that was read with or without its arrays."""
    keys = Keys(header.metadata)
    blocks = keys.whole("block_count") or 0
    layers = min(blocks, 1 << 16)  # a number from the file: no list is made as long as it likes
    heads = keys.each("attention.head_count", layers) or ()
    embedding = keys.whole("embedding_length") or 0
    head_size = embedding // min(filter(None, heads), default=embedding or 1)
    file_type = _file_type(keys)
    place = place_of(header)
    return Description(
        architecture=keys.architecture,
        kind=_kind(keys),
        parameter_count=sum(tensor.n_elements for tensor in header.tensors),
        file_type=file_type,
        quantization=file_type if file_type != UNKNOWN else _prevailing_type(header),
        context_length=keys.whole("context_length") or 0,
        embedding_length=embedding,
        block_count=blocks,
        head_count_kv=keys.each("attention.head_count_kv", layers) or heads,
        key_length=keys.whole("attention.key_length") or head_size,
        value_length=keys.whole("attention.value_length") or head_size,
        chat_template=keys.text("tokenizer.chat_template"),
        has_pooling=keys.find("pooling_type") is not None,
        has_vision=keys.find("vision.block_count") is not None,
        has_audio=keys.find("audio.block_count") is not None,
        has_audio_encoder=_has_audio_encoder(keys),
        split_count=place.count if place else 0,
        split_no=place.index if place else None,
        file_size=header.file_size,
    )


def _kind(keys: Keys) -> Kind:
    """What a file is for (models spec, 15.3)."""
    declared = keys.text("general.type")
    if declared == "adapter":
        return "adapter"
    if declared in {"projector", "mmproj"}:
        return "projector"
    if keys.whole("block_count"):
        return "model"
    encoder = keys.is_true("has_vision_encoder") or keys.is_true("has_audio_encoder")
    if keys.whole("vision.block_count") or (keys.architecture == "clip" and encoder):
        return "projector"
    return "model"


def _file_type(keys: Keys) -> str:
    number = keys.whole("general.file_type")
    return FILE_TYPES.get(number, UNKNOWN) if number else UNKNOWN


def _prevailing_type(header: Header) -> str:
    elements: Counter[str] = Counter()
    for tensor in header.tensors:
        elements[tensor.type_name] += tensor.n_elements
    return max(elements, key=elements.__getitem__, default=UNKNOWN)


def _has_audio_encoder(keys: Keys) -> bool:
    if keys.text("vision.projector_type") == "gemma3nv":
        return False
    return any(
        value is True for key, value in keys.metadata.items() if key.endswith(".has_audio_encoder")
    )


def show_metadata(
    header: Header, *, verbose: bool = False, hidden: frozenset[str] = HIDDEN
) -> dict[str, Json]:
    """The metadata as `/api/show` gives it, by key, with the computed parameter count.

    Arrays that are not empty are None unless `verbose`, which needs a header read with its arrays.
    A projector's is shown with nothing hidden: `hidden=frozenset()`.
    """
    shown = {
        key: _json(value, verbose) for key, value in header.metadata.items() if key not in hidden
    }
    shown["general.parameter_count"] = sum(tensor.n_elements for tensor in header.tensors)
    return dict(sorted(shown.items()))


def _json(value: Value, verbose: bool) -> Json:
    match value:
        case tuple():
            return [_json(each, verbose) for each in value] if verbose or not value else None
        case ArrayInfo():
            return None
        case float() if not math.isfinite(value):
            return None  # JSON has no such number
        case _:
            return value


def show_tensors(header: Header) -> list[dict[str, Json]]:
    """The tensors as `/api/show` lists them, shapes in file order."""
    return [
        {"name": tensor.name, "type": tensor.type_name, "shape": list(tensor.shape)}
        for tensor in header.tensors
    ]
