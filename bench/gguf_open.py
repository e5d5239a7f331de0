"""How long the metadata of a 2 GB model file takes to read, vocabulary of 128,256 tokens.

Run `python -m bench.gguf_open`. The file is sparse: its tensors take no room on the disk.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from puna.gguf.describe import describe
from tests.fakes.ggufs import Array, Tensor, Value, pack_gguf

TOKENS = 128_256
MERGES = 280_147
FILE_BYTES = 2_150_000_000
ROUNDS = 20
I32, STRING = 5, 8


def make_file(path: Path) -> None:
    """Write a file shaped like an 8B model's: its header, and a hole for the tensors."""
    tensors = 256
    rows = FILE_BYTES // tensors // (4096 * 4)
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.context_length": 131_072,
        "llama.block_count": 32,
        "llama.embedding_length": 4096,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": Array(STRING, [f"token{n}" for n in range(TOKENS)]),
        "tokenizer.ggml.token_type": Array(I32, [1] * TOKENS),
        "tokenizer.ggml.merges": Array(STRING, [f"tok en{n}" for n in range(MERGES)]),
    }
    size = rows * 4096 * 4
    listed = [Tensor(f"blk.{n}.weight", (4096, rows), offset=n * size) for n in range(tensors)]
    header = pack_gguf(metadata, listed)
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(len(header) + tensors * size)


def main() -> None:
    """Print the median and the extremes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.gguf"
        make_file(path)
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            describe(path)
            times.append((time.perf_counter() - start) * 1000)
        print(
            f"metadata of a {path.stat().st_size / 1e9:.2f} GB file: median "
            f"{statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f} ms "
            "(budget 50 ms)"
        )


if __name__ == "__main__":
    main()
