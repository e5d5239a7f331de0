"""Asks the engine whether a converted file is a model: its layout before the data, a decode after
it.

Only for a child process: libllama may end its process over a file that it does not like.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _bindings
from llama_cpp import mtmd_cpp as _vision_bindings

from puna.convert.bitmap import Medium, make_bitmap
from puna.convert.plan import missing_like
from puna.convert.tensor import Tensor
from puna.discover.cpu import worker_threads
from puna.errors import BadCheckpoint, ConvertError

__all__ = [
    "check_adapter",
    "check_layout",
    "check_model",
    "check_projector",
    "logits_of",
    "vectors_of",
]

lib: Any = _bindings
mtmd: Any = _vision_bindings

_ERROR, _CONTINUED = 4, 5
_TENSOR = re.compile(r"tensor '([^']+)'")
_WHERE = re.compile(r"^\w+: (error loading model: )?")
_SETTINGS = "hyperparameters"  # what the engine calls the numbers that come from config.json
_N_CTX = 64
_ROW = 16  # tokens in the row that a projector is tried with
_SAMPLES = 16_000  # of a sound that one is tried with


class _Words:
    """What libllama says of errors, the first one being the cause."""

    def __init__(self) -> None:
        self.first = ""
        self._callback = lib.llama_log_callback(self._hear)  # ctypes keeps no reference of its own

    def __enter__(self) -> _Words:
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))
        mtmd.mtmd_helper_log_set(self._callback, ctypes.c_void_p(0))
        return self

    def __exit__(self, *_: object) -> None:
        lib.llama_log_set(lib.llama_log_callback(), ctypes.c_void_p(0))
        mtmd.mtmd_helper_log_set(lib.llama_log_callback(), ctypes.c_void_p(0))

    def _hear(self, level: int, text: bytes, _: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if level == _ERROR and line:
            self.first = self.first or _WHERE.sub("", line)
            sys.stderr.write(f"{line}\n")


def check_layout(path: Path, sources: Mapping[str, Tensor]) -> None:
    """Raise BadCheckpoint where a tensor is missing or of a wrong shape, with the name it has in
    the source.
    """
    with _Words() as words:
        parameters = _parameters()
        parameters.no_alloc, parameters.load_mode = True, 0  # it does not go with mmap
        model = lib.llama_model_load_from_file(os.fsencode(path), parameters)
        if model:
            lib.llama_model_free(model)
            return
    found = _TENSOR.search(words.first)
    if found and found[1] in sources:
        raise sources[found[1]].bad(words.first)
    if found and (sibling := missing_like(found[1], sources)):
        raise sibling
    reason = f"the engine does not take the model: {words.first or 'no reason given'}"
    raise BadCheckpoint("config.json", reason) if _SETTINGS in reason else ConvertError(reason)


def check_model(path: Path) -> None:
    """Raise ConvertError where the engine cannot load the file, or computes what is no number."""
    logits_of(path, None)


def check_adapter(base: Path, path: Path) -> None:
    """Raise ConvertError where the engine cannot lay the adapter over the model."""
    with _Words() as words:
        model = lib.llama_model_load_from_file(os.fsencode(base), _parameters())
        if not model:
            raise ConvertError(f"the engine does not load the adapter's model: {words.first}")
        adapter = lib.llama_adapter_lora_init(model, os.fsencode(path))
        lib.llama_model_free(model)  # and its adapters with it
        if not adapter:
            raise ConvertError(f"the engine does not load the adapter: {words.first}")


def check_projector(model: Path, projector: Path, row: int) -> None:
    """Raise ConvertError where the engine cannot load the projector for the model, or makes of an
    image or a recording what is no number. `row` is the height in pixels of a row of its tokens, 0
    of one that hears.
    """
    if not row:
        tone = np.sin(np.arange(_SAMPLES, dtype=np.float32) / 8)
        if not np.isfinite(vectors_of(model, projector, tone)).all():
            raise ConvertError("the projector computes values that are no numbers")
        return
    # one row: between rows Pixtral's graph multiplies memory that nobody has filled by zero
    ramp = np.arange(row * row * _ROW * 3, dtype=np.uint32).reshape(row, row * _ROW, 3) % 251
    if not np.isfinite(vectors_of(model, projector, ramp.astype(np.uint8))).all():
        raise ConvertError("the projector computes values that are no numbers")


def vectors_of(
    path: Path, projector: Path, medium: Medium
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What the model sees of an image of shape (height, width, 3), or hears of samples at the
    encoder's rate: a row for each token of its first part. Raises ConvertError.
    """
    with _Words() as words:
        model = lib.llama_model_load_from_file(os.fsencode(path), _parameters())
        if not model:
            raise ConvertError(f"the engine does not load the model: {words.first}")
        context = None
        try:
            parameters = mtmd.mtmd_context_params_default()
            parameters.use_gpu = parameters.print_timings = parameters.warmup = False
            parameters.n_threads = worker_threads()
            context = mtmd.mtmd_init_from_file(os.fsencode(projector), model, parameters)
            if not context:
                raise ConvertError(f"the engine does not load the projector: {words.first}")
            values = _encode(context, medium, int(lib.llama_model_n_embd_inp(model)))
        finally:
            if context:
                mtmd.mtmd_free(context)
            lib.llama_model_free(model)
    return values


def _encode(context: Any, medium: Medium, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    bitmap = make_bitmap(medium)
    part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
    parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
    chunks = mtmd.mtmd_input_chunks_init()
    try:
        if mtmd.mtmd_tokenize_from_parts(context, chunks, parts, 1, False):
            raise ConvertError("the engine does not prepare what a projector is tried with")
        for at in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, at)
            if mtmd.mtmd_input_chunk_get_type(chunk) != mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
                if mtmd.mtmd_encode_chunk(context, chunk):
                    raise ConvertError("the engine does not encode what a projector is tried with")
                shape = (int(mtmd.mtmd_input_chunk_get_n_tokens(chunk)), width)
                found = np.ctypeslib.as_array(mtmd.mtmd_get_output_embd(context), shape)
                return np.array(found, np.float32)
        raise ConvertError("the engine makes no tokens of what a projector is tried with")
    finally:
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_bitmap_free(bitmap)


def logits_of(
    path: Path, tokens: list[int] | None, adapter: Path | None = None
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One decode: a row for each token, of logits or of an encoder's values.

    Without `tokens`, of the first one that a text may begin with; with an adapter over the weights
    where one is given. Raises ConvertError.
    """
    with _Words() as words:
        model = lib.llama_model_load_from_file(os.fsencode(path), _parameters())
        if not model:
            raise ConvertError(f"the engine does not load the model: {words.first}")
        try:
            return _decode(model, tokens, adapter)
        finally:
            lib.llama_model_free(model)


def _parameters() -> Any:
    parameters = lib.llama_model_default_params()
    parameters.n_gpu_layers = 0
    parameters.use_extra_bufts = False  # they would copy the weights
    return parameters


def _decode(
    model: Any, tokens: list[int] | None, adapter: Path | None
) -> np.ndarray[Any, np.dtype[np.float32]]:
    vocabulary = lib.llama_model_get_vocab(model)
    n_tokens = int(lib.llama_vocab_n_tokens(vocabulary))
    if tokens is None:
        tokens = [max(int(lib.llama_vocab_bos(vocabulary)), 0)]
    is_encoder = not lib.llama_model_has_decoder(model) or not _is_causal(model)
    parameters = lib.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max(_N_CTX, len(tokens))
    parameters.n_threads = parameters.n_threads_batch = worker_threads()
    parameters.embeddings = is_encoder
    parameters.flash_attn_type = 0
    parameters.type_k = parameters.type_v = 0  # F32
    parameters.no_perf = True
    if is_encoder:
        parameters.pooling_type = 0
    context = lib.llama_init_from_model(model, parameters)
    if not context:
        raise ConvertError("the engine makes no context for the model")
    if adapter:
        one = lib.llama_adapter_lora_init(model, os.fsencode(adapter))
        adapters = (lib.llama_adapter_lora_p_ctypes * 1)(one)
        if not one or lib.llama_set_adapters_lora(context, adapters, 1, (ctypes.c_float * 1)(1)):
            raise ConvertError("the engine does not load the adapter")
    try:
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.logits[i] = token, i, 1
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        only_encodes = lib.llama_model_has_encoder(model) and not lib.llama_model_has_decoder(model)
        failed = (lib.llama_encode if only_encodes else lib.llama_decode)(context, batch)
        lib.llama_batch_free(batch)
        if failed:
            raise ConvertError("the engine does not decode with the model")
        read = lib.llama_get_embeddings_ith if is_encoder else lib.llama_get_logits_ith
        width = int(lib.llama_model_n_embd_out(model)) if is_encoder else n_tokens
        rows = [
            np.ctypeslib.as_array(read(context, i), (width,)).copy() for i in range(len(tokens))
        ]
    finally:
        lib.llama_free(context)
    values = np.stack(rows)
    if not np.isfinite(values).all():
        raise ConvertError("the model computes values that are no numbers")
    return values


def _is_causal(model: Any) -> bool:
    value = ctypes.create_string_buffer(16)
    name = ctypes.create_string_buffer(64)
    lib.llama_model_meta_val_str(model, b"general.architecture", name, len(name))
    length = lib.llama_model_meta_val_str(
        model, name.value + b".attention.causal", value, len(value)
    )
    return length < 0 or value.value != b"false"
