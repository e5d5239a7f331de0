"""Pulling where one has to say who one is: tokens, passwords, and who must not see them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.fakes.registry_client import pack_model
from tests.service.pulling import UNIT, Puller, play
from tests.service.world import complaint

WEIGHTS = bytes(range(256)) * (64 * UNIT // 256)
MODEL = pack_model(("model", WEIGHTS))


@pytest.fixture
def registry(registry: FaultyRegistry) -> FaultyRegistry:
    registry.wants_token = True
    return registry


def test_a_signed_request_brings_a_token_that_serves_the_whole_pull(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", MODEL)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        (asked,) = registry.requests("/token")
        assert asked.query["service"] == ["faulty"]
        assert asked.query["scope"] == ["repo:a:pull", "repo:b:pull"]
        assert re.fullmatch(r"[\w-]{22}", asked.query["nonce"][0])
        first, *rest = registry.requests("/v2/")
        assert first.authorization == ""
        assert {seen.authorization for seen in rest} == {"Bearer token-1"}

    play(tmp_path, scene)


def test_a_token_that_ends_is_replaced(registry: FaultyRegistry, tmp_path: Path) -> None:
    layers = [("license", bytes([each])) for each in range(6)]
    name = registry.add("library/m", pack_model(*layers))
    registry.token_uses = 3

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert len(registry.requests("/token")) == 3

    play(tmp_path, scene)


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_both_names_of_the_token_are_known(
    registry: FaultyRegistry, tmp_path: Path, field: str
) -> None:
    name = registry.add("library/m", MODEL)
    registry.token_field = field

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert place.library.names() == [Name.parse(name)]

    play(tmp_path, scene)


def test_tokens_stay_with_their_registry(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", MODEL)
    registry.redirects = True

    async def scene(place: Puller) -> None:
        await place.pull(name)
        elsewhere = registry.requests("/objects/", "store")
        assert elsewhere
        assert not any(seen.authorization for seen in elsewhere)

    play(tmp_path, scene)


def test_nothing_is_sent_to_a_realm_elsewhere(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", MODEL)
    registry.realm = f"http://{registry.store}/token"

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(name))
        assert error == (
            f'pull model manifest: realm host "{registry.store}" does not match original host '
            f'"{registry.address}"'
        )
        assert registry.requests("", "store") == []

    play(tmp_path, scene)


def test_a_listed_realm_is_asked(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", MODEL)
    registry.realm = f"http://{registry.store}/token"

    async def scene(place: Puller) -> None:
        await complaint(place.pull(name))
        assert registry.requests("/token", "store")

    play(tmp_path, scene, registry_realms=(f"{registry.address}={registry.store}",))


DENIED = {
    "the key is not known": [Fault("status", status=401, body=b"who?")] * 9,
    "no token in the answer": [Fault("status", status=200, body=b"{}")],
    "no object": [Fault("status", status=200, body=b"[]")],
    "no JSON": [Fault("status", status=200, body=b"hello")],
    "a header in the token": [Fault("status", status=200, body=b'{"token":"a\\r\\nb"}')],
    "a token without end": [Fault("status", status=200, body=b" " * 2_000_000)],
}


@pytest.mark.parametrize("faults", DENIED.values(), ids=DENIED)
def test_no_token(registry: FaultyRegistry, tmp_path: Path, faults: list[Fault]) -> None:
    name = registry.add("library/m", MODEL)
    registry.faults["token"] = list(faults)

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(name))
        assert error.startswith("pull model manifest: ")
        assert all(not seen.authorization for seen in registry.requests("/v2/"))

    play(tmp_path, scene)


def test_a_token_that_is_worth_nothing(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", MODEL)
    registry.token_uses = 0

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(name))
        assert error == "pull model manifest: unauthorized: access denied"

    play(tmp_path, scene)


def test_the_token_server_may_be_out_of_order_for_a_while(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", MODEL)
    registry.faults["token"] = [Fault("status"), Fault("reset")]

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert len(place.pauses) == 2

    play(tmp_path, scene)
