"""Free memory of AMD's cards, as their kernel driver tells it: quicker than asking the engine, and
what other programs use is counted.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["read_amd_free"]

_DRM = Path("/sys/class/drm")
_AMD = "0x1002"  # PCI vendor
_CARD = re.compile(r"card\d+")  # connectors have longer names


def read_amd_free(drm: Path = _DRM) -> dict[str, int]:
    """Free bytes of video memory by PCI address (`0000:03:00.0`); empty without such cards."""
    try:
        cards = [folder / "device" for folder in drm.iterdir() if _CARD.fullmatch(folder.name)]
    except OSError:
        return {}
    found: dict[str, int] = {}
    for device in cards:
        try:
            if (device / "vendor").read_text().strip() != _AMD:
                continue
            total = int((device / "mem_info_vram_total").read_text())
            used = int((device / "mem_info_vram_used").read_text())
            found[device.resolve().name.lower()] = max(0, total - used)
        except (OSError, ValueError):
            continue
    return found
