"""The projector of a model that sees or hears: from a prompt with images and recordings to tokens,
and to vectors.

The runner's one door to libmtmd. Its own readers of files are not used: what they do not know they
hand to a program that reads films.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import mtmd_cpp as _bindings

from puna.convert.bitmap import make_bitmap
from puna.convert.unwritten import Unwritten
from puna.errors import BadRequest, EngineError, StartFailed, Unsupported
from puna.gguf.translation.registry import read_eye
from puna.runner.llama.floats import widen
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.model import Model
from puna.runner.llama.stream import written
from puna.runner.pixels import Pixels

__all__ = ["Chunk", "Picture", "Projector", "Recording", "Samples", "Vectors"]

_mtmd: Any = _bindings
_TEXT = _mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT
_IMAGE = _mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE

Vectors = npt.NDArray[np.float32]
"""What an encoder makes of an image or a recording: one row for each of its tokens."""

Samples = npt.NDArray[np.float32]
"""A recording in one channel, from -1 to 1; shape (number of samples,)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image in a prompt. `digest` names it: another picture has another one."""

    pixels: Pixels
    digest: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in a prompt, with as many samples a second as the projector has. `digest` names
    it: another recording has another one.
    """

    samples: Samples
    digest: str


class Chunk:
    """An image or a recording, or a part of one, as it stands in a prompt: `count` tokens, ready to
    be encoded.

    `key` is the same for the same part of the same file, and negative, which no token is. What
    comes next is `n_positions` further on. `is_whole`: its tokens see each other, so that they must
    be computed in one decode.
    """

    def __init__(self, context: Any, chunk: Any, key: int) -> None:
        self.key = key
        self.count = int(_mtmd.mtmd_input_chunk_get_n_tokens(chunk))
        self.n_positions = int(_mtmd.mtmd_input_chunk_get_n_pos(chunk))
        self.is_whole = bool(_mtmd.mtmd_decode_use_non_causal(context, chunk))
        self._turns = bool(_mtmd.mtmd_decode_use_mrope(context))
        self.is_image = _mtmd.mtmd_input_chunk_get_type(chunk) == _IMAGE
        self.handle = _mtmd.mtmd_input_chunk_copy(chunk)

    def __del__(self) -> None:
        _mtmd.mtmd_input_chunk_free(self.handle)

    def places(self, position: int) -> npt.NDArray[np.int32]:
        """Each token's position, the first's being `position`; shape (1 or 4, count)."""
        row = np.arange(position, position + self.count, dtype=np.int32)
        if not self._turns:
            return row[None]
        if not self.is_image:  # as texts: all three places are the same
            return np.stack([row, row, row, np.zeros_like(row)])
        found = (_mtmd.mtmd_decoder_pos * self.count)()
        image = _mtmd.mtmd_input_chunk_get_tokens_image(self.handle)
        _mtmd.mtmd_helper_image_get_decoder_pos(image, position, found)
        time, x, y, z = np.frombuffer(found, np.uint32).reshape(self.count, 4).T
        return np.stack([time, y, x, z]).astype(np.int32)


class Projector:
    """A projector loaded for a model. `read` may be called from any thread, `encode` from one."""

    def __init__(self, path: str, model: Model, n_threads: int, *, on_card: bool) -> None:
        """Load the file, or the encoder that is inside a model's own file.

        Raises StartFailed or OutOfMemory with libmtmd's words, BadModelFile.
        """
        LOG.follow(_mtmd.mtmd_helper_log_set)
        LOG.forget_errors()
        self._width = int(lib.llama_model_n_embd_inp(model.handle))
        on_card = on_card and bool(lib.llama_supports_gpu_offload())
        with LOG.part("projector"), _as_file(Path(path), model) as file:
            self._handle = _open(file, model, n_threads, on_card=on_card)
            if not self._handle and on_card:
                on_card = False
                self._handle = _open(file, model, n_threads, on_card=False)
            if not self._handle:
                raise start_failure(f"failed to load projector {path}")
            LOG.count("card" if on_card else "CPU", "model", Path(file).stat().st_size)
        self.sees = bool(_mtmd.mtmd_support_vision(self._handle))
        """Whether it takes images."""
        self.sample_rate = max(0, int(_mtmd.mtmd_get_audio_sample_rate(self._handle)))
        """Samples of a recording that it wants for a second; 0 where it takes no recordings."""
        if not self.sees and not self.sample_rate:
            self.close()
            raise StartFailed(f"projector {path} is neither for images nor for recordings")

    def read(
        self, parts: Sequence[str | Picture | Recording], *, with_bos: bool
    ) -> list[list[int] | Chunk]:
        """Tokens, images and recordings of a prompt, in their order, with the marks around them
        that the model knows. Raises Unsupported for images where it does not see, BadRequest for
        what it cannot take. Recordings have its `sample_rate`, so that there are none without.
        """
        media = [part for part in parts if not isinstance(part, str)]
        if not self.sees and any(isinstance(each, Picture) for each in media):
            raise Unsupported("this model hears, but cannot see images")
        made: list[Any] = []
        chunks = _mtmd.mtmd_input_chunks_init()
        try:
            made = [_bitmap(each, number) for number, each in enumerate(media)]
            bitmaps = iter(made)
            whole = [
                _text(part) if isinstance(part, str) else _medium(next(bitmaps)) for part in parts
            ]
            pointers = [ctypes.pointer(each) for each in whole]
            array = (ctypes.POINTER(_mtmd.mtmd_input_part) * len(pointers))(*pointers)
            LOG.forget_errors()
            if _mtmd.mtmd_tokenize_from_parts(self._handle, chunks, array, len(array), with_bos):
                raise BadRequest(f"{_names(media)} cannot be prepared for the model: {LOG.errors}")
            return self._copy(chunks, media)
        finally:
            for bitmap in made:
                _mtmd.mtmd_bitmap_free(bitmap)
            _mtmd.mtmd_input_chunks_free(chunks)

    def _copy(self, chunks: Any, media: Sequence[Picture | Recording]) -> list[list[int] | Chunk]:
        read: list[list[int] | Chunk] = []
        parts = dict.fromkeys(range(len(media)), 0)  # each may be cut into several
        for at in range(_mtmd.mtmd_input_chunks_size(chunks)):
            chunk = _mtmd.mtmd_input_chunks_get(chunks, at)
            if _mtmd.mtmd_input_chunk_get_type(chunk) == _TEXT:
                read.append(_tokens(chunk))
                continue
            number = int(_mtmd.mtmd_input_chunk_get_id(chunk))
            read.append(Chunk(self._handle, chunk, _key(media[number].digest, parts[number])))
            parts[number] += 1
        return read

    def encode(self, chunk: Chunk) -> Vectors:
        """What the model sees or hears, shape (count, width of embeddings). Raises EngineError."""
        LOG.forget_errors()
        if _mtmd.mtmd_encode_chunk(self._handle, chunk.handle):
            raise EngineError(f"an image or a recording could not be encoded: {LOG.errors}")
        pointer = _mtmd.mtmd_get_output_embd(self._handle)
        return np.ctypeslib.as_array(pointer, shape=(chunk.count, self._width)).copy()

    def close(self) -> None:
        """Free the projector."""
        _mtmd.mtmd_free(self._handle)
        self._handle = None


@contextmanager
def _as_file(path: Path, model: Model) -> Iterator[str]:
    """A path where libmtmd finds the encoder, meanwhile."""
    inside = model.translation if path == model.path else None
    eye = inside.encoder() if inside else read_eye(path)
    if eye is None:
        yield str(path)
        return
    with Unwritten(eye, path, widen) as file, written(file) as made:
        yield made


def _open(path: str, model: Model, n_threads: int, *, on_card: bool) -> Any:
    params = _mtmd.mtmd_context_params_default()
    params.use_gpu = on_card
    params.n_threads = n_threads
    params.print_timings = False
    return _mtmd.mtmd_init_from_file(path.encode(), model.handle, params)


def _names(media: Sequence[Picture | Recording]) -> str:
    return "an image" if any(isinstance(each, Picture) for each in media) else "a recording"


def _bitmap(medium: Picture | Recording, number: int) -> Any:
    bitmap = make_bitmap(medium.pixels if isinstance(medium, Picture) else medium.samples)
    _mtmd.mtmd_bitmap_set_id(bitmap, str(number).encode())
    return bitmap


def _text(text: str) -> Any:
    raw = text.encode("utf-8", "replace")
    read = _mtmd.mtmd_input_text(raw, len(raw), add_special=False, parse_special=True)
    return _mtmd.mtmd_input_part(text=ctypes.pointer(read), bitmap=None)


def _medium(bitmap: Any) -> Any:
    return _mtmd.mtmd_input_part(text=None, bitmap=bitmap)


def _tokens(chunk: Any) -> list[int]:
    count = ctypes.c_size_t()
    tokens = _mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
    return list(tokens[: count.value])


def _key(digest: str, part: int) -> int:
    """A number below -1, the token ids' own: 120 bits of a hash, so that no two files share it."""
    name = hashlib.sha256(f"{digest} {part}".encode()).digest()[:15]
    return -2 - int.from_bytes(name, "big")
