"""Converting a folder of 2.5 GB of half-precision weights, against `cp` of the same bytes.

Run `python -m bench.convert_speed [GIGABYTES]`. Both begin with the weights out of the page cache
and end with what they wrote on the disk. The converter's own memory is watched: what it maps of
files is not its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.checkpoints import LLAMA, write_tokenizer

ROUNDS = 3
WIDTH, INNER, VOCAB = 2048, 8192, 32000


def make_folder(folder: Path, gigabytes: float) -> tuple[Path, int]:
    """A Llama of about this size; gives the file of its weights and the bytes of its largest
    tensor.
    """
    names = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.k_proj": (WIDTH, WIDTH),
        "self_attn.v_proj": (WIDTH, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.gate_proj": (INNER, WIDTH),
        "mlp.up_proj": (INNER, WIDTH),
        "mlp.down_proj": (WIDTH, INNER),
        "input_layernorm": (WIDTH,),
        "post_attention_layernorm": (WIDTH,),
    }
    layer_bytes = sum(2 * int(np.prod(shape)) for shape in names.values())
    n_layers = max(int((gigabytes * 1e9 - 4 * VOCAB * WIDTH) / layer_bytes), 1)
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCAB, WIDTH),
        "model.norm.weight": (WIDTH,),
        "lm_head.weight": (VOCAB, WIDTH),
    }
    for layer in range(n_layers):
        shapes |= {f"model.layers.{layer}.{name}.weight": s for name, s in names.items()}
    config = {
        **LLAMA,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": n_layers,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "vocab_size": VOCAB,
    }
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)
    path = folder / "model.safetensors"
    _write(path, shapes)
    return path, max(2 * int(np.prod(shape)) for shape in shapes.values())


def _write(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    header: dict[str, Any] = {}
    at = 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    random = np.random.default_rng(0)
    block = (random.normal(size=1 << 22) * 0.02).astype(np.float16)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for shape in shapes.values():
            left = int(np.prod(shape))
            while left:
                file.write(block[: min(left, block.size)].data)
                left -= min(left, block.size)


def forget(path: Path) -> None:
    """Have the file's bytes on the disk alone."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def copied(source: Path, target: Path) -> float:
    """Seconds that cp takes, and the disk after it."""
    start = time.perf_counter()
    subprocess.run(["cp", str(source), str(target)], check=True)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start


def converted(folder: Path, target: Path) -> tuple[float, int]:
    """Seconds that the converter takes, and the most memory of its own that it had, in bytes."""
    order = {"kind": "model", "source": str(folder), "target": str(target), "type": "F16"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "puna.convert.converter", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if process.stdin:
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
    most = 0
    while process.poll() is None:
        most = max(most, _own_memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"the converter ended with {process.returncode}")
    return time.perf_counter() - start, most


def _own_memory(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Print the median of the ratios, the extremes, and the memory against its bound."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.5
    ratios, memory = [], []
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build") as name:
        folder = Path(name)
        weights, largest = make_folder(folder, gigabytes)
        for _ in range(ROUNDS):
            target = folder / "copy"
            forget(weights)
            seconds = copied(weights, target)
            target.unlink()
            forget(weights)
            own, most = converted(folder, target)
            target.unlink()
            ratios.append(seconds / own)
            memory.append(most)
            print(f"cp {seconds:.1f} s, converted in {own:.1f} s with {most >> 20} MiB", flush=True)
    bound = 3 * largest + 300_000_000
    print(
        f"conversion against cp: median {statistics.median(ratios):.2f} of its speed, "
        f"{min(ratios):.2f} to {max(ratios):.2f} (budget 0.7); "
        f"memory {max(memory) >> 20} MiB of {bound >> 20} MiB"
    )


if __name__ == "__main__":
    main()
