"""What tests of the service share: registries that do as they are told, and a tiny model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.hub import FakeHub, fake_hub


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with faulty_registry() as started:
        yield started


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as started:
        yield started


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a tiny Llama."""
    return make_tiny_llama(tmp_path_factory.mktemp("weights") / "tiny.gguf").read_bytes()
