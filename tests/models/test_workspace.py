"""Folders of blobs under other names: nothing is made outside, and nothing stays."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.models.library import Library
from puna.models.workspace import FOLDER, file_tree


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def test_files_bear_their_names_and_are_gone_afterwards(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"x")
    with file_tree(tmp_path, {"a.json": blob, "sub/b": blob}) as tree:
        assert everything(tree) == {"a.json", "sub", "sub/b"}
        assert (tree / "sub" / "b").samefile(blob)
        assert tree.stat().st_mode & 0o077 == 0
    assert everything(tmp_path) == {"blob", ".puna.lock", FOLDER}


def test_a_killed_worker_leaves_nothing_for_long(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"x")
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        with file_tree(tmp_path, {"a": blob}):
            os.write(writing, b"!")
            os._exit(9)
    assert os.read(reading, 1) == b"!"
    os.waitpid(child, 0)
    with file_tree(tmp_path, {"b": blob}) as mine:
        assert len(list((tmp_path / FOLDER).glob("*.files"))) == 1
        Library(tmp_path).prune(0.0)
        assert everything(mine) == {"b"}
    assert not list((tmp_path / FOLDER).iterdir())


REFUSED = {
    "up": ({"../x": "a"}, "file path must be relative"),
    "up inside": ({"a/../../x": "a"}, "file path must be relative"),
    "absolute": ({"/etc/x": "a"}, "file path must be relative"),
    "nothing": ({"": "a"}, "file path must be relative"),
    "a zero": ({"a\0b": "a"}, "file path must be relative"),
    "a long name": ({"x" * 256: "a"}, "is too long"),
    "a deep one": ({"/".join("abcdefghi"): "a"}, "is too long"),
    "a file that is a folder, too": ({"a": "a", "a/b": "a"}, 'file path "a/b" cannot be'),
    "what is no text": ({"\udc80\udfff": "a"}, "cannot be"),
    "too many": ({str(number): "a" for number in range(8193)}, "8193 files: at most 8192"),
}


@pytest.mark.parametrize(("names", "text"), REFUSED.values(), ids=REFUSED)
def test_names_that_no_folder_can_have(tmp_path: Path, names: dict[str, str], text: str) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"x")
    before = everything(tmp_path)
    with pytest.raises(BadRequest, match=text), file_tree(tmp_path, dict.fromkeys(names, blob)):
        pass
    assert everything(tmp_path) - before <= {".puna.lock", FOLDER}


@given(st.lists(st.text(st.characters() | st.sampled_from("./\\\0~"), max_size=12), max_size=5))
def test_nothing_is_made_outside(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outside = Path(folder)
        root = outside / "a" / "store"
        root.mkdir(parents=True)
        blob = root / "blob"
        blob.write_bytes(b"x")
        with suppress(BadRequest), file_tree(root, dict.fromkeys(names, blob)) as tree:
            inside = {path for path in tree.rglob("*") if path.is_file()}
            assert len(inside) == len(set(names))
            assert all(tree in path.resolve().parents for path in inside)
        assert everything(outside) == {
            "a",
            "a/store",
            "a/store/blob",
            *({f"a/store/{FOLDER}", "a/store/.puna.lock"} if (root / FOLDER).exists() else ()),
        }
