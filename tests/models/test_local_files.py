"""Local files of a Modelfile: completed paths, folders, links that lead astray, names to send."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from puna.errors import BadModelFile, ModelfileError
from puna.models.local_files import expand, files_at, request_names


def gguf(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF")
    return path


def test_paths_are_completed(tmp_path: Path) -> None:
    assert expand("a/b.gguf", tmp_path) == tmp_path / "a" / "b.gguf"
    assert expand("../x", tmp_path / "a") == tmp_path / "x"
    assert expand(".", tmp_path) == tmp_path
    assert expand("/a/b", tmp_path) == Path("/a/b")
    assert expand("~", tmp_path) == Path.home()
    assert expand("~/x", tmp_path) == Path.home() / "x"


def test_an_unknown_user(tmp_path: Path) -> None:
    with pytest.raises(ModelfileError, match="no-such-user"):
        expand("~no-such-user-at-all/x", tmp_path)


def test_one_file_may_be_a_link(tmp_path: Path) -> None:
    gguf(tmp_path / "away" / "a.gguf")
    (tmp_path / "link").symlink_to("away/a.gguf")
    assert files_at(tmp_path / "link") == (tmp_path / "link",)


def test_one_part_stands_for_all(tmp_path: Path) -> None:
    paths = tuple(gguf(tmp_path / f"m-0000{number}-of-00003.gguf") for number in (1, 2, 3))
    assert files_at(tmp_path) == paths
    for path in paths:
        assert files_at(path) == paths
    paths[1].unlink()
    with pytest.raises(ModelfileError, match=r"m-00002-of-00003.gguf: no such file: m-00003-of"):
        files_at(paths[2])


def test_a_number_of_parts_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="99999 parts are over the limit"):
        files_at(gguf(tmp_path / "m-00001-of-99999.gguf"))


def test_a_folder_may_be_reached_through_a_link(tmp_path: Path) -> None:
    gguf(tmp_path / "real" / "a.gguf")
    (tmp_path / "real" / "b.gguf").symlink_to("a.gguf")
    (tmp_path / "link").symlink_to("real")
    assert [path.name for path in files_at(tmp_path / "link")] == ["a.gguf", "b.gguf"]


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    gguf(tmp_path / "away.gguf")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.gguf").symlink_to("../away.gguf")
    with pytest.raises(ModelfileError, match=r"^insecure path: a.gguf$"):
        files_at(tmp_path / "set")


def test_a_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hi")
    with pytest.raises(ModelfileError, match="no Modelfile or safetensors files found"):
        files_at(tmp_path)
    (tmp_path / "fake.gguf").write_text("not one")
    with pytest.raises(ModelfileError, match="no Modelfile or safetensors files found"):
        files_at(tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files_at(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelfileError, match="neither a file nor a folder"):
        files_at(tmp_path / "pipe")


def test_names_to_send(tmp_path: Path) -> None:
    a, b, c = tmp_path / "x" / "a", tmp_path / "x" / "y" / "b", tmp_path / "x" / "y" / "c"
    assert request_names([]) == {}
    assert request_names([b]) == {"b": b}
    assert request_names([b, c]) == {"b": b, "c": c}
    assert request_names([a, b]) == {"a": a, "y/b": b}
