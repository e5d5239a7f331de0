"""Every check of the API spec's section 23 is named by a test: in its first line, or its case."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROOMS = ("e2e", "server", "service", "prompt")
OTHER_SPECS = re.compile("openai|responses|anthropic")
CHECKS = range(1, 105)


def test_every_check_is_named() -> None:
    named: set[int] = set()
    for room in ROOMS:
        for file in (TESTS / room).rglob("*.py"):
            if not OTHER_SPECS.search(file.name):
                text = file.read_text()
                found = re.findall(r'"""(\d+(?:, \d+)*)(?=[:."])', text)
                found += re.findall(r'(?m)^ *"(\d+(?:, \d+)*) [^"]*": ', text)
                named |= {int(number) for each in found for number in each.split(", ")}
    assert set(CHECKS) - named == set()


COMPATIBILITY = {"X": 6, "CC": 14, "CP": 6, "EM": 4, "MD": 4, "RS": 19, "AU": 3, "AM": 16}


def test_every_check_of_the_other_apis_is_named() -> None:
    """Those of the compatibility spec's sections 1 to 8; `CC-2 to CC-5` names four."""
    named: set[str] = set()
    for room in ROOMS:
        for file in (TESTS / room).rglob("*.py"):
            for kind, first, last in re.findall(
                r"\b([A-Z]{1,2})-(\d+)(?: to (?:[A-Z]{1,2}-)?(\d+))?", file.read_text()
            ):
                named |= {f"{kind}-{at}" for at in range(int(first), int(last or first) + 1)}
    checks = {f"{kind}-{at + 1}" for kind, count in COMPATIBILITY.items() for at in range(count)}
    assert checks - named == set()
