"""What NVIDIA's management library tells of its cards: their free memory, with what other programs
use and quicker than by asking the engine, and what they are, for people.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["NvidiaCards"]

T = TypeVar("T")


def _library() -> Any:
    return importlib.import_module("pynvml")


class NvidiaCards:
    """NVIDIA's cards by their PCI address (`0000:c1:00.0`); none without driver or cards. A card
    that does not answer is left out. Safe for several threads, as the library itself is.
    """

    def __init__(self, library: Callable[[], Any] = _library) -> None:
        """`library` imports the management library."""
        self._library = library
        self._nvml: Any = None
        self._is_usable = True
        self._opening = threading.Lock()

    def free(self) -> dict[str, int]:
        """Free bytes of each."""

        def look(nvml: Any, handle: Any) -> int:
            return int(nvml.nvmlDeviceGetMemoryInfo(handle).free)

        return dict(self._each(look))

    def facts(self) -> dict[str, tuple[str, str]]:
        """The driver's version and the compute capability (`8.9`) of each."""

        def look(nvml: Any, handle: Any) -> tuple[str, str]:
            major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
            return str(nvml.nvmlSystemGetDriverVersion()), f"{major}.{minor}"

        return dict(self._each(look))

    def close(self) -> None:
        """Let go of the library. Idempotent."""
        with self._opening:
            nvml, self._nvml, self._is_usable = self._nvml, None, False
        if nvml is not None:
            with contextlib.suppress(nvml.NVMLError):
                nvml.nvmlShutdown()

    def _each(self, look: Callable[[Any, Any], T]) -> Iterator[tuple[str, T]]:
        """The address of each card that answers, and what `look` finds by library and handle."""
        nvml = self._open()
        if nvml is None:
            return
        count = 0
        with contextlib.suppress(nvml.NVMLError):
            count = nvml.nvmlDeviceGetCount()
        for index in range(count):
            with contextlib.suppress(nvml.NVMLError):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                bus = str(nvml.nvmlDeviceGetPciInfo(handle).busId).lower()
                domain, _, rest = bus.partition(":")
                yield f"{domain[-4:]}:{rest}", look(nvml, handle)

    def _open(self) -> Any:
        with self._opening:
            if self._nvml is None and self._is_usable:
                try:
                    nvml = self._library()
                    nvml.nvmlInit()
                except ImportError:
                    self._is_usable = False
                except Exception as fault:  # noqa: BLE001 - NVMLError is known once it is imported
                    self._is_usable = not type(fault).__name__.startswith("NVMLError")
                else:
                    self._nvml = nvml
            return self._nvml
