"""Whether an exported GGUF means the same to llama.cpp as the checkpoint does to torch.

It needs two Pythons where torch and llama_cpp are not in one place: the first writes what is
expected, the second compares.

    python -m training.cria.verify expect --checkpoint build/cria/checkpoint.pt --file expected.npz
    python -m training.cria.verify compare --gguf cria-f32.gguf --file expected.npz
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.cria.chat import pieces
from training.cria.corpus.mix import sample

__all__ = ["main"]

_SEED, _COUNT = 1_000_003, 40
_WIDEST = 0.02  # of logits around ten; llama.cpp computes in other orders


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(description="Compare llama.cpp with torch.")
    parser.add_argument("what", choices=("expect", "compare"))
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--file", type=Path, required=True)
    args = parser.parse_args()
    if args.what == "expect":
        _expect(args.checkpoint, args.file)
    else:
        _compare(args.gguf, args.file)


def texts() -> list[str]:
    """Rendered conversations of every skill."""
    return ["".join(p.text for p in pieces(sample(_SEED, i))) for i in range(_COUNT)]


def _expect(checkpoint: Path, file: Path) -> None:
    # by name: torch is needed for this half alone
    torch = importlib.import_module("torch")
    speaker = importlib.import_module("training.cria.speak").Speaker(checkpoint)
    arrays: dict[str, NDArray[np.generic]] = {}
    for i, text in enumerate(texts()):
        numbers = speaker.tokenizer.encode(text, add_special_tokens=False).ids
        with torch.no_grad():
            logits = speaker.model.logits(speaker.model(torch.tensor([numbers]))[0, -1])
        arrays[f"tokens{i}"] = np.array(numbers)
        arrays[f"logits{i}"] = logits.numpy()
    np.savez_compressed(file, allow_pickle=False, **arrays)


def _compare(path: Path, file: Path) -> None:
    lib = importlib.import_module("llama_cpp")
    expected = np.load(file)
    lib.llama_backend_init()
    settings = lib.llama_model_default_params()
    model = lib.llama_model_load_from_file(str(path).encode(), settings)
    if not model:
        raise SystemExit(f"{path}: llama.cpp cannot load it")
    vocab = lib.llama_model_get_vocab(model)
    size = lib.llama_vocab_n_tokens(vocab)
    options = lib.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = 2048
    options.flash_attn_type = 0
    options.type_k = options.type_v = lib.GGML_TYPE_F32
    context = lib.llama_init_from_model(model, options)
    widest, same, best = 0.0, 0, 0
    for i, text in enumerate(texts()):
        raw = text.encode()
        found = (ctypes.c_int32 * 4096)()
        count = lib.llama_tokenize(vocab, raw, len(raw), found, 4096, False, True)
        tokens = list(found[:count])
        same += tokens == expected[f"tokens{i}"].tolist()
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        lib.llama_decode(context, lib.llama_batch_get_one(found, count))
        row = np.ctypeslib.as_array(lib.llama_get_logits_ith(context, -1), (size,))
        widest = max(widest, float(np.abs(row - expected[f"logits{i}"]).max()))
        best += int(row.argmax() == expected[f"logits{i}"].argmax())
    print(f"same tokens {same}/{_COUNT}, same best token {best}/{_COUNT}, widest {widest:.5f}")
    if same < _COUNT or (widest > _WIDEST and "f32" in path.name):
        raise SystemExit("llama.cpp and torch differ")


if __name__ == "__main__":
    main()
