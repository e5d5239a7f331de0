"""The library: names on disk, reading past damage, and changes that keep what others need."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from puna.errors import BadManifest, BlobMissing, ModelNotFound, StoreError
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest, encode_manifest
from puna.models.name import Name


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "models")


def install(library: Library, name: str, *contents: bytes) -> Name:
    layers = []
    for content in contents:
        digest, _ = library.blobs.add(content)
        layers.append(Layer(MODEL, digest, len(content)))
    return library.write(Name.parse(name), Manifest(layers=tuple(layers)))


def blobs_of(library: Library) -> set[str]:
    return {path.name for path in library.blobs.folder.iterdir()}


def shorts(library: Library) -> list[str]:
    return [entry.name.short for entry in library.entries()]


def plant(library: Library, where: str, content: bytes) -> Path:
    """Write a manifest file behind the library's back."""
    path = library.manifests / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


HOME = "registry.ollama.ai/library"


def test_an_empty_store_lists_nothing(library: Library) -> None:
    assert library.names() == []
    assert list(library.entries()) == []
    with pytest.raises(ModelNotFound, match=r"^model 'm:latest' not found$"):
        library.read(Name.parse("m"))


def test_a_model_is_read_back(library: Library) -> None:
    before = time.time_ns() - 10**9
    install(library, "m:1", b"weights")
    stored = library.read(Name.parse("M:1"))
    raw = (library.manifests / HOME / "m" / "1").read_bytes()
    assert raw == encode_manifest(stored.manifest)
    assert stored.digest == hashlib.sha256(raw).hexdigest()
    assert stored.name == Name.parse("m:1")
    assert before < stored.modified_ns < time.time_ns() + 10**9
    assert int(stored.modified_at.timestamp()) == stored.modified_ns // 10**9
    assert stored.nanosecond == stored.modified_ns % 10**9
    assert stored.modified_at.tzinfo is not None


def test_foreign_bytes_are_kept_as_they_are(library: Library) -> None:
    raw = b'{ "layers" : [ ] , "annotations":{} }'
    library.write_raw(Name.parse("m"), raw)
    stored = library.read(Name.parse("m"))
    assert stored.path.read_bytes() == raw
    assert stored.digest == Digest.of(raw).hex


def test_a_manifest_without_its_blobs_is_refused(library: Library) -> None:
    digest = Digest.of(b"absent")
    with pytest.raises(BlobMissing):
        library.write(Name.parse("m"), Manifest(layers=(Layer(MODEL, digest, 6),)))
    with pytest.raises(BadManifest):
        library.write_raw(Name.parse("m"), b"{")
    assert library.names() == []


def test_bad_entries_hide_nothing(library: Library) -> None:
    install(library, "good", b"weights")
    plant(library, f"{HOME}/empty/latest", b"")
    plant(library, f"{HOME}/broken/latest", b'{"layers":7}')
    plant(library, f"{HOME}/.hidden/latest", b"{}")
    plant(library, f"{HOME}/bad name/latest", b"{}")
    plant(library, f"{HOME}/shallow", b"{}")
    plant(library, f"{HOME}/deep/latest/more", b"{}")
    (library.manifests / HOME / "dangling").mkdir()
    (library.manifests / HOME / "dangling" / "latest").symlink_to("/nowhere/at/all")
    (library.manifests / HOME / "loop").symlink_to("loop")
    os.mkfifo(library.manifests / HOME / "good" / "pipe")
    assert shorts(library) == ["good:latest"]
    names = [name.short for name in library.names()]
    assert names == ["broken:latest", "dangling:latest", "empty:latest", "good:latest", "good:pipe"]
    assert install(library, "another", b"weights").short == "another:latest"
    assert library.delete(Name.parse("another")).short == "another:latest"
    assert shorts(library) == ["good:latest"]


def test_upper_case_is_listed_as_stored(library: Library) -> None:
    install(library, "Host.Example/Ns/Model:Tag", b"1")
    assert shorts(library) == ["Host.Example/Ns/Model:Tag"]


def test_shuffled_case_means_the_same_model(library: Library) -> None:
    install(library, "Me/Model:Tag", b"1")
    assert install(library, "me/MODEL:tag", b"2").short == "Me/Model:Tag"
    assert library.copy(Name.parse("ME/model:TAG"), Name.parse("me/model:tag")).short == (
        "Me/Model:Tag"
    )
    assert shorts(library) == ["Me/Model:Tag"]
    assert library.delete(Name.parse("mE/mOdEl:tAg")).short == "Me/Model:Tag"
    assert shorts(library) == []


def test_the_exact_spelling_wins(library: Library) -> None:
    plant(library, f"{HOME}/Foo/latest", b"{}")
    plant(library, f"{HOME}/foo/latest", b"{}")
    for text in ("Foo", "foo"):
        assert library.resolve(Name.parse(text)) == Name.parse(text)
    assert library.resolve(Name.parse("FOO")) == Name.parse("Foo")  # the first, every time


def test_new_names_join_the_folders_that_are_there(library: Library) -> None:
    install(library, "Me/Model:a", b"1")
    assert library.resolve(Name.parse("me/model:B")).short == "Me/Model:B"
    assert library.resolve(Name.parse("me/other")).short == "Me/other:latest"
    assert library.resolve(Name.parse("you/Model")).short == "you/Model:latest"


def test_another_models_spelling_does_not_spread(library: Library) -> None:
    install(library, "x/Thing:Big", b"1")
    assert library.resolve(Name.parse("y/thing:big")).short == "y/thing:big"
    assert library.resolve(Name.parse("x/other:big")).short == "x/other:big"


def test_copies_share_blobs_until_the_last_one_goes(library: Library) -> None:
    install(library, "a", b"weights", b"only a")
    library.copy(Name.parse("a"), Name.parse("b/c:d"))
    digests = {entry.digest for entry in library.entries()}
    assert len(digests) == 1
    library.delete(Name.parse("a"))
    assert len(blobs_of(library)) == 2
    assert not (library.manifests / HOME).exists()
    library.delete(Name.parse("b/c:d"))
    assert blobs_of(library) == set()
    assert list(library.manifests.iterdir()) == []


def test_only_unshared_blobs_go(library: Library) -> None:
    install(library, "a", b"shared", b"only a", b"only a")
    install(library, "b", b"shared")
    library.delete(Name.parse("a"))
    assert blobs_of(library) == {Digest.of(b"shared").file_name}


def test_copying_what_is_not_there(library: Library) -> None:
    with pytest.raises(ModelNotFound):
        library.copy(Name.parse("a"), Name.parse("b"))
    assert not (library.manifests / HOME / "b").exists()


def test_deleting_what_is_not_there(library: Library) -> None:
    install(library, "a", b"1")
    for text in ("b", "a:other"):
        with pytest.raises(ModelNotFound):
            library.delete(Name.parse(text))


def test_a_damaged_model_can_be_deleted_and_replaced(library: Library) -> None:
    install(library, "a", b"weights")
    path = library.read(Name.parse("a")).path
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BadManifest):
        library.read(Name.parse("a"))
    library.delete(Name.parse("a"))
    assert blobs_of(library) == set()
    plant(library, f"{HOME}/a/latest", b"")
    install(library, "a", b"weights")
    assert shorts(library) == ["a:latest"]


def test_a_damaged_manifest_protects_the_blobs_it_mentions(library: Library) -> None:
    install(library, "a", b"weights")
    raw = library.read(Name.parse("a")).path.read_bytes()
    plant(library, f"{HOME}/cut/latest", raw[:-3])
    library.delete(Name.parse("a"))
    assert blobs_of(library) == {Digest.of(b"weights").file_name}


def test_superseded_blobs(library: Library) -> None:
    install(library, "a", b"base", b"old")
    before = library.read(Name.parse("a")).manifest.digests
    install(library, "a", b"base", b"new")
    assert library.remove_unreferenced(before) == [Digest.of(b"old")]
    assert blobs_of(library) == {Digest.of(b"base").file_name, Digest.of(b"new").file_name}


def test_a_name_that_is_a_folder_for_others(library: Library) -> None:
    plant(library, f"{HOME}/a/latest/x", b"")
    with pytest.raises(ModelNotFound):
        library.read(Name.parse("a"))
    with pytest.raises(ModelNotFound):
        library.delete(Name.parse("a"))
    plant(library, f"{HOME}/file", b"")
    with pytest.raises(StoreError, match="ensure path elements are traversable"):
        library.write_raw(Name.parse("file"), b"{}")


def test_threads_write_copy_and_delete_together(library: Library) -> None:
    def churn(number: int) -> None:
        install(library, f"m{number}", b"shared", b"own %d" % number)
        library.copy(Name.parse(f"m{number}"), Name.parse(f"copy{number}"))
        library.delete(Name.parse(f"m{number}"))

    install(library, "keeper", b"shared")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(churn, range(16)))
    assert len(shorts(library)) == 17
    for entry in library.entries():
        assert all(library.blobs.has(digest) for digest in entry.manifest.digests)
