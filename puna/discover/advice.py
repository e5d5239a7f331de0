"""What to do where the machine has more than the engine can use, or less than it wants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from puna.discover.hardware import METAL, Hardware

__all__ = ["ENGINE", "HIDING", "advise"]

ENGINE = "llama-cpp-python"
_BACKENDS = {
    "NVIDIA": ("CUDA",),
    "AMD": ("ROCm",),
    "Intel": ("Vulkan", "SYCL"),
    "Apple": (METAL,),
}
"""By the vendor of a card: the backends that compute on it, the usual one first."""
_ANY = "Vulkan"
_FLAGS = {
    "CUDA": "-DGGML_CUDA=on",
    "ROCm": "-DGGML_HIP=on",
    "Vulkan": "-DGGML_VULKAN=on",
    "SYCL": "-DGGML_SYCL=on",
    METAL: "-DGGML_METAL=on",
}
"""What builds the engine for a backend."""
_NATIVE = "-DGGML_NATIVE=on"
_USUALLY_INTEGRATED = "Intel"
_FASTER = ("avx2", "avx512", "avx_vnni", "amx_int8", "dotprod", "matmul_int8", "sve")
"""Instruction sets of the processor worth building for, as the engine spells them."""
_KERNEL = {"avx512": "avx512f", "dotprod": "asimddp", "matmul_int8": "i8mm"}
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

    `version` is the engine's, empty where there is none; of `environ` only the variables in HIDING
    are looked at.
    """
    if not version:
        return [f"The engine is not installed: run pip install {ENGINE}"]
    if not found.engine_features:
        return ["The engine does not start: python -c 'import llama_cpp' says why"]
    said = [
        f"{name}={environ[name]} hides cards from the engine. To use them all: unset {name}"
        for name in HIDING
        if name in environ
    ]
    hides = bool(said)
    lacking: dict[str, str] = {}
    for vendor in dict.fromkeys(found.present):
        able = {*_BACKENDS[vendor], _ANY}
        if not able & set(found.backends):
            if vendor != _USUALLY_INTEGRATED or not found.cards:
                lacking[vendor] = _BACKENDS[vendor][0]
        elif not hides and not any(card.library in able for card in found.cards):
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
    command = _build([*found.backends, *lacking.values()], version, is_native=bool(missing))
    said += [
        f"{vendor} GPU found, engine built without {backend}: run {command}"
        for vendor, backend in lacking.items()
    ]
    if missing:
        said.append(
            f"The processor has {', '.join(missing)}, the engine is not built for that: run "
            f"{command}"
        )
    if found.processor.quota is not None and found.processor.quota < found.processor.cores:
        said.append(
            f"The control group allows {found.processor.quota:g} of {found.processor.cores} cores: "
            f"{found.processor.threads} threads are used"
        )
    return said


def _build(backends: Iterable[str], version: str, *, is_native: bool) -> str:
    """What builds the engine for all of these: one command, whatever there is to mend, which loses
    nothing that the engine had.
    """
    flags = [_FLAGS[name] for name in dict.fromkeys(backends) if name in _FLAGS]
    flags += [_NATIVE] if is_native else []
    return (
        f'CMAKE_ARGS="{" ".join(flags)}" pip install --force-reinstall --no-cache-dir --no-deps '
        f"{ENGINE}=={version}"
    )
