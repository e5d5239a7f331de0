"""A second store lends its models and is never written to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.errors import BadManifest, ModelNotFound, ReadOnlyModel, StoreError
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest
from puna.models.name import Name
from puna.models.second import SecondStore
from tests.fakes.stores import add_model, read_only

LENT = Name.parse("lent")
WEIGHTS = b"lent weights" * 1000
DIGEST = Digest.of(WEIGHTS)
FOLDER = "manifests/registry.ollama.ai/library"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A store with the models `lent` and `both`."""
    root = tmp_path / "theirs"
    library = Library(root)
    add_model(library, "lent", WEIGHTS)
    add_model(library, "both", b"their both")
    return root


@pytest.fixture
def library(tmp_path: Path, theirs: Path) -> Iterator[Library]:
    """A store of our own with the models `both` and `own`, above a read-only second one."""
    alone = Library(tmp_path / "ours")
    add_model(alone, "BOTH", b"our both")
    add_model(alone, "own", b"own weights")
    library = Library(tmp_path / "ours", SecondStore(theirs))
    with read_only(theirs):
        yield library


def listed(library: Library) -> list[str]:
    return [entry.name.short for entry in library.entries()]


def test_models_of_both_stores_are_listed_and_ours_win(library: Library) -> None:
    assert listed(library) == ["BOTH:latest", "own:latest", "lent:latest"]
    assert [name.short for name in library.names()] == listed(library)
    for spelling in ("both", "BOTH", "Both"):
        [layer] = library.read(Name.parse(spelling)).manifest.layers
        assert library.blobs.read(layer.digest, 100) == b"our both"


@pytest.mark.parametrize("spelling", ["lent", "LENT", "Library/Lent:LATEST"])
def test_lent_models_are_found_in_every_case(library: Library, spelling: str) -> None:
    stored = library.read(Name.parse(spelling))
    assert stored.name == LENT
    assert library.resolve(Name.parse(spelling)) == LENT
    assert library.blobs.has(DIGEST)
    assert not library.blobs.owns(DIGEST)
    assert library.blobs.path(DIGEST).read_bytes() == WEIGHTS
    assert library.blobs.size(DIGEST) == len(WEIGHTS)


def test_the_exact_spelling_wins_in_the_second_store_too(tmp_path: Path) -> None:
    theirs = Library(tmp_path / "theirs")
    add_model(theirs, "Twin", b"1")
    path = theirs.read(Name.parse("Twin")).path
    (path.parents[1] / "twin").mkdir()
    (path.parents[1] / "twin" / "latest").write_bytes(path.read_bytes())
    library = Library(tmp_path / "ours", SecondStore(theirs.root))
    for spelling in ("twin", "Twin"):
        assert library.read(Name.parse(spelling)).name.model == spelling


def test_a_lent_model_is_copied_without_a_second_copy(library: Library) -> None:
    assert library.copy(LENT, Name.parse("mine")).short == "mine:latest"
    own = library.blobs.folder / DIGEST.file_name
    assert own.read_bytes() == WEIGHTS
    assert own.stat().st_nlink == 2 or _is_clone(own)
    raw = library.read(LENT).path.read_bytes()
    assert library.read(Name.parse("mine")).path.read_bytes() == raw
    library.delete(Name.parse("mine"))
    assert not own.exists()
    assert library.blobs.path(DIGEST).read_bytes() == WEIGHTS


def _is_clone(path: Path) -> bool:
    return path.stat().st_nlink == 1  # where the file system clones, the inode is another


def test_using_a_linked_blob_leaves_the_lent_file_alone(library: Library) -> None:
    library.copy(LENT, Name.parse("mine"))
    library.blobs.refresh(DIGEST)
    library.blobs.add(WEIGHTS)
    library.prune(2e9, 0)


def test_on_another_file_system_a_lent_blob_is_copied(theirs: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == theirs.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    root = shm / f"puna-test-{os.getpid()}"
    library = Library(root, SecondStore(theirs))
    try:
        with read_only(theirs):
            library.copy(LENT, Name.parse("mine"))
        blob = library.blobs.folder / DIGEST.file_name
        assert (blob.read_bytes(), blob.stat().st_nlink) == (WEIGHTS, 1)
        assert {path.name for path in library.blobs.folder.iterdir()} == {DIGEST.file_name}
    finally:
        for path in sorted(root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        root.rmdir()


def test_copying_a_lent_model_onto_itself_is_nothing(library: Library) -> None:
    before = sorted(library.root.rglob("*"))
    assert library.copy(LENT, Name.parse("LENT")) == LENT
    assert [path for path in sorted(library.root.rglob("*")) if path not in before] == []


def test_a_manifest_may_name_lent_blobs_which_then_become_ours(library: Library) -> None:
    library.write(Name.parse("new"), Manifest(layers=(Layer(MODEL, DIGEST, len(WEIGHTS)),)))
    assert library.blobs.owns(DIGEST)
    assert library.prune(2e9, 0).files == {}


def test_a_lent_model_is_not_deleted(library: Library, theirs: Path) -> None:
    with pytest.raises(ReadOnlyModel, match=str(theirs)) as caught:
        library.delete(Name.parse("Lent"))
    assert caught.value.status == 403
    library.delete(Name.parse("both"))
    assert listed(library) == ["own:latest", "both:latest", "lent:latest"]
    with pytest.raises(ReadOnlyModel):
        library.delete(Name.parse("both"))


def test_a_damaged_lent_blob_is_not_taken_over(tmp_path: Path, theirs: Path) -> None:
    (theirs / "blobs" / DIGEST.file_name).write_bytes(WEIGHTS[:-1] + b"?")
    library = Library(tmp_path / "ours", SecondStore(theirs))
    with read_only(theirs):
        with pytest.raises(StoreError, match="is damaged"):
            library.copy(LENT, Name.parse("mine"))
        assert listed(library) == ["both:latest", "lent:latest"]
        assert list(library.blobs.folder.iterdir()) == []
        assert not library.blobs.has(DIGEST), "so that a pull fetches it"


BROKEN = {
    "empty": b"",
    "not JSON": b"{",
    "not a digest": b'{"layers":[{"digest":"sha256:../../../etc/passwd"}]}',
    "huge": b"{" + b" " * (17 << 20),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_lent_manifest_hides_nothing(tmp_path: Path, theirs: Path, content: bytes) -> None:
    (theirs / FOLDER / "a" / "..b").mkdir(parents=True)
    (theirs / FOLDER / "a" / "bad").write_bytes(content)
    (theirs / FOLDER / "a" / "-misnamed").write_bytes(b"{}")
    (theirs / FOLDER / "a" / "dangling").symlink_to("nowhere")
    library = Library(tmp_path / "ours", SecondStore(theirs))
    with read_only(theirs):
        assert listed(library) == ["both:latest", "lent:latest"]
        with pytest.raises(BadManifest):
            library.read(Name.parse("a:bad"))
        add_model(library, "own", b"own")
        assert library.prune(2e9).refusal == ""


def test_what_leads_out_of_the_second_store_is_not_there(tmp_path: Path, theirs: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b'{"layers":[]}')
    blob = theirs / "blobs" / DIGEST.file_name
    blob.unlink()
    blob.symlink_to(secret)
    (theirs / FOLDER / "out").mkdir()
    (theirs / FOLDER / "out" / "file").symlink_to(secret)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "latest").write_bytes(b"{}")
    (theirs / FOLDER / "folder").symlink_to(tmp_path / "elsewhere")
    inner = theirs / "blobs" / Digest.of(b"inner").file_name
    (theirs / "inner").write_bytes(b"inner")
    inner.symlink_to("../inner")
    library = Library(tmp_path / "ours", SecondStore(theirs))
    with read_only(theirs):
        assert not library.blobs.has(DIGEST)
        assert listed(library) == ["both:latest", "lent:latest"]
        for name in ("out:file", "folder"):
            with pytest.raises(ModelNotFound):
                library.read(Name.parse(name))
        with pytest.raises(StoreError):
            library.copy(LENT, Name.parse("mine"))
        assert library.blobs.path(Digest.of(b"inner")) == theirs / "inner"
        library.blobs.take_over(Digest.of(b"inner"))
    assert library.blobs.read(Digest.of(b"inner"), 10) == b"inner"


def test_the_second_store_may_be_a_link_or_missing_or_a_file(tmp_path: Path, theirs: Path) -> None:
    (tmp_path / "link").symlink_to(theirs)
    assert listed(Library(tmp_path / "a", SecondStore(tmp_path / "link"))) == [
        "both:latest",
        "lent:latest",
    ]
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "nowhere", tmp_path / "file"):
        library = Library(tmp_path / "b", SecondStore(root))
        assert listed(library) == []
        assert not library.blobs.has(DIGEST)
        with pytest.raises(ModelNotFound):
            library.read(LENT)


def test_old_blob_names_are_understood(tmp_path: Path, theirs: Path) -> None:
    blob = theirs / "blobs" / DIGEST.file_name
    blob.rename(blob.with_name(str(DIGEST)))
    library = Library(tmp_path / "ours", SecondStore(theirs))
    with read_only(theirs):
        assert library.blobs.read(DIGEST, len(WEIGHTS)) == WEIGHTS
        library.copy(LENT, Name.parse("mine"))
