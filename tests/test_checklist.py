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
