"""How the vectors of a text's tokens become one, as sentence-transformers' files say it.

Facts: conversion spec, section 6.8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from puna.convert.config import MAX_JSON, read_json
from puna.convert.family import Value
from puna.errors import BadCheckpoint

__all__ = ["pooling_keys"]

_MODES = {
    "pooling_mode_mean_tokens": 1,
    "pooling_mode_cls_token": 2,
    "pooling_mode_lasttoken": 3,
}
_NAMES = {"mean": 1, "cls": 2, "lasttoken": 3}


def pooling_keys(folder: Path) -> dict[str, Value]:
    """`pooling_type`, where modules.json names a pooling that the engine has. Raises
    BadCheckpoint.
    """
    for module in _modules(folder / "modules.json"):
        name = module.get("path")
        if not str(module.get("type", "")).endswith("Pooling") or not isinstance(name, str):
            continue
        if not name or Path(name).name != name or name.startswith("."):
            raise BadCheckpoint("modules.json", f"{name[:80]!r} is not a folder's name")
        settings = read_json(folder / name / "config.json")
        number = _NAMES.get(str(settings.get("pooling_mode")), 0)
        for key, mode in _MODES.items():
            number = mode if settings.get(key) is True else number
        if number:
            return {"pooling_type": number}
    return {}


def _modules(path: Path) -> list[Mapping[str, Any]]:
    if not path.is_file():
        return []
    if path.stat().st_size > MAX_JSON:
        raise BadCheckpoint(path.name, f"is over the limit of {MAX_JSON} bytes")
    try:
        modules = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as cause:
        raise BadCheckpoint(path.name, "is not JSON") from cause
    if not isinstance(modules, list):
        raise BadCheckpoint(path.name, "is not a list")
    return [module for module in modules if isinstance(module, dict)]
