"""Which files of a repository a tag means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadModelFile, RegistryError
from puna.models.registry.hub_files import HubFile, choose, find_variants


def files(*paths: str) -> list[HubFile]:
    return [HubFile(path, 1000 + number) for number, path in enumerate(paths)]


MANY = files(
    "README.md",
    "m-Q8_0.gguf",
    "m-Q4_K_M.gguf",
    "m-IQ3_M.gguf",
    "m-UD-Q2_K_XL.gguf",
    "m-f16.gguf",
    "m-mmproj-f16.gguf",
    "m.imatrix.gguf",
    "imatrix.dat",
)
QUANTIZATIONS = {
    "Llama-3.2-3B-Instruct-IQ3_M.gguf": "iq3_m",
    "mistral-7b-v0.2.Q4_K_M.gguf": "q4_k_m",
    "m-UD-Q4_K_XL.gguf": "ud-q4_k_xl",
    "m_Q5_0.gguf": "q5_0",
    "m-BF16-00001-of-00002.gguf": "bf16",
    "Q8_0/m-00001-of-00002.gguf": "q8_0",
    "BF16/deep/m.gguf": "bf16",
    "m-Q4_0_4_4.gguf": "q4_0_4_4",
    "m-Q4_K_M-imat.gguf": "q4_k_m",
    "q8_0.gguf": "q8_0",
    "gpt-oss-20b-mxfp4.gguf": "mxfp4",
    "m-Q4_K_M-v2.Q6_K.gguf": "q6_k",
    "m-fp16.GGUF": "fp16",
    "qwen3-4b.gguf": "",
    "model.gguf": "",
}


@pytest.mark.parametrize(("path", "expected"), QUANTIZATIONS.items(), ids=QUANTIZATIONS)
def test_the_quantisation_is_in_the_name(path: str, expected: str) -> None:
    (variant,) = find_variants(files(path))
    assert variant.quantization == expected


TAGS: dict[str, tuple[list[HubFile], str, str]] = {
    "latest": (MANY, "latest", "m-Q4_K_M.gguf"),
    "latest in any case": (MANY, "Latest", "m-Q4_K_M.gguf"),
    "latest without the usual": (files("m-Q8_0.gguf", "m-Q5_K_M.gguf"), "latest", "m-Q5_K_M.gguf"),
    "latest of Unsloth's": (
        files("m-UD-Q2_K_XL.gguf", "m-UD-Q4_K_XL.gguf", "m-Q8_0.gguf"),
        "latest",
        "m-UD-Q4_K_XL.gguf",
    ),
    "latest of files that do not say": (files("b.gguf", "a.gguf"), "latest", "a.gguf"),
    "latest of one": (files("m-Q2_K.gguf"), "latest", "m-Q2_K.gguf"),
    "a quantisation": (MANY, "Q8_0", "m-Q8_0.gguf"),
    "in lower case": (MANY, "iq3_m", "m-IQ3_M.gguf"),
    "of another making": (MANY, "Q2_K_XL", "m-UD-Q2_K_XL.gguf"),
    "of another making, asked for": (MANY, "UD-Q2_K_XL", "m-UD-Q2_K_XL.gguf"),
    "the plain one first": (
        files("m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"),
        "q4_k_m",
        "m-Q4_K_M.gguf",
    ),
    "a file's name": (MANY, "m-Q8_0.gguf", "m-Q8_0.gguf"),
    "a file's name without its ending": (MANY, "M-q8_0", "m-Q8_0.gguf"),
    "another word": (files("m-heretic-Q8_0.gguf", "m-Q8_0.gguf"), "heretic", "m-heretic-Q8_0.gguf"),
    "near the top": (files("old/m-Q8_0.gguf", "m-v2-Q8_0.gguf"), "Q8_0", "m-v2-Q8_0.gguf"),
    "not a part of a word": (files("m-IQ4_0.gguf", "m-q4_0.gguf"), "Q4_0", "m-q4_0.gguf"),
    "a folder": (files("Q8_0/m.gguf", "Q4_0/m.gguf"), "q4_0", "Q4_0/m.gguf"),
}


@pytest.mark.parametrize(("there", "tag", "expected"), TAGS.values(), ids=TAGS)
def test_tags(there: list[HubFile], tag: str, expected: str) -> None:
    assert [file.path for file in choose(there, tag).weights] == [expected]


PARTS = [f"Q4_K_M/m-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


@pytest.mark.parametrize("tag", ["latest", "q4_k_m", "m-Q4_K_M-00001-of-00003.gguf", "m-q4_k_m"])
def test_parts_come_in_order(tag: str) -> None:
    choice = choose(files("z.gguf", PARTS[2], PARTS[0], PARTS[1]), tag)
    assert [file.path for file in choice.weights] == PARTS


REFUSED: dict[str, tuple[list[HubFile], str, str]] = {
    "nothing": ([], "latest", "the repository has no GGUF files"),
    "no GGUF": (
        files("model.safetensors", "mmproj-f16.gguf"),
        "latest",
        "the repository has no GGUF files; its safetensors files cannot be used",
    ),
    "empty files": ([HubFile("m.gguf", 0)], "latest", "the repository has no GGUF files"),
    "not this one": (
        MANY,
        "Q9_9",
        'the repository has no "Q9_9": there are F16, IQ3_M, Q4_K_M, Q8_0, UD-Q2_K_XL',
    ),
    "names that do not say": (
        files("a.gguf", "b.gguf"),
        "Q8_0",
        'the repository has no "Q8_0": there are a, b',
    ),
    "very many": (
        files(*(f"m{number:02}.gguf" for number in range(50))),
        "Q8_0",
        'the repository has no "Q8_0": there are '
        + ", ".join(f"m{number:02}" for number in range(40))
        + " and 10 more",
    ),
    "a part is missing": (
        files(PARTS[0], PARTS[2]),
        "latest",
        f"the repository lacks a part of the model: {PARTS[1]}",
    ),
}


@pytest.mark.parametrize(("there", "tag", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_there_is_told_with_what_is(
    there: list[HubFile], tag: str, expected: str
) -> None:
    with pytest.raises(RegistryError) as caught:
        choose(there, tag)
    assert str(caught.value) == expected


def test_a_number_of_parts_that_cannot_be() -> None:
    with pytest.raises(BadModelFile, match="99999 parts are over the limit"):
        choose(files("m-00001-of-99999.gguf"), "latest")


PROJECTORS: dict[str, tuple[list[str], str | None]] = {
    "none": ([], None),
    "one": (["mmproj-model.gguf"], "mmproj-model.gguf"),
    "half precision first": (
        ["mmproj-Q8_0.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"],
        "mmproj-F16.gguf",
    ),
    "behind the name": (["m.mmproj-Q8_0.gguf"], "m.mmproj-Q8_0.gguf"),
    "the nearest": (["mmproj-F16.gguf", "Q8_0/mmproj-Q8_0.gguf"], "Q8_0/mmproj-Q8_0.gguf"),
    "not of another folder": (["Q4_0/mmproj-F16.gguf"], None),
    "no GGUF": (["mmproj.bin"], None),
}


@pytest.mark.parametrize(("paths", "expected"), PROJECTORS.values(), ids=PROJECTORS)
def test_a_projector_goes_with_the_weights(paths: list[str], expected: str | None) -> None:
    found = choose(files("Q8_0/m-Q8_0.gguf", *paths), "q8_0").projector
    assert (found.path if found else None) == expected


@given(st.lists(st.text(min_size=1, max_size=40), max_size=8, unique=True), st.text(max_size=40))
def test_any_names_give_files_or_an_error(paths: list[str], tag: str) -> None:
    there = files(*(f"{path}.gguf" for path in paths))
    try:
        choice = choose(there, tag)
    except (RegistryError, BadModelFile):
        return
    assert set(choice.weights) <= set(there)
