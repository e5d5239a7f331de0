"""A model file loaded by libllama: weights and vocabulary. Contexts are made elsewhere."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from puna.convert.unwritten import Unwritten
from puna.errors import BadRequest, StartFailed
from puna.gguf.reader import find_header
from puna.gguf.translation.registry import VERSION, Translation, translation_of
from puna.runner.llama.devices import device_handles
from puna.runner.llama.floats import widen
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.overrides import set_overrides
from puna.runner.llama.stream import load_stream
from puna.runner.protocol import LoadPlan

__all__ = ["Model", "Pooling"]

log = logging.getLogger(__name__)

_LONGEST_VALUE = 256  # bytes of a metadata value that is read here


class Pooling(IntEnum):
    """How the vectors of an input's tokens become one, numbered as in model files."""

    NONE = 0
    MEAN = 1
    CLS = 2
    LAST = 3
    RANK = 4
    """A classification head gives scores instead of a vector."""


class Model:
    """Weights and vocabulary of one model, read-only once loaded."""

    def __init__(self, plan: LoadPlan, progress: Callable[[float], None]) -> None:
        """Load the files of the plan; `progress` hears of fractions from 0 to 1.

        Raises StartFailed or OutOfMemory with libllama's words, BadModelFile.
        """
        LOG.forget_errors()
        params, path = _model_params(plan, progress), Path(plan.model)
        header = find_header(path)
        translation = translation_of(header, path) if header and not plan.parts else None
        told = translation.text.header if translation else header
        set_overrides(params, told.metadata if told else {})
        self.path = path
        """Its file, of several the first."""
        self.translation = translation
        """What the engine got in place of the file, None where that is the file as it is."""
        self._handle = (
            _load_translated(translation, path, params)
            if translation
            else _load(plan.weights, params)
        )
        if not self._handle:
            raise start_failure(f"failed to load model {plan.model}")
        self._vocab = lib.llama_model_get_vocab(self._handle)
        self._pieces: dict[int, bytes] = {}
        self._adapters: dict[str, Any] = {}

    @property
    def handle(self) -> Any:
        """libllama's pointer to the model."""
        return self._handle

    @property
    def vocab(self) -> Any:
        """libllama's pointer to the vocabulary."""
        return self._vocab

    @cached_property
    def n_vocab(self) -> int:
        """Number of tokens."""
        return int(lib.llama_vocab_n_tokens(self._vocab))

    @cached_property
    def n_ctx_train(self) -> int:
        """The context the model was trained on; 0 when the file does not say."""
        return int(lib.llama_model_n_ctx_train(self._handle))

    @cached_property
    def is_recurrent(self) -> bool:
        """Whether some layers keep a state per sequence instead of cells per token."""
        return bool(
            lib.llama_model_is_recurrent(self._handle) or lib.llama_model_is_hybrid(self._handle)
        )

    @cached_property
    def n_window(self) -> int:
        """Tokens that sliding layers look back, 0 when there are no such layers."""
        return int(lib.llama_model_n_swa(self._handle))

    @cached_property
    def has_decoder(self) -> bool:
        """False for encoders, which give embeddings and no text."""
        return bool(lib.llama_model_has_decoder(self._handle))

    def variant(self, plan: LoadPlan) -> str:
        """What a sequence's cells depend on besides files and plan.

        Some models turn positions by other factors when the context is long; some files were
        translated.
        """
        stretched = f"n_ctx {plan.n_ctx * plan.n_parallel}" if self.is_stretched else ""
        return stretched + (f" translation {VERSION}" if self.translation else "")

    @property
    def is_stretched(self) -> bool:
        """Whether a context's length decides by which factors positions are turned."""
        key = f"{self._architecture}.rope.scaling.original_context_length"
        return self._metadata(key) is not None

    @cached_property
    def has_encoder(self) -> bool:
        """True for models that read a whole text before they write another, like T5."""
        return bool(lib.llama_model_has_encoder(self._handle))

    @cached_property
    def pooling(self) -> Pooling | None:
        """What the file says about pooling, None when it says nothing. Raises BadRequest."""
        value = self._metadata(f"{self._architecture}.pooling_type")
        try:
            return None if value is None else Pooling(int(value))
        except ValueError:
            raise BadRequest(f"the model file names an unknown pooling type: {value}") from None

    @cached_property
    def looks_ahead(self) -> bool:
        """Whether the file says that tokens see those after them."""
        return self._metadata(f"{self._architecture}.attention.causal") == "false"

    @cached_property
    def n_vector(self) -> int:
        """Length of the vectors that it makes of inputs."""
        return int(lib.llama_model_n_embd_out(self._handle))

    @cached_property
    def n_scores(self) -> int:
        """How many scores its classification head gives."""
        return int(lib.llama_model_n_cls_out(self._handle))

    @cached_property
    def size(self) -> int:
        """Bytes of all tensors."""
        return int(lib.llama_model_size(self._handle))

    @cached_property
    def adds_bos(self) -> bool:
        """Whether the tokenizer puts a BOS token in front of a prompt."""
        return bool(lib.llama_vocab_get_add_bos(self._vocab))

    @cached_property
    def bos(self) -> str:
        """The text of the BOS token, empty when there is none."""
        return self._special_text(int(lib.llama_vocab_bos(self._vocab)))

    @cached_property
    def eos(self) -> str:
        """The text of the end token, empty when there is none."""
        return self._special_text(int(lib.llama_vocab_eos(self._vocab)))

    @cached_property
    def end_tokens(self) -> list[int]:
        """Every token that ends a generation."""
        return [token for token in range(self.n_vocab) if self.is_end(token)]

    def is_end(self, token: int) -> bool:
        """Whether a token ends the generation (end of sequence, of turn, and the like)."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def frame_input(self) -> tuple[list[int], list[int]]:
        """The tokens that the tokenizer puts before a text and after it."""
        frame = self.tokenize("", add_special=True, parse_special=False)
        return frame[: int(self.adds_bos)], frame[int(self.adds_bos) :]

    def frame_pair(self) -> tuple[list[int], list[int], list[int]]:
        """The tokens before, between and after the two texts that a reranker compares."""
        bos, eos, sep = (
            [int(token)] if token >= 0 and wanted else []
            for token, wanted in (
                (lib.llama_vocab_bos(self._vocab), self.adds_bos),
                (self._end_or_separator(), lib.llama_vocab_get_add_eos(self._vocab)),
                (lib.llama_vocab_sep(self._vocab), lib.llama_vocab_get_add_sep(self._vocab)),
            )
        )
        return bos, eos + sep, eos

    @cached_property
    def rerank_template(self) -> str | None:
        """The text with `{query}` and `{document}` that the file brings for rerankers."""
        raw = lib.llama_model_chat_template(self._handle, b"rerank")
        return None if raw is None else bytes(raw).decode("utf-8", "replace")

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of a text; `add_special` lets the tokenizer add BOS and the like."""
        raw = text.encode("utf-8", "replace")
        size = len(raw) + 8
        while True:
            tokens = (lib.llama_token * size)()
            count = lib.llama_tokenize(
                self._vocab, raw, len(raw), tokens, size, add_special, parse_special
            )
            if count >= 0:
                return list(tokens[:count])
            size = -count

    def tokenize_prompt(self, text: str) -> list[int]:
        """Token ids of a prompt, with exactly one BOS where the tokenizer adds it.

        A template may have written BOS as text already (prompting spec, section 2.3).
        """
        return self.tokenize(self.without_bos(text), add_special=True, parse_special=True)

    def without_bos(self, text: str) -> str:
        """A prompt without the BOS that it was written with, where the tokenizer adds it."""
        return text.removeprefix(self.bos) if self.adds_bos else text

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for in an answer; control tokens are silent."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._to_bytes(token, special=False)
        return piece

    def control_tokens(self, texts: Iterable[str]) -> dict[int, bytes]:
        """Those of the texts that are a single token which answers would not show."""
        found: dict[int, bytes] = {}
        for text in texts:
            tokens = self.tokenize(text, add_special=False, parse_special=True)
            if len(tokens) == 1 and not self.piece(tokens[0]):
                found[tokens[0]] = text.encode()
        return found

    def spelling(self, token: int) -> bytes:
        """The bytes a token is written with, control tokens too."""
        return self._to_bytes(token, special=True)

    def is_special(self, token: int) -> bool:
        """Whether a token is no text: a control token, or one of the file's own tags."""
        kind = lib.llama_vocab_get_attr(self._vocab, token)
        if kind & lib.LLAMA_TOKEN_ATTR_USER_DEFINED:
            written = self.spelling(token)
            return written.startswith(b"<") and written.endswith(b">")
        return bool(kind & lib.LLAMA_TOKEN_ATTR_CONTROL)

    def single_tokens(self, texts: Iterable[str]) -> set[int]:
        """The tokens that are each one of the texts."""
        found = (
            self.tokenize(text, add_special=False, parse_special=True) for text in texts if text
        )
        return {tokens[0] for tokens in found if len(tokens) == 1}

    def detokenize(self, tokens: Iterable[int]) -> str:
        """The text of token ids, control tokens included. Raises BadRequest for unknown ids."""
        out = []
        for token in tokens:
            if not 0 <= token < self.n_vocab:
                raise BadRequest(f"token {token} is not in the model's vocabulary")
            out.append(self._to_bytes(token, special=True))
        return b"".join(out).decode("utf-8", "replace")

    def adapter(self, path: str) -> Any:
        """libllama's pointer to a LoRA adapter over these weights. It is loaded once, for all
        contexts, and freed with them. Raises StartFailed or OutOfMemory with libllama's words."""
        if path not in self._adapters:
            adapter = lib.llama_adapter_lora_init(self._handle, path.encode())
            if not adapter:
                raise start_failure(f"failed to load adapter {path}")
            self._adapters[path] = adapter
        return self._adapters[path]

    def close(self) -> None:
        """Free the weights. No context may be left."""
        lib.llama_model_free(self._handle)
        self._handle = None

    @property
    def _architecture(self) -> str:
        return self._metadata("general.architecture") or ""

    def _end_or_separator(self) -> int:
        end = int(lib.llama_vocab_eos(self._vocab))
        return end if end >= 0 else int(lib.llama_vocab_sep(self._vocab))

    def _metadata(self, key: str) -> str | None:
        """The text of a scalar in the file's metadata, None when it is not there."""
        buffer = ctypes.create_string_buffer(_LONGEST_VALUE)
        count = lib.llama_model_meta_val_str(self._handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if count >= 0 else None

    def _special_text(self, token: int) -> str:
        return self._to_bytes(token, special=True).decode("utf-8", "replace") if token >= 0 else ""

    def _to_bytes(self, token: int, *, special: bool) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = lib.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count


def _load(paths: Sequence[str], params: Any) -> Any:
    """libllama's pointer to a model in one file or several, null where it fails."""
    if len(paths) == 1:
        return lib.llama_model_load_from_file(paths[0].encode(), params)
    names = (ctypes.c_char_p * len(paths))(*(path.encode() for path in paths))
    return lib.llama_model_load_from_splits(names, len(paths), params)


def _load_translated(translation: Translation, path: Path, params: Any) -> Any:
    """The same for a file of the reference's own form. Raises BadModelFile, StartFailed."""
    log.info(
        "%s is given to the engine in the engine's own form: it is read, not mapped", path.name
    )
    try:
        with Unwritten(translation.text, path, widen) as file:
            return load_stream(file, params)
    except OSError as cause:
        raise StartFailed(f"failed to read model {path}: {cause}") from cause


def _choose_cards(params: Any, plan: LoadPlan) -> None:
    """Give the cards of the plan their layers, in its order. Without any the engine must not have
    one: else it takes memory of every card, if only to compute a part of long prompts there.
    """
    handles = device_handles() if plan.cards else []
    chosen = [handles[index] for index in plan.cards if index < len(handles)]
    devices = (ctypes.c_void_p * (len(chosen) + 1))(*chosen, None)
    shares = [0.0] * max(lib.llama_max_devices(), len(chosen))
    shares[: len(plan.card_layers)] = map(float, plan.card_layers)
    split = (ctypes.c_float * len(shares))(*shares)
    params.devices = ctypes.addressof(devices)
    params.tensor_split = ctypes.cast(split, type(params.tensor_split))
    params.kept_alive = devices, split  # ctypes keeps no reference to what pointers point to


def _model_params(plan: LoadPlan, progress: Callable[[float], None]) -> Any:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = plan.n_gpu_layers
    if plan.cards or plan.n_gpu_layers == 0:
        _choose_cards(params, plan)
    elif plan.main_gpu is not None:
        params.split_mode = lib.LLAMA_SPLIT_MODE_NONE
        params.main_gpu = plan.main_gpu
    if plan.use_mmap is not None:
        params.load_mode = lib.LLAMA_LOAD_MODE_MMAP if plan.use_mmap else lib.LLAMA_LOAD_MODE_NONE

    def report(fraction: float, _: object) -> bool:
        progress(fraction)
        return True

    params.progress_callback = lib.llama_progress_callback(report)
    return params
