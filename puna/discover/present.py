"""Which graphics cards the system has, whether the engine can use them or not: to tell people when
a card lies idle.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

__all__ = ["VENDORS", "present_cards"]

_PCI = Path("/sys/bus/pci/devices")
_DISPLAY = "0x03"  # the PCI class of display controllers
VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
"""PCI vendors whose cards an engine can be built for."""


def present_cards(pci: Path = _PCI) -> tuple[str, ...]:
    """One name for each card: its vendor's (VENDORS), or `Apple` for a Mac's own."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return ("Apple",)
    try:
        devices = sorted(pci.iterdir())
    except OSError:
        return ()
    found = (_vendor(device) for device in devices)
    return tuple(name for name in found if name)


def _vendor(device: Path) -> str:
    try:
        if not (device / "class").read_text().startswith(_DISPLAY):
            return ""
        return VENDORS.get((device / "vendor").read_text().strip(), "")
    except OSError:
        return ""
