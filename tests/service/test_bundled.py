"""Models that come with Puna: there when asked for, gone when deleted, back on demand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from puna.api.requests import DeleteRequest
from puna.errors import ModelNotFound
from puna.models.library import Library
from puna.models.name import Name
from puna.service.bundled import BUNDLED, is_bundled
from puna.service.catalog import Catalog
from puna.service.manage import Management
from tests.service.world import JINJA, tiny


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    """A folder as the package brings it, with one model."""
    home = tmp_path / "bundled" / "pet"
    home.mkdir(parents=True)
    (home / "pet.gguf").write_bytes(tiny(template=JINJA))
    (home / "Modelfile").write_text(
        'FROM pet.gguf\nSYSTEM Be a pet.\nPARAMETER temperature 0\nLICENSE """MIT\ncard"""\n'
    )
    return home.parent


def test_it_is_installed_when_asked_for_and_comes_back(tmp_path: Path, bundled: Path) -> None:
    async def scene() -> None:
        library = Library(tmp_path / "models")
        catalog = Catalog(library, bundled)
        assert await catalog.every() == []
        entry = await catalog.find("Pet")
        assert entry.name.short == "pet:latest"
        assert (entry.model.system, entry.model.licenses) == ("Be a pet.", ("MIT\ncard",))
        assert entry.model.params == {"temperature": 0}
        assert entry.chat_template == JINJA
        assert [each.name.short for each in await catalog.every()] == ["pet:latest"]
        await Management(library).delete(DeleteRequest(model="pet"))
        assert await catalog.every() == []
        assert (await catalog.find("pet")).model.stored.digest == entry.model.stored.digest

    asyncio.run(scene())


def test_many_may_ask_at_once(tmp_path: Path, bundled: Path) -> None:
    async def scene() -> None:
        catalog = Catalog(Library(tmp_path / "models"), bundled)
        found = await asyncio.gather(*(catalog.find("pet") for _ in range(8)))
        assert len({entry.model.stored.digest for entry in found}) == 1

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["pet:1b", "me/pet", "host.com/library/pet", "nope"])
def test_other_names_are_not_found(tmp_path: Path, bundled: Path, name: str) -> None:
    async def scene() -> None:
        catalog = Catalog(Library(tmp_path / "models"), bundled)
        with pytest.raises(ModelNotFound):
            await catalog.find(name)
        assert await catalog.every() == []

    asyncio.run(scene())


def test_a_model_of_ones_own_by_that_name_stays(tmp_path: Path, bundled: Path) -> None:
    async def scene() -> None:
        library = Library(tmp_path / "models")
        first = await Catalog(library, bundled).find("pet")
        (bundled / "pet" / "Modelfile").write_text("FROM pet.gguf\nSYSTEM Another.\n")
        again = await Catalog(library, bundled).find("pet")
        assert again.model.stored.digest == first.model.stored.digest

    asyncio.run(scene())


def test_names_that_puna_brings() -> None:
    for modelfile in BUNDLED.glob("*/Modelfile"):
        assert is_bundled(Name.parse(modelfile.parent.name))
    assert not is_bundled(Name.parse("llama3.2"))
