"""Free memory of NVIDIA's cards, from their management library: quicker than asking the engine, and
what other programs use is counted.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["NvidiaCards"]


class NvidiaCards:
    """NVIDIA's cards by their PCI address. Not safe for several threads at a time."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._is_usable = True

    def free(self) -> dict[str, int]:
        """Free bytes by PCI address (`0000:c1:00.0`); empty without driver or cards."""
        nvml = self._open()
        if nvml is None:
            return {}
        try:
            return dict(_card(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
        except nvml.NVMLError:
            return {}

    def describe(self) -> tuple[list[str], str]:
        """The names of the cards and the driver's version, for people."""
        nvml = self._open()
        if nvml is None:
            return [], ""
        try:
            handles = [
                nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
            ]
            names = [str(nvml.nvmlDeviceGetName(handle)) for handle in handles]
            return names, str(nvml.nvmlSystemGetDriverVersion())
        except nvml.NVMLError:
            return [], ""

    def close(self) -> None:
        """Let go of the library. Idempotent."""
        nvml, self._nvml, self._is_usable = self._nvml, None, False
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError:
                return

    def _open(self) -> Any:
        if self._nvml is None and self._is_usable:
            try:
                nvml = importlib.import_module("pynvml")
                nvml.nvmlInit()
            except ImportError:
                self._is_usable = False
            except Exception as fault:  # noqa: BLE001 - NVMLError is only known once it is imported
                self._is_usable = not type(fault).__name__.startswith("NVMLError")
            else:
                self._nvml = nvml
        return self._nvml


def _card(nvml: Any, index: int) -> tuple[str, int]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    bus = str(nvml.nvmlDeviceGetPciInfo(handle).busId).lower()
    domain, _, rest = bus.partition(":")
    return f"{domain[-4:]}:{rest}", int(nvml.nvmlDeviceGetMemoryInfo(handle).free)
