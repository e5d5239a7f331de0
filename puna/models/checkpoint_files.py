"""Which files of a folder make a model: weights of the first kind that there is, and what describes
them.

Facts: models spec, section 20.5. Nothing is opened further than its first bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from puna.errors import ModelfileError
from puna.models.hub_cache import bound_of, current_snapshot, is_repository

__all__ = ["adapter_files", "is_checkpoint", "is_gguf_file", "model_files"]

NOT_FOUND = "no Modelfile or safetensors files found"
LFS = b"version https://git-lfs.github.com/spec/"
SNIFFED = 512  # bytes that say what a file is
MAX_FILES = 4096

_BINARY = bytes(each for each in range(32) if each not in b"\t\n\f\r\x1b")
_VOCABULARIES = (
    "vocab.txt", "merges.txt", "rwkv_vocab_*.txt", "*.tiktoken", "tiktoken.model",
)  # fmt: skip
_RANK = re.compile(rb"[A-Za-z0-9+/]+={0,2} [0-9]+\r?\n")  # a line of tiktoken's form


def _is_any(head: bytes) -> bool:
    return True


def _is_torchs(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"\x80"))  # a zip file, or before 1.6 a pickle


def _is_gguf(head: bytes) -> bool:
    return head.startswith(b"GGUF")


def _is_binary(head: bytes) -> bool:
    return any(each in _BINARY for each in head)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Weights: where they lie in a folder, and what they must look like to count."""

    patterns: tuple[str, ...]
    fits: Callable[[bytes], bool] = _is_any


_GGUF = _Kind(("*.gguf",), _is_gguf)
_KINDS = (
    _Kind(("model*.safetensors", "*/model*.safetensors")),
    _Kind(("consolidated*.safetensors",)),
    _Kind(("pytorch_model*.bin",), _is_torchs),
    _Kind(("consolidated*.pth",), _is_torchs),
    _GGUF,
    _Kind(("*.bin",), _is_binary),
)
_ADAPTER_KINDS = (
    _Kind(("adapter_model*.safetensors",)),
    _Kind(("adapters.safetensors",)),
    _Kind(("adapter_model*.bin",), _is_torchs),
    *_KINDS,
)


def model_files(folder: Path) -> tuple[Path, ...]:
    """The files of the model in `folder`. Of GGUF files, which describe themselves, only those;
    of a repository in Hugging Face's cache those of its current snapshot.

    Raises ModelfileError where there are no weights, where a file is only a pointer of Git LFS or
    is not what its name says, and for links that lead out of the folder.
    """
    if is_repository(folder):
        folder = current_snapshot(folder) or folder
    try:
        return _files(folder, _KINDS)
    except ModelfileError as wrong:
        if str(wrong) == NOT_FOUND and (folder / "adapter_config.json").is_file():
            hint = "it holds an adapter, which ADAPTER names, beside its model's FROM"
            raise ModelfileError(f"{NOT_FOUND} in {folder}: {hint}") from None
        raise


def adapter_files(folder: Path) -> tuple[Path, ...]:
    """The files of the adapter in `folder`. Raises as `model_files`."""
    return _files(folder, _ADAPTER_KINDS)


def is_checkpoint(name: str) -> bool:
    """Whether a file of this name holds weights that must be converted."""
    return name.endswith((".safetensors", ".bin", ".pth", ".pt"))


def is_gguf_file(path: Path) -> bool:
    """Whether the file begins as GGUF files do."""
    return _is_gguf(_head(path))


def _files(folder: Path, kinds: tuple[_Kind, ...]) -> tuple[Path, ...]:
    weights, is_gguf = _weights(folder, kinds)
    files = weights if is_gguf else [*weights, *_descriptions(folder)]
    if len(files) > MAX_FILES:
        raise ModelfileError(f"{folder} has {len(files)} files: at most {MAX_FILES} make a model")
    bound = bound_of(folder)
    for path in files:
        if not path.resolve().is_relative_to(bound):
            raise ModelfileError(f"insecure path: {path.relative_to(folder)}")
    return tuple(files)


def _weights(folder: Path, kinds: tuple[_Kind, ...]) -> tuple[list[Path], bool]:
    pointer = None
    for kind in kinds:
        if not (files := _matching(folder, kind.patterns[0])):
            continue
        files += [path for pattern in kind.patterns[1:] for path in _matching(folder, pattern)]
        heads = [_head(path) for path in files]
        pointers = [path for path, head in zip(files, heads, strict=True) if head.startswith(LFS)]
        pointer = pointer or next(iter(pointers), None)
        if not pointers and all(map(kind.fits, heads)):
            return files, kind is _GGUF
    if pointer:
        raise ModelfileError(_lfs(pointer))
    raise ModelfileError(NOT_FOUND)


def _descriptions(folder: Path) -> list[Path]:
    """Configuration and vocabulary, which are text but for a SentencePiece model. GLM 4 has lines
    of tiktoken's form under that name.
    """
    texts = [
        path
        for pattern in ("*.json", "*/*.json", "chat_template.jinja", *_VOCABULARIES)
        for path in _matching(folder, pattern)
    ]
    for path in texts:
        if _is_binary(_head(path)):
            raise ModelfileError(
                f"invalid content type: expected application/octet-stream for {path}"
            )
    pieces = _matching(folder, "tokenizer.model") or _matching(folder, "*/tokenizer.model")
    for path in pieces:
        head = _head(path)
        if not _is_binary(head) and not _RANK.match(head):
            text = f"invalid content type: expected text/plain for {path}"
            raise ModelfileError(_lfs(path) if head.startswith(LFS) else text)
    return texts + pieces


def _matching(folder: Path, pattern: str) -> list[Path]:
    found = folder.glob(pattern)
    return sorted(path for path in found if path.is_file() or path.is_symlink())


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SNIFFED)
    except OSError as cause:
        raise ModelfileError(f"{path} cannot be read: {cause.strerror}") from cause


def _lfs(path: Path) -> str:
    return f"{path} is a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"
