"""The tables against the package that other writers of the format use."""

from __future__ import annotations

import gguf

from puna.gguf.types import FILE_TYPES, SCALARS, TENSOR_TYPES, ValueType


def test_tensor_types_agree_with_the_gguf_package() -> None:
    theirs = {
        int(kind): (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType
    }
    ours = {
        number: (kind.name, kind.block, kind.block_bytes) for number, kind in TENSOR_TYPES.items()
    }
    q8_1 = 9  # the package still gives the size that its sums had as 32-bit floats
    shared = (ours.keys() & theirs.keys()) - {q8_1}
    assert len(shared) >= 30
    assert {n: ours[n] for n in shared} == {n: theirs[n] for n in shared}


def test_file_types_agree_with_the_gguf_package() -> None:
    spelled = {
        int(kind): kind.name.removeprefix("ALL_").removeprefix("MOSTLY_")
        for kind in gguf.LlamaFileType
        if kind.name != "GUESSED"
    }
    shared = FILE_TYPES.keys() & spelled.keys()
    assert len(shared) >= 30
    assert {n: FILE_TYPES[n] for n in shared} == {n: spelled[n] for n in shared}


def test_every_value_type_but_strings_and_arrays_has_a_size() -> None:
    assert set(ValueType) - set(SCALARS) == {ValueType.STRING, ValueType.ARRAY}
