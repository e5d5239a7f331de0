"""Finding model files of other programs, and naming them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest, InvalidName
from puna.models.imports import Find, find_imports
from puna.models.name import Name
from tests.fakes.ggufs import Tensor, Value, pack_gguf
from tests.fakes.splits import make_split_llama

REVISION = "0123456789abcdef0123456789abcdef01234567"
OLDER = "f" * 40


def gguf(**more: Value) -> bytes:
    """A model file; in `more`, `__` stands for a dot."""
    metadata: dict[str, Value] = {"general.architecture": "llama"}
    metadata |= {key.replace("__", "."): value for key, value in more.items()}
    return pack_gguf(metadata, [Tensor("token_embd.weight", (4,))])


MODEL = gguf()
PROJECTOR = gguf(general__architecture="clip", clip__has_vision_encoder=True)


def put(path: Path, content: bytes = MODEL) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def cached(hub: Path, repository: str, file: str, content: bytes = MODEL) -> Path:
    """Put a file into Hugging Face's cache, as its library does."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    blob = put(folder / "blobs" / hashlib.sha256(file.encode()).hexdigest(), content)
    link = folder / "snapshots" / REVISION / file
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    put(folder / "refs" / "main", REVISION.encode())
    return link


def names(found: Find) -> list[str]:
    return [model.name.short for model in found.models]


def reasons(found: Find) -> dict[str, str]:
    return {skip.path.name: skip.reason for skip in found.skipped}


NAMES = {
    "Qwen3-4B-Instruct-Q4_K_M.gguf": "qwen3-4b-instruct:q4_k_m",
    "gemma-3-1b-it.Q8_0.gguf": "gemma-3-1b-it:q8_0",
    "Model_Name-UD-IQ2_XXS.GGUF": "model_name:ud-iq2_xxs",
    "llama-2-7b.bf16.gguf": "llama-2-7b:bf16",
    "phi-4-mini.gguf": "phi-4-mini:latest",
    "tiny (final).gguf": "tiny-final:latest",
    "-.gguf": "model:latest",
    "ggml-model-q4_0.gguf": "repo:q4_0",
    "model.gguf": "repo:latest",
    "Ünïcode-f16.gguf": "n-code:f16",
}


@pytest.mark.parametrize(("file", "name"), NAMES.items(), ids=NAMES)
def test_names_come_from_file_names(tmp_path: Path, file: str, name: str) -> None:
    path = put(tmp_path / "owner" / "Repo-GGUF" / file)
    found = find_imports(path)
    assert names(found) == [name]
    assert found.models[0].files == {file: path}


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=100))
def test_every_file_has_a_name(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{text[:50]}.gguf"
        try:
            path.write_bytes(MODEL)
        except OSError:  # too long for the file system
            return
        [model] = find_imports(path).models
        assert Name.parse(model.name.full) == model.name


def test_a_typed_name_comes_first(tmp_path: Path) -> None:
    path = put(tmp_path / "a" / "b-Q8_0.gguf")
    assert names(find_imports(path, "me/mine:v1")) == ["me/mine:v1"]
    assert names(find_imports(path.parent, "mine")) == ["mine:latest"]
    put(tmp_path / "a" / "c-Q4_0.gguf")
    assert names(find_imports(path.parent, "mine")) == ["mine:q8_0", "mine:q4_0"]
    with pytest.raises(BadRequest, match="2 models were found"):
        find_imports(path.parent, "mine:v1")
    with pytest.raises(InvalidName):
        find_imports(path, "b ad")


def test_lm_studio(tmp_path: Path) -> None:
    root = tmp_path / ".lmstudio" / "models"
    put(root / "maker" / "Tiny-GGUF" / "Tiny-Q4_K_M.gguf")
    put(root / "maker" / "Tiny-GGUF" / "mmproj-Tiny-F16.gguf", PROJECTOR)
    put(root / "other" / "Tiny-GGUF" / "tiny-q4_k_m.gguf")
    put(root / "other" / "Tiny-GGUF" / "readme.md")
    put(root / "other" / "Big-GGUF" / "Big-Q8_0.gguf")
    found = find_imports(root)
    assert names(found) == ["maker/tiny:q4_k_m", "big:q8_0", "other/tiny:q4_k_m"]
    assert [list(model.files) for model in found.models] == [
        ["Tiny-Q4_K_M.gguf", "mmproj-Tiny-F16.gguf"],
        ["Big-Q8_0.gguf"],
        ["tiny-q4_k_m.gguf"],
    ]
    assert found.skipped == ()


def test_the_cache_of_hugging_face(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    link = cached(hub, "org/Name-GGUF", "Name-Q4_0.gguf")
    cached(hub, "org/Name-GGUF", "deeper/Name-Q8_0.gguf")
    cached(hub, "lone", "model.gguf")
    put(hub / "models--org--Name-GGUF" / "snapshots" / OLDER / "Old.gguf")
    folder = link.parents[2]
    expected = ["name:q4_0", "name:q8_0"]
    assert names(find_imports(hub)) == ["lone:latest", *expected]
    for path in (folder, link.parent):
        assert names(find_imports(path)) == expected
    assert find_imports(link).models[0].files == {"Name-Q4_0.gguf": link.resolve()}
    assert names(find_imports(link.resolve())) == ["name:latest"]
    os.utime(folder / "snapshots" / OLDER, (0, 0))
    (folder / "refs" / "main").write_bytes(b"../../..")
    assert names(find_imports(folder)) == expected, "the latest snapshot"


def parts(folder: Path, stem: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return make_split_llama(folder, stem)


def test_parts_are_one_model(tmp_path: Path) -> None:
    root = tmp_path / "models"
    big = parts(root / "org" / "Big-GGUF", "Big-Q4_K_M")
    put(root / "org" / "Big-GGUF" / "mmproj.gguf", PROJECTOR)
    for path in (root, *big):
        (model,) = find_imports(path).models
        assert model.name.short == "big:q4_k_m"
        files = list(model.files)
        assert files[:3] == [part.name for part in big]
        assert files[3:] == (["mmproj.gguf"] if path is root else [])
    other = parts(root / "org" / "Big-GGUF", "Big-Q8_0")
    assert names(find_imports(root)) == ["big:q4_k_m", "big:q8_0"]
    other[1].unlink()
    found = find_imports(root)
    assert names(found) == ["big:q4_k_m"]
    assert reasons(found) == {other[0].name: f"{other[1].name} is missing beside it"}
    big[0].rename(root / "spare")
    big[1].rename(big[0])
    (root / "spare").rename(big[1])
    text = "part 1 of 3 is missing: part 2 is in its place"
    assert reasons(find_imports(big[2])) == {big[0].name: text}


def test_parts_in_the_cache_of_hugging_face(tmp_path: Path) -> None:
    files = parts(tmp_path / "files", "Big-Q4_K_M")
    links = [
        cached(tmp_path / "hub", "org/Big", f"Q4_K_M/{path.name}", path.read_bytes())
        for path in files
    ]
    for path in (tmp_path / "hub", links[0], links[1]):
        (model,) = find_imports(path).models
        assert (model.name.short, model.path) == ("big:q4_k_m", links[0])
        assert list(model.files) == [link.name for link in links]
        assert len({real.read_bytes() for real in model.files.values()}) == 3


def test_what_cannot_be_imported_is_told(tmp_path: Path) -> None:
    root = tmp_path / "models"
    secret = put(tmp_path / "secret.gguf")
    put(root / "bad.gguf", b"GGUF")
    put(root / "part-00001-of-00002.gguf", gguf(split__count=2))
    put(root / "lora.gguf", gguf(general__type="adapter"))
    put(root / "alone" / "mmproj.gguf", PROJECTOR)
    put(root / "two" / "a.gguf")
    put(root / "two" / "mmproj-1.gguf", PROJECTOR)
    put(root / "two" / "mmproj-2.gguf", PROJECTOR)
    put(root / "two" / "x" / "same.gguf")
    put(root / "two" / "X" / "same.gguf")
    (root / "out.gguf").symlink_to(secret)
    (root / "nowhere.gguf").symlink_to("missing")
    (root / "loop").symlink_to(root)
    found = find_imports(root)
    assert names(found) == ["a:latest"]
    told = reasons(found)
    assert set(told) == {
        "bad.gguf",
        "part-00001-of-00002.gguf",
        "lora.gguf",
        "mmproj.gguf",
        "mmproj-2.gguf",
        "same.gguf",
        "out.gguf",
        "nowhere.gguf",
    }
    assert told["part-00001-of-00002.gguf"] == "part-00002-of-00002.gguf is missing beside it"
    assert told["lora.gguf"] == "it is no model: adapter"
    assert told["out.gguf"] == f"it leads out of {root}"
    assert told["same.gguf"].startswith("several would be called two/same:latest")
    assert names(find_imports(root / "out.gguf")) == ["out:latest"], "named, it is meant"


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_imports(tmp_path / "nowhere")
    assert find_imports(tmp_path) == Find((), ())
