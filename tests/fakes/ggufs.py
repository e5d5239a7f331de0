"""Model files for tests: a raw writer that can also lie, and a tiny Llama that llama.cpp loads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

__all__ = ["Array", "Raw", "Tensor", "Value", "make_tiny_llama", "pack_gguf", "write_gguf"]


@dataclass(frozen=True)
class Raw:
    """A scalar of a chosen GGUF type: `Raw(0, 5)` is a u8. Strings may be bytes."""

    kind: int
    value: int | float | bool | str | bytes


@dataclass(frozen=True)
class Array:
    """An array of a chosen element type; `count` can lie about how many elements follow."""

    kind: int
    values: Sequence[int | float | bool | str | bytes] = ()
    count: int | None = None


Value = int | float | bool | str | Raw | Array

SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file declares it. Without `offset` it follows the one before, aligned."""

    name: str | bytes
    shape: Sequence[int] = (4,)
    kind: int = 0
    data: bytes = b"\0" * 16
    offset: int | None = None


class _Packer:
    """Encodes GGUF values in one byte order and version."""

    def __init__(self, order: str, version: int) -> None:
        self.order, self.version = order, version

    def number(self, code: str, value: int | float | bool) -> bytes:
        return struct.pack(self.order + code, value)

    def count(self, value: int) -> bytes:
        return self.number("I" if self.version == 1 else "Q", value)

    def string(self, text: str | bytes) -> bytes:
        raw = text.encode() if isinstance(text, str) else text
        if self.version == 1:
            raw += b"\0"
        return self.number("Q", len(raw)) + raw

    def scalar(self, kind: int, value: int | float | bool | str | bytes) -> bytes:
        if isinstance(value, str | bytes):
            return self.string(value)
        return self.number(SCALARS[kind], value)

    def value(self, value: Value) -> bytes:
        match value:
            case Array(kind, values, count):
                announced = len(values) if count is None else count
                head = self.number("I", kind) + self.count(announced)
                body = b"".join(self.scalar(kind, each) for each in values)
                return self.number("I", ARRAY) + head + body
            case Raw(kind, plain):
                return self.number("I", kind) + self.scalar(kind, plain)
            case bool():
                return self.value(Raw(7, value))
            case int():
                return self.value(Raw(4, value))
            case float():
                return self.value(Raw(6, value))
            case str():
                return self.value(Raw(STRING, value))

    def tensor(self, tensor: Tensor, offset: int) -> bytes:
        dims = b"".join(self.number("Q", n) for n in tensor.shape)
        head = self.string(tensor.name) + self.number("I", len(tensor.shape))
        return head + dims + self.number("I", tensor.kind) + self.number("Q", offset)


def pack_gguf(
    metadata: Mapping[str, Value] | Sequence[tuple[str | bytes, Value]],
    tensors: Sequence[Tensor] = (),
    *,
    version: int = 3,
    big_endian: bool = False,
    magic: bytes | None = None,
    n_kv: int | None = None,
    n_tensors: int | None = None,
    alignment: int = 32,
    pad: bool = True,
) -> bytes:
    """Make the bytes of a GGUF file.

    Plain ints become u32, floats f32; `Raw` and `Array` choose otherwise. A sequence of pairs
    allows duplicate keys; `n_kv`, `n_tensors`, `Array.count` and `Tensor.offset` override what the
    file claims. `alignment` is what the writer pads to: put `general.alignment` there too.
    """
    packer = _Packer(">" if big_endian else "<", version)
    pairs = list(metadata.items()) if isinstance(metadata, Mapping) else list(metadata)
    out = bytearray(magic if magic is not None else b"FUGG" if big_endian else b"GGUF")
    out += packer.number("I", version)
    out += packer.count(len(tensors) if n_tensors is None else n_tensors)
    out += packer.count(len(pairs) if n_kv is None else n_kv)
    for key, value in pairs:
        out += packer.string(key) + packer.value(value)
    data = bytearray()
    for tensor in tensors:
        data += b"\0" * (-len(data) % alignment)
        out += packer.tensor(tensor, len(data) if tensor.offset is None else tensor.offset)
        data += tensor.data
    if tensors and pad:
        out += b"\0" * (-len(out) % alignment)
    return bytes(out + data)


def write_gguf(
    path: Path,
    metadata: Mapping[str, Value] | Sequence[tuple[str | bytes, Value]],
    tensors: Sequence[Tensor] = (),
    *,
    version: int = 3,
    big_endian: bool = False,
    n_kv: int | None = None,
    n_tensors: int | None = None,
    alignment: int = 32,
) -> Path:
    """Write what `pack_gguf` makes to `path`, and return the path."""
    path.write_bytes(
        pack_gguf(
            metadata,
            tensors,
            version=version,
            big_endian=big_endian,
            n_kv=n_kv,
            n_tensors=n_tensors,
            alignment=alignment,
        )
    )
    return path


WORDS = """
    the and was she saw big red ball park dog cat sun moon tree bird fish song rain snow wind
    green blue happy little girl boy Tom Lily played found ran jumped home day night mom dad
    box cake apple river hill house door star sky smiled said
"""
BLANK = "\u2581"  # SentencePiece's visible blank
BYTE_TYPE, NORMAL_TYPE, UNKNOWN_TYPE, CONTROL_TYPE = 6, 1, 2, 3
CONSTANT = 4.0  # the value of residual dimension 0, which carries each token's bias to the output
HEADS, LAYERS, EMBD, FFN = 4, 2, 64, 128


@dataclass(frozen=True)
class Vocabulary:
    """Tokens with their scores and types, and what the output adds to each one's logit."""

    tokens: list[str]
    scores: list[float]
    types: list[int]
    biases: list[float]


def make_vocabulary() -> Vocabulary:
    """A SentencePiece vocabulary: specials, all bytes, ASCII characters, words and their prefixes.

    The prefixes are there because SentencePiece builds a word by merging neighbours, one known
    piece at a time.
    """
    characters = [BLANK, *(chr(c) for c in range(ord("!"), ord("~") + 1))]
    words = [BLANK + word for word in WORDS.split()]
    prefixes = dict.fromkeys(word[:end] for word in words for end in range(2, len(word)))
    merged = [*(p for p in prefixes if p not in words), *words]
    merged.sort(key=len)
    rows = [("<unk>", 0.0, UNKNOWN_TYPE), ("<s>", 0.0, CONTROL_TYPE), ("</s>", 0.0, CONTROL_TYPE)]
    rows += [(f"<0x{byte:02X}>", 0.0, BYTE_TYPE) for byte in range(256)]
    rows += [(char, -1e4, NORMAL_TYPE) for char in characters]
    rows += [(piece, float(len(piece) * 10), NORMAL_TYPE) for piece in merged]
    likely = {*words, ",", "."}
    biases = [0.0 if token in likely else -60.0 for token, _, _ in rows]
    return Vocabulary(
        [token for token, _, _ in rows], [s for _, s, _ in rows], [t for _, _, t in rows], biases
    )


def add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    """Put a vocabulary into a file that is being written."""
    writer.add_vocab_size(len(vocabulary.tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)


def _make_weights(vocabulary: Vocabulary, seed: int, n_embd: int) -> dict[str, np.ndarray]:
    """Random weights, scaled so that greedy text varies with its context and ties are rare.

    Dimension 0 of the residual stream is the same for every token and no layer writes to it:
    through it the output matrix adds a fixed bias per token, which keeps special tokens, bytes and
    parts of words out of the generated text.
    """
    random = np.random.default_rng(seed)

    def normal(rows: int, columns: int, scale: float) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    def silent_on_constant(matrix: np.ndarray) -> np.ndarray:
        matrix[0, :] = 0
        return matrix

    n_vocab = len(vocabulary.tokens)
    embedding = normal(n_vocab, n_embd, 0.7)
    embedding[:, 0] = CONSTANT
    output = normal(n_vocab, n_embd, 0.5) - 0.2 * embedding  # against saying the same word again
    output[:, 0] = np.asarray(vocabulary.biases, dtype=np.float32) / 3
    unbiased = np.ones(n_embd, dtype=np.float32)
    unbiased[0] = 0
    weights = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(n_embd, dtype=np.float32),
        "output.weight": output,
    }
    for layer in range(LAYERS):
        weights |= {
            f"blk.{layer}.attn_norm.weight": unbiased,
            f"blk.{layer}.attn_q.weight": normal(n_embd, n_embd, 0.15),
            f"blk.{layer}.attn_k.weight": normal(n_embd, n_embd, 0.15),
            f"blk.{layer}.attn_v.weight": normal(n_embd, n_embd, 0.2),
            f"blk.{layer}.attn_output.weight": silent_on_constant(normal(n_embd, n_embd, 0.2)),
            f"blk.{layer}.ffn_norm.weight": unbiased,
            f"blk.{layer}.ffn_gate.weight": normal(FFN, n_embd, 0.2),
            f"blk.{layer}.ffn_up.weight": normal(FFN, n_embd, 0.2),
            f"blk.{layer}.ffn_down.weight": silent_on_constant(normal(n_embd, FFN, 0.1)),
        }
    return weights


def make_tiny_adapter(path: Path, *, seed: int = 1, rank: int = 2) -> Path:
    """Write a random LoRA adapter for `make_tiny_llama`'s models, strong enough to change texts."""
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for layer in range(LAYERS):
        name = f"blk.{layer}.attn_output.weight"
        writer.add_tensor(f"{name}.lora_a", draw.normal(size=(rank, EMBD)).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", draw.normal(size=(EMBD, rank)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def make_tiny_llama(
    path: Path,
    *,
    seed: int = 0,
    chat_template: str | None = None,
    n_ctx: int = 512,
    n_heads: int = HEADS,
    n_embd: int = EMBD,
    name: str = "tiny",
    pooling: int | None = None,
    rerank_template: str | None = None,
    n_ctx_original: int | None = None,
    vocabulary: Vocabulary | None = None,
    more: Mapping[str, np.ndarray] | None = None,
    tensors_per_part: int = 0,
) -> Path:
    """Write a random two-layer Llama that llama.cpp loads, under 1 MB, and return its path.

    The same seed gives the same bytes. Any text survives tokenising and back. What it generates is
    made of English words, never ends by itself, and depends on the whole prompt. With `pooling` it
    is a model for embeddings, with `rerank_template` for comparing texts by it. `more` are tensors
    that it does not need. With `tensors_per_part` it is split: see `make_split_llama`.
    """
    vocabulary = vocabulary or make_vocabulary()
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=tensors_per_part)
    writer.add_name(name)
    writer.add_file_type(0)
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(n_embd)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(n_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(n_embd // n_heads)
    if pooling is not None:
        writer.add_uint32("llama.pooling_type", pooling)
    if n_ctx_original is not None:
        writer.add_rope_scaling_orig_ctx_len(n_ctx_original)
    add_vocabulary(writer, vocabulary)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    if rerank_template is not None:
        writer.add_string("tokenizer.chat_template.rerank", rerank_template)
    for tensor, weights in {**_make_weights(vocabulary, seed, n_embd), **(more or {})}.items():
        writer.add_tensor(tensor, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
