"""What to do where the machine has more than the engine can use, or less than it wants. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from puna.discover.hardware import Hardware

__all__ = ["ENGINE", "HIDING", "advise"]

ENGINE = "llama-cpp-python"
_BUILD = {
    "NVIDIA": ("CUDA", "-DGGML_CUDA=on"),
    "AMD": ("ROCm", "-DGGML_HIP=on"),
    "Intel": ("Vulkan", "-DGGML_VULKAN=on"),
    "Apple": ("Metal", "-DGGML_METAL=on"),
}
"""By the vendor of a card: the backend that computes on it, and what builds the engine for it."""
_ANY = "Vulkan"
_FASTER = ("avx2", "avx512", "avx_vnni", "amx_int8")
"""Instruction sets of the processor worth building for, as the engine spells them."""
_KERNEL = {"avx512": "avx512f"}
"""Where the kernel spells one otherwise."""

HIDING = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "GGML_VK_VISIBLE_DEVICES",
)
"""Variables that hide cards from programs."""


def advise(found: Hardware, version: str, environ: Mapping[str, str]) -> list[str]:
    """Sentences for a person, each with what to do; none where everything is used.

    `version` is the engine's; of `environ` only the variables in HIDING are looked at.
    """
    said = [
        f"{name}={environ[name]} hides cards from the engine. To use them all: unset {name}"
        for name in HIDING
        if environ.get(name)
    ]
    for vendor in dict.fromkeys(found.present):
        backend, flag = _BUILD[vendor]
        if not {backend, _ANY} & set(found.backends):
            said.append(
                f"{vendor} GPU found, engine built without {backend}: run {_again(flag, version)}"
            )
        elif not found.cards:
            said.append(
                f"{vendor} GPU found and the engine is built for it, but it cannot be used: "
                "check that its driver is installed and that this user may open the device"
            )
    has = found.processor.features
    missing = [
        name
        for name in _FASTER
        if _KERNEL.get(name, name) in has and name not in found.engine_features
    ]
    if missing and found.engine_features:
        said.append(
            f"The processor has {', '.join(missing)}, the engine is not built for that: run "
            f"{_again('-DGGML_NATIVE=on', version)}"
        )
    if found.processor.quota is not None and found.processor.quota < found.processor.cores:
        said.append(
            f"The control group allows {found.processor.quota:g} of {found.processor.cores} cores: "
            f"{found.processor.threads} threads are used"
        )
    return said


def _again(flag: str, version: str) -> str:
    return (
        f'CMAKE_ARGS="{flag}" pip install --force-reinstall --no-cache-dir --no-deps '
        f"{ENGINE}=={version}"
    )
