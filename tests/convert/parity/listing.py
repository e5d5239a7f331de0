"""The list of architectures in the document: each name, and by which row it is compared.

python -m tests.convert.parity.listing   writes it
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from puna.convert.families.refused import REFUSED
from puna.convert.families.registry import families
from tests.convert.parity.cases import CASES
from tests.convert.parity.encoders import ENCODERS

__all__ = ["DOCUMENT", "listing", "write_listing"]

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "conversion.md"
BEGIN, END = "<!-- architectures -->", "<!-- end -->"


def listing() -> str:
    """The section of the document between its marks."""
    rows = "\n".join(
        f"| `{name}` | `{family.architecture}` | {_compared(name)} |"
        for name, family in families().items()
    )
    refused = "\n".join(
        f"| {reason} | {', '.join(f'`{name}`' for name in names.split())} |"
        for reason, names in REFUSED.items()
    )
    return (
        f"{BEGIN}\nConverted are {len(families())} names of `architectures`.\n\n"
        f"| name | in GGUF | compared |\n|---|---|---|\n{rows}\n\n"
        "Not converted, though llama.cpp or Ollama does:\n\n"
        f"| why | names |\n|---|---|\n{refused}\n{END}"
    )


def write_listing() -> None:
    """Put the list where it belongs in the document."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{listing()}{after}")


def _rows(name: str) -> Iterator[str]:
    yield from (row for row, case in CASES.items() if case.architecture == name)
    for row, encoder in ENCODERS.items():
        if encoder.architecture == name:
            yield f"{row} (encoder)"


def _compared(name: str) -> str:
    if rows := list(_rows(name)):
        return "; ".join(rows)
    own = families()[name]
    alike = [case.architecture for case in CASES.values()]
    alike += [encoder.architecture for encoder in ENCODERS.values()]
    for other in alike:
        if families()[other] == own:
            return f"as `{other}`, whose rules it has"
    for other in alike:
        if families()[other].architecture == own.architecture:
            return f"not by itself; `{other}` becomes the same in GGUF"
    return "no"


if __name__ == "__main__":
    write_listing()
