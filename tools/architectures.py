"""The tables of docs/conversion.md that say which architectures are converted, by what that is
known, and which are not.
"""

from __future__ import annotations

from itertools import takewhile

from puna.convert.families.refused import REFUSED
from puna.convert.families.registry import families
from tests.convert.parity.cases import CASES
from tests.convert.parity.encoders import ENCODERS as SEEING

__all__ = ["architectures_table"]


def architectures_table() -> str:
    """Every name with the rows by which it is compared, or the name that it is converted as."""
    rows = [
        f"| `{name}` | `{family.architecture}` | {_proof(name)} |"
        for name, family in families().items()
    ]
    lines = [
        f"Converted are {len(rows)} names of `architectures`.",
        "",
        "| name | in GGUF | compared |",
        "|---|---|---|",
        *rows,
        "",
        "Not converted, though llama.cpp or Ollama does:",
        "",
        "| why | names |",
        "|---|---|",
    ]
    for reason, names in REFUSED.items():
        lines.append(f"| {reason} | {', '.join(f'`{name}`' for name in names.split())} |")
    return "\n".join(lines)


def _proof(name: str) -> str:
    own = _rows(name)
    if own:
        return "; ".join(own)
    family = families()[name]
    others = {other: each for other, each in families().items() if _rows(other)}
    same = [other for other, each in others.items() if each == family]
    if same:
        return f"as `{_like(name, same)}`, whose rules it has"
    near = [o for o, each in others.items() if each.architecture == family.architecture]
    return f"not by itself; `{_like(name, near)}` becomes the same in GGUF" if near else "no"


def _like(name: str, others: list[str]) -> str:
    """The one that begins most like it."""

    def alike(other: str) -> int:
        pairs = zip(name.lower(), other.lower(), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    return max(others, key=alike)


def _rows(name: str) -> list[str]:
    text = [row for row, case in CASES.items() if case.architecture == name]
    seen = [f"{row} (encoder)" for row, case in SEEING.items() if case.architecture == name]
    return text + seen
