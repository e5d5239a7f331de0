"""Which files of a folder make a model: the first kind of weights, configuration, vocabulary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from puna.errors import ModelfileError
from puna.models.checkpoint_files import adapter_files, model_files

ZIP = b"PK\x03\x04rest"
WEIGHTS = b"\x10\0\0\0\0\0\0\0{}"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
TEXT = b'{"a": 1}'
RANKS = b"IQ== 0\nIg== 1\n"


def make(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def names(folder: Path, found: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


FOLDERS: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "safetensors, with everything that describes them": (
        {
            "model.safetensors": WEIGHTS,
            "config.json": TEXT,
            "tokenizer.json": TEXT,
            "1_Pooling/config.json": TEXT,
            "deep/er/config.json": TEXT,
            "chat_template.jinja": b"{{ x }}",
            "tokenizer.model": b"\x0a\0x",
            "vocab.txt": TEXT,
            "rwkv_vocab_v20230424.txt": TEXT,
            "qwen.tiktoken": RANKS,
            "tiktoken.model": RANKS,
            "requirements.txt": TEXT,
            "README.md": b"#",
            "training_args.bin": ZIP,
        },
        [
            "model.safetensors",
            "config.json",
            "tokenizer.json",
            "1_Pooling/config.json",
            "chat_template.jinja",
            "vocab.txt",
            "rwkv_vocab_v20230424.txt",
            "qwen.tiktoken",
            "tiktoken.model",
            "tokenizer.model",
        ],
    ),
    "GLM 4, whose vocabulary is text under the name of one that is none": (
        {"model.safetensors": WEIGHTS, "tokenizer.model": RANKS},
        ["model.safetensors", "tokenizer.model"],
    ),
    "torch's, in the form before 1.6": (
        {"consolidated.00.pth": b"\x80\x02\x8a", "config.json": TEXT},
        ["consolidated.00.pth", "config.json"],
    ),
    "parts, and more of them one level down": (
        {
            "model-00001-of-00002.safetensors": WEIGHTS,
            "model-00002-of-00002.safetensors": WEIGHTS,
            "2_Dense/model.safetensors": WEIGHTS,
        },
        [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "2_Dense/model.safetensors",
        ],
    ),
    "the first kind only": (
        {
            "model.safetensors": WEIGHTS,
            "consolidated.safetensors": WEIGHTS,
            "pytorch_model.bin": ZIP,
            "a.gguf": b"GGUF",
        },
        ["model.safetensors"],
    ),
    "consolidated": (
        {"consolidated.safetensors": WEIGHTS, "original/tokenizer.model": b"\0"},
        ["consolidated.safetensors", "original/tokenizer.model"],
    ),
    "of torch": (
        {"pytorch_model-00001-of-00001.bin": ZIP, "config.json": TEXT},
        ["pytorch_model-00001-of-00001.bin", "config.json"],
    ),
    "of torch, consolidated": ({"consolidated.00.pth": ZIP}, ["consolidated.00.pth"]),
    "a pointer of one kind, the file of the next": (
        {"pytorch_model.bin": LFS, "consolidated.00.pth": ZIP},
        ["consolidated.00.pth"],
    ),
    "GGUF describes itself": ({"a.gguf": b"GGUFx", "config.json": TEXT}, ["a.gguf"]),
    "a file of zeros for torch's other names": ({"w.bin": b"\0\1"}, ["w.bin"]),
}


@pytest.mark.parametrize(("files", "expected"), FOLDERS.values(), ids=FOLDERS)
def test_the_files_of_a_model(tmp_path: Path, files: dict[str, bytes], expected: list[str]) -> None:
    assert names(tmp_path, model_files(make(tmp_path, files))) == expected


ADAPTERS: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "of PEFT, beside its model": (
        {
            "adapter_model.safetensors": WEIGHTS,
            "adapter_config.json": TEXT,
            "model.safetensors": WEIGHTS,
        },
        ["adapter_model.safetensors", "adapter_config.json"],
    ),
    "of MLX": (
        {"adapters.safetensors": WEIGHTS, "adapter_config.json": TEXT},
        ["adapters.safetensors", "adapter_config.json"],
    ),
    "of torch": ({"adapter_model.bin": ZIP}, ["adapter_model.bin"]),
    "GGUF": ({"a.gguf": b"GGUF", "adapter_config.json": TEXT}, ["a.gguf"]),
}


@pytest.mark.parametrize(("files", "expected"), ADAPTERS.values(), ids=ADAPTERS)
def test_the_files_of_an_adapter(
    tmp_path: Path, files: dict[str, bytes], expected: list[str]
) -> None:
    assert names(tmp_path, adapter_files(make(tmp_path, files))) == expected


REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "no weights": ({"config.json": TEXT}, "no Modelfile or safetensors files found"),
    "an adapter's weights": (
        {"adapter_model.safetensors": WEIGHTS, "adapter_config.json": TEXT},
        "it holds an adapter, which ADAPTER names, beside its model's FROM",
    ),
    "weights that are not torch's": (
        {"pytorch_model.bin": b"text"},
        "no Modelfile or safetensors files found",
    ),
    "weights that are a pointer": (
        {"model.safetensors": LFS, "config.json": TEXT},
        "model.safetensors is a pointer of Git LFS, not the file itself: run `git lfs pull`",
    ),
    "one part that is a pointer": (
        {"model-1.safetensors": WEIGHTS, "model-2.safetensors": LFS},
        "model-2.safetensors is a pointer",
    ),
    "configuration that is no text": (
        {"model.safetensors": WEIGHTS, "config.json": b"\0"},
        "invalid content type: expected application/octet-stream for ",
    ),
    "a vocabulary that is a pointer": (
        {"model.safetensors": WEIGHTS, "tokenizer.model": LFS},
        "tokenizer.model is a pointer",
    ),
    "a vocabulary that is text": (
        {"model.safetensors": WEIGHTS, "tokenizer.model": b"text"},
        "invalid content type: expected text/plain for ",
    ),
}


@pytest.mark.parametrize(("files", "text"), REFUSED.values(), ids=REFUSED)
def test_folders_that_are_no_model(tmp_path: Path, files: dict[str, bytes], text: str) -> None:
    with pytest.raises(ModelfileError) as refused:
        model_files(make(tmp_path, files))
    assert text in str(refused.value)


@pytest.mark.parametrize("name", ["config.json", "sub/config.json", "model.safetensors"])
def test_links_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "m", {"model.safetensors": WEIGHTS, "sub/x": b""})
    (tmp_path / "secret").write_bytes(TEXT)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "secret")
    with pytest.raises(ModelfileError, match=f"^insecure path: {name}$"):
        model_files(folder)


def test_a_link_to_nothing_is_told_and_a_pipe_is_not_opened(tmp_path: Path) -> None:
    folder = make(tmp_path, {"model.safetensors": WEIGHTS})
    os.mkfifo(folder / "pipe.json")
    assert names(folder, model_files(folder)) == ["model.safetensors"]
    (folder / "config.json").symlink_to("gone")
    with pytest.raises(ModelfileError, match=r"config\.json cannot be read: No such file"):
        model_files(folder)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository in Hugging Face's cache: its files are links to blobs beside them."""
    folder = tmp_path / "hub" / "models--org--name"
    for number, (name, data) in enumerate(
        {"model.safetensors": WEIGHTS, "config.json": TEXT}.items()
    ):
        make(folder, {f"blobs/{number}": data, "refs/main": b"0123abc"})
        link = folder / "snapshots" / "0123abc" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../blobs/{number}")
    return folder


@pytest.mark.parametrize("place", ["snapshots/0123abc", "."])
def test_a_snapshot_of_hugging_faces_cache_is_a_folder_like_others(
    repository: Path, place: str
) -> None:
    found = model_files(repository / place)
    assert names(repository / "snapshots" / "0123abc", found) == [
        "model.safetensors",
        "config.json",
    ]


@pytest.mark.parametrize(
    "target", ["../../../secret", "/etc/passwd", "../../../models--org--b/blobs/0"]
)
def test_links_out_of_the_repository_of_a_snapshot_are_refused(
    repository: Path, target: str
) -> None:
    make(repository.parent, {"secret": TEXT, "models--org--b/blobs/0": TEXT})
    (repository / "snapshots" / "0123abc" / "tokenizer.json").symlink_to(target)
    with pytest.raises(ModelfileError, match=r"^insecure path: tokenizer\.json$"):
        model_files(repository / "snapshots" / "0123abc")


def test_a_folder_that_is_only_called_like_the_cache_holds_its_links(tmp_path: Path) -> None:
    folder = make(tmp_path / "models--a--b" / "other" / "c", {"model.safetensors": WEIGHTS})
    make(tmp_path, {"models--a--b/blobs/0": TEXT})
    (folder / "config.json").symlink_to("../../blobs/0")
    with pytest.raises(ModelfileError, match=r"^insecure path: config\.json$"):
        model_files(folder)
