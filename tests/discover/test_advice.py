"""What people are told about machines of several kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.discover.advice import advise
from puna.discover.hardware import Hardware, Processor
from tests.fakes.machines import GIB, a_card

PLAIN = Hardware(
    processor=Processor(features=frozenset({"avx2"}), cores=4, threads=4),
    engine_features=frozenset({"avx2"}),
)

CASES: dict[str, tuple[Hardware, dict[str, str], list[str]]] = {
    "a processor alone": (PLAIN, {}, []),
    "a card in use": (
        replace(PLAIN, present=("NVIDIA",), backends=("CUDA", "CPU"), cards=(a_card(0, 8 * GIB),)),
        {},
        [],
    ),
    "an engine for processors beside a card": (
        replace(PLAIN, present=("NVIDIA", "NVIDIA")),
        {},
        [
            "NVIDIA GPU found, engine built without CUDA: run "
            'CMAKE_ARGS="-DGGML_CUDA=on" pip install --force-reinstall --no-cache-dir --no-deps '
            "llama-cpp-python==1.2"
        ],
    ),
    "a card without its driver": (
        replace(PLAIN, present=("AMD",), backends=("ROCm", "CPU")),
        {},
        ["AMD GPU found and the engine is built for it, but it cannot be used"],
    ),
    "Vulkan serves every card": (
        replace(
            PLAIN,
            present=("AMD",),
            backends=("Vulkan",),
            cards=(a_card(0, GIB, library="Vulkan"),),
        ),
        {},
        [],
    ),
    "hidden cards": (
        PLAIN,
        {"CUDA_VISIBLE_DEVICES": "-1"},
        ["CUDA_VISIBLE_DEVICES=-1 hides cards from the engine"],
    ),
    "an engine for older processors": (
        replace(PLAIN, processor=Processor(features=frozenset({"avx2", "avx512f"}))),
        {},
        ["The processor has avx512, the engine is not built for that"],
    ),
    "several things to mend are one command, which keeps what there is": (
        replace(
            PLAIN,
            processor=Processor(features=frozenset({"avx2", "avx512f"})),
            present=("NVIDIA", "AMD"),
            backends=("CUDA", "CPU"),
            cards=(a_card(0, 8 * GIB),),
        ),
        {},
        [
            'AMD GPU found, engine built without ROCm: run CMAKE_ARGS="-DGGML_CUDA=on '
            '-DGGML_HIP=on -DGGML_NATIVE=on" pip install',
            "The processor has avx512, the engine is not built for that: run "
            'CMAKE_ARGS="-DGGML_CUDA=on -DGGML_HIP=on -DGGML_NATIVE=on" pip install',
        ],
    ),
    "an integrated card beside one in use": (
        replace(
            PLAIN,
            present=("Intel", "NVIDIA"),
            backends=("CUDA", "CPU"),
            cards=(a_card(0, 8 * GIB),),
        ),
        {},
        [],
    ),
    "an integrated card alone": (
        replace(PLAIN, present=("Intel",)),
        {},
        ['Intel GPU found, engine built without Vulkan: run CMAKE_ARGS="-DGGML_VULKAN=on" pip'],
    ),
    "another way to an Intel card": (
        replace(
            PLAIN, present=("Intel",), backends=("SYCL",), cards=(a_card(0, GIB, library="SYCL"),)
        ),
        {},
        [],
    ),
    "one of two cards without its driver": (
        replace(
            PLAIN,
            present=("NVIDIA", "AMD"),
            backends=("CUDA", "ROCm"),
            cards=(a_card(0, 8 * GIB),),
        ),
        {},
        ["AMD GPU found and the engine is built for it, but it cannot be used"],
    ),
    "a Mac": (
        replace(
            PLAIN, present=("Apple",), backends=("Metal",), cards=(a_card(0, GIB, library="Metal"),)
        ),
        {},
        [],
    ),
    "every card hidden is not a matter of its driver": (
        replace(PLAIN, present=("NVIDIA",), backends=("CUDA", "CPU")),
        {"CUDA_VISIBLE_DEVICES": ""},
        ["CUDA_VISIBLE_DEVICES= hides cards from the engine"],
    ),
    "an ARM processor": (
        Hardware(
            processor=Processor(features=frozenset({"asimddp", "i8mm"})),
            engine_features=frozenset({"neon", "dotprod"}),
        ),
        {},
        ["The processor has matmul_int8, the engine is not built for that"],
    ),
    "an engine that does not start": (
        Hardware(present=("NVIDIA",), backends=()),
        {},
        ["The engine does not start"],
    ),
    "half a core": (
        replace(PLAIN, processor=Processor(cores=4, threads=1, quota=0.5)),
        {},
        ["The control group allows 0.5 of 4 cores: 1 threads are used"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_advice(case: str) -> None:
    found, environ, beginnings = CASES[case]
    said = advise(found, "1.2", environ)
    assert len(said) == len(beginnings)
    for sentence, beginning in zip(said, beginnings, strict=True):
        assert sentence.startswith(beginning)


def test_advice_without_an_engine() -> None:
    assert advise(PLAIN, "", {}) == [
        "The engine is not installed: run pip install llama-cpp-python"
    ]
