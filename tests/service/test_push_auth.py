"""Pushing where one has to say who one is: tokens and passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.service.pulling import PART, Puller, play
from tests.service.test_push import WEIGHTS, install
from tests.service.world import complaint


@pytest.fixture
def registry(registry: FaultyRegistry) -> FaultyRegistry:
    registry.wants_token = True
    return registry


def test_one_token_serves_the_whole_push(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        await place.push(name)
        assert len(registry.requests("/token")) == 1
        first, *rest = registry.requests("/v2/") + registry.requests("/uploads/")
        assert first.authorization == ""
        assert {seen.authorization for seen in rest} == {"Bearer token-1"}
        assert registry.received < len(WEIGHTS) + PART

    play(tmp_path, scene)


def test_a_token_that_ends_in_the_middle_is_replaced(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"
    registry.token_uses = 3

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        await place.push(name)
        assert len(registry.requests("/token")) > 3
        assert "me/m:latest" in registry.models

    play(tmp_path, scene)


@pytest.mark.parametrize("uses", [0, 1_000_000], ids=["worthless", "refused"])
def test_who_is_not_known_pushes_nothing(
    registry: FaultyRegistry, tmp_path: Path, uses: int
) -> None:
    name = f"{registry.address}/me/m"
    registry.token_uses = uses
    if uses:
        registry.faults["token"] = [Fault("status", status=401, body=b"who?")] * 9

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        status, error = await complaint(place.push(name))
        assert (status, error) == (500, "401: who?" if uses else "unauthorized: access denied")
        assert registry.received == 0

    play(tmp_path, scene)


def test_nothing_is_sent_to_a_realm_elsewhere(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"
    registry.realm = f"http://{registry.store}/token"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        _, error = await complaint(place.push(name))
        assert error.startswith(f'realm host "{registry.store}" does not match original host')
        assert registry.requests("", "store") == []

    play(tmp_path, scene)
