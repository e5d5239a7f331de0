"""Housekeeping: what is old and unneeded goes, what is young, needed or doubtful stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest
from puna.models.name import Name

NOW = 2_000_000_000.0
OLD = NOW - 3601
YOUNG = NOW - 3599
WEEK = 7 * 86_400
ORPHAN = Digest.of(b"orphan")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A store with one model, whose blob is old."""
    library = Library(tmp_path)
    digest, _ = library.blobs.add(b"weights")
    library.write(Name.parse("m"), Manifest(layers=(Layer(MODEL, digest, 7),)))
    aged(library.blobs.path(digest), OLD)
    return library


def aged(path: Path, moment: float, content: bytes | None = None) -> Path:
    if content is not None:
        path.write_bytes(content)
    os.utime(path, (moment, moment))
    return path


def pruned(library: Library, now: float = NOW) -> list[str]:
    return list(library.prune(now).files)


NEEDED = Digest.of(b"weights").file_name


CASES = {
    "an old orphan goes": (ORPHAN.file_name, OLD, False),
    "a young orphan stays": (ORPHAN.file_name, YOUNG, True),
    "an orphan from the future stays": (ORPHAN.file_name, NOW + 10_000, True),
    "an old unfinished write goes": ("sha256-12345", OLD, False),
    "a young unfinished write stays": ("sha256-12345", YOUNG, True),
    "a download that was cut last week goes": (f"{ORPHAN.file_name}-partial-3", NOW - WEEK, False),
    "one that was cut later stays": (f"{ORPHAN.file_name}-partial", NOW - WEEK + 1, True),
    "with what belongs to it": (f"{ORPHAN.file_name}-partial.units", NOW - WEEK + 1, True),
    "a stray old file goes": ("COPY123", OLD, False),
}


@pytest.mark.parametrize(("name", "moment", "stays"), CASES.values(), ids=CASES)
def test_pruning(library: Library, name: str, moment: float, stays: bool) -> None:
    path = aged(library.blobs.folder / name, moment, b"x")
    removed = pruned(library)
    assert path.exists() is stays
    assert removed == ([] if stays else [name])
    assert (library.blobs.folder / NEEDED).exists()


def test_a_download_is_kept_or_dropped_as_a_whole(library: Library) -> None:
    folder = library.blobs.folder
    data = aged(folder / f"{ORPHAN.file_name}-partial", NOW - WEEK, b"x")
    part = aged(folder / f"{ORPHAN.file_name}-partial-0", NOW - WEEK, b"x")
    newest = aged(folder / f"{ORPHAN.file_name}-partial-1", YOUNG, b"x")
    assert pruned(library) == []
    aged(newest, NOW - WEEK)
    assert sorted(pruned(library)) == sorted([data.name, part.name, newest.name])


@pytest.mark.parametrize("content", [b"", b"{", b'{"layers":[{"digest":"sha256:1"}]}'])
def test_one_damaged_manifest_stops_pruning(library: Library, content: bytes) -> None:
    orphan = aged(library.blobs.folder / ORPHAN.file_name, OLD, b"x")
    bad = library.manifests / "registry.ollama.ai" / "library" / "m" / "bad"
    bad.write_bytes(content)
    assert pruned(library) == []
    assert orphan.exists()
    bad.unlink()
    assert pruned(library) == [orphan.name]


def test_a_misnamed_or_dangling_manifest_stops_pruning(library: Library) -> None:
    aged(library.blobs.folder / ORPHAN.file_name, OLD, b"x")
    folder = library.manifests / "registry.ollama.ai" / "library" / "m"
    for bad in (folder / ".hidden", folder / "dangling"):
        bad.symlink_to("latest" if bad.name == ".hidden" else "nowhere")
        assert pruned(library) == []
        bad.unlink()
    assert pruned(library) == [ORPHAN.file_name]


def test_pruning_clears_leftovers_of_killed_writers(library: Library) -> None:
    namespace = library.manifests / "registry.ollama.ai" / "library"
    leftover = namespace / ".puna-12345"
    leftover.write_bytes(b"{")
    (namespace / "empty").mkdir()
    (library.manifests / "other" / "empty" / "model").mkdir(parents=True)
    assert [entry.name.short for entry in library.entries()] == ["m:latest"]
    assert pruned(library, time.time()) == []
    assert not leftover.exists()
    assert [path.name for path in namespace.iterdir()] == ["m"]
    assert [path.name for path in library.manifests.iterdir()] == ["registry.ollama.ai"]


def test_folders_among_the_blobs_stay(library: Library) -> None:
    (library.blobs.folder / "split-gguf-1").mkdir()
    library.prune(NOW)
    assert (library.blobs.folder / "split-gguf-1").is_dir()


def test_an_empty_store_is_pruned(tmp_path: Path) -> None:
    assert pruned(Library(tmp_path / "new")) == []


def test_old_file_names_are_repaired(library: Library) -> None:
    folder = library.blobs.folder
    (folder / "x:y").mkdir()
    (folder / "sha256:abcd").write_bytes(b"1")
    (folder / "sha259:5678").write_bytes(b"2")
    (folder / "x:y" / "sha256:ef").write_bytes(b"3")
    assert sorted(library.repair_blob_names()) == ["sha256-abcd", "sha256-ef"]
    assert (folder / "sha256-abcd").read_bytes() == b"1"
    assert (folder / "sha259:5678").exists()
    assert (folder / "x:y" / "sha256-ef").exists()
