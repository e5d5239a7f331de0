"""Headers of GGUF files, and parts of a model, that lie or are broken."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec

from puna.gguf.describe import describe_header, show_metadata, show_tensors
from puna.gguf.merge import plan_merge
from puna.gguf.reader import read_header
from puna.gguf.split import place_of
from tests.fakes.ggufs import Array, Raw, Tensor, Value, pack_gguf
from tests.fuzz.mutate import broken_bytes

LLAMA: dict[str, Value] = {
    "general.architecture": "llama",
    "general.alignment": 32,
    "general.file_type": Raw(4, 15),
    "llama.block_count": 2,
    "llama.context_length": 64,
    "llama.embedding_length": Raw(10, 64),
    "llama.attention.head_count": Array(5, [4, 0]),
    "llama.rope.freq_base": 1e4,
    "split.count": Raw(2, 1),
    "tokenizer.chat_template": "{{ messages }}",
    "tokenizer.ggml.tokens": Array(8, ["<s>", "", "ü", "token"]),
    "tokenizer.ggml.scores": Array(6, [0.0, -1.5]),
}
TENSORS = [Tensor("a", (4, 2), 0, bytes(32)), Tensor("b", (256,), 12, bytes(144))]
_COUNTS = (None, 0, 1, 3, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def make_gguf(chance: Random) -> bytes:
    """A file that lies about its counts, types, shapes or offsets, or is broken anywhere."""
    metadata: list[tuple[str | bytes, Value]] = list(LLAMA.items())
    if chance.random() < 0.5:
        at = chance.randrange(len(metadata))
        metadata[at] = (metadata[at][0], _value(chance))
    if chance.random() < 0.2:
        metadata.append(chance.choice(metadata))
    tensors = [*TENSORS, _tensor(chance)] if chance.random() < 0.4 else TENSORS
    version = chance.choice((3, 3, 3, 2, 1))
    counts = [count for count in _COUNTS if version > 1 or (count or 0) < 2**32]
    raw = pack_gguf(
        metadata,
        tensors,
        version=version,
        big_endian=chance.random() < 0.1,
        n_kv=chance.choice((*[None] * 9, chance.choice(counts))),
        n_tensors=chance.choice((*[None] * 9, chance.choice(counts))),
        pad=chance.random() < 0.9,
    )
    return broken_bytes(chance, raw) if chance.random() < 0.4 else raw


def _value(chance: Random) -> Value:
    kinds = (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12)
    match chance.randrange(4):
        case 0:
            return Raw(chance.choice(kinds), 1)
        case 1:
            return Array(chance.choice(kinds), [1] * chance.choice((0, 1, 3000)))
        case 2:
            return Raw(8, bytes(chance.randrange(256) for _ in range(chance.randrange(40))))
        case _:
            return Array(8, ["x"] * chance.choice((0, 2, 3000)), chance.choice((None, 2**31)))


def _tensor(chance: Random) -> Tensor:
    sides = (0, 1, 2, 32, 256, 2**31, 2**32, 2**63, 2**64 - 1)
    return Tensor(
        chance.choice(("a", "b", "", "x" * 64, "x" * 2000, b"\xff\xfe", "a\nb")),
        [chance.choice(sides) for _ in range(chance.choice((0, 1, 2, 4, 5)))],
        chance.choice((0, 1, 8, 12, 4, 99, 2**32 - 1)),
        bytes(chance.choice((0, 16, 144))),
        chance.choice((None, None, 1, 2**63)),
    )


def use_gguf(raw: bytes, folder: Path) -> None:
    """Read and describe the file, as show and verbose show do."""
    path = folder / "model.gguf"
    path.write_bytes(raw)
    for arrays in (False, True):
        header = read_header(path, arrays=arrays)
        description = describe_header(header)
        assert description.kv_bytes_per_token() >= 0
        shown = show_metadata(header, verbose=arrays), show_tensors(header)
        assert msgspec.json.encode(shown)


def make_parts(chance: Random) -> bytes:
    """The parts of a model, one after another, each with its length before it; some are broken."""
    count = chance.choice((1, 2, 2, 3))
    out = b""
    for index in range(count):
        places: dict[str, Value] = {"split.no": Raw(2, index), "split.count": Raw(2, count)}
        if chance.random() < 0.2:
            places[chance.choice(list(places))] = _value(chance)
        if chance.random() < 0.2:
            places["split.count"] = chance.choice((2**31, Raw(10, 2**64 - 1), Raw(2, 60_000)))
        first = LLAMA if index == 0 else {}
        tensors = [Tensor(chance.choice(("a", "b", "c", "d", "e", "f")))]
        raw = pack_gguf({**first, **places}, tensors)
        raw = broken_bytes(chance, raw) if chance.random() < 0.1 else raw
        out += len(raw).to_bytes(4) + raw
    return out


def use_parts(raw: bytes, folder: Path) -> None:
    """Parts that belong together make one file, which reads and is whole."""
    paths: list[Path] = []
    while raw:
        end = 4 + int.from_bytes(raw[:4])
        paths.append(folder / f"{len(paths)}.gguf")
        paths[-1].write_bytes(raw[4:end])
        raw = raw[end:]
    path = folder / "whole.gguf"
    path.write_bytes(b"".join(plan_merge(paths).chunks()))
    assert place_of(read_header(path)) is None
