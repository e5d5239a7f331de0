"""What `--json` prints: one indented object on standard output, or a line for each step of long
work, for scripts. docs/cli.md lists the shapes.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from pathlib import Path

__all__ = ["plain", "print_line", "print_object"]


def print_object(value: object) -> None:
    """Print one object, indented."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_line(value: object) -> None:
    """Print one object as a line, at once."""
    print(json.dumps(plain(value), ensure_ascii=False), flush=True)


def plain(value: object) -> object:
    """The value in JSON's own types: fields by name, moments as RFC 3339, paths as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
