"""What tests of the service share: a registry that fails as it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with faulty_registry() as started:
        yield started
