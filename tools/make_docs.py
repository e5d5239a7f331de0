"""Rewrites the parts of docs/ that come from code: `python -m tools.make_docs`."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from puna.config import Settings

DOCS = Path(__file__).resolve().parents[1] / "docs"
OPERATIONS = DOCS / "operations.md"


def settings_table() -> str:
    """The table of environment variables, from the fields of Settings."""
    rows = [
        f"| `{spec.metadata['env']}` | {spec.metadata['about']} |"
        for spec in dataclasses.fields(Settings)
        if "env" in spec.metadata
    ]
    return "\n".join(["| variable | meaning |", "|---|---|", *sorted(rows)])


def with_tables(text: str) -> str:
    """The page with its generated parts made anew."""
    return re.sub(
        r"(<!-- settings -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{settings_table()}\n{match[2]}",
        text,
        flags=re.S,
    )


if __name__ == "__main__":
    OPERATIONS.write_text(with_tables(OPERATIONS.read_text()))
