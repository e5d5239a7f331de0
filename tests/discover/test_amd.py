"""AMD's cards tell their free memory through the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.discover.amd import read_amd_free

AMD = {"vendor": "0x1002\n", "mem_info_vram_total": "17163091968\n"}
CARD = AMD | {"mem_info_vram_used": "1073741824\n"}

CASES: dict[str, tuple[dict[str, str], dict[str, int]]] = {
    "a card": (CARD, {"0000:03:00.0": 16_089_350_144}),
    "more used than there is": (AMD | {"mem_info_vram_used": "99999999999"}, {"0000:03:00.0": 0}),
    "another vendor's": (CARD | {"vendor": "0x10de\n"}, {}),
    "a driver that does not tell": (AMD, {}),
    "no numbers": (AMD | {"mem_info_vram_used": "much"}, {}),
}


@pytest.mark.parametrize(("files", "free"), CASES.values(), ids=CASES)
def test_free_memory_of_cards(tmp_path: Path, files: dict[str, str], free: dict[str, int]) -> None:
    device = tmp_path / "devices" / "0000:03:00.0"
    device.mkdir(parents=True)
    for name, text in files.items():
        (device / name).write_text(text)
    for name in ("card1", "card1-DP-1", "renderD128"):
        (tmp_path / "drm" / name).mkdir(parents=True)
        (tmp_path / "drm" / name / "device").symlink_to(device)
    (tmp_path / "drm" / "card0").mkdir()
    assert read_amd_free(tmp_path / "drm") == free


def test_a_system_without_cards(tmp_path: Path) -> None:
    assert read_amd_free(tmp_path / "nothing") == {}
