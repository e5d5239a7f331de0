"""Quantises one tiny model to every type, as the child does; the engine must load the file, compute
numbers with it, and its tensors must have the types of the mix.

python -m tests.convert.levels [TYPE…]   a line for each type; status 1 if any is wrong
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from puna.convert.check import check_model
from puna.convert.levels import needs_matrix
from puna.convert.quantize import Order
from puna.convert.quantizer import Teller, carry_out
from puna.gguf.describe import describe
from puna.gguf.reader import read_header
from tests.fakes.ggufs import add_vocabulary, make_vocabulary
from tests.fakes.matrices import pack_old_matrix

__all__ = ["MIXES", "QUICK", "main"]


WIDTH, LAYERS, HEADS = 256, 8, 2
"""Rows fit blocks of 256, but for those of `attn_output`; layers are enough for mixes to differ."""

MORE = frozenset({0, 3, 6, 7})
"""Of eight layers, those that mixes of middle size give more bits to: the first eighth, the last,
and every third between.
"""
ALL = frozenset(range(LAYERS))


@dataclass(frozen=True)
class Mix:
    """What most tensors get, and those that get another type. Where no layers are said it is all;
    the rest of them gets what most do. Facts: conversion spec, section 12.2.
    """

    most: str
    embedding: str = ""
    output: str = "Q6_K"
    value: str = ""
    value_layers: frozenset[int] = ALL
    value_rest: str = ""
    mixed: str = ""
    """`attn_output`, whose rows fit blocks of 256 in none of the two models."""
    down: str = ""
    down_layers: frozenset[int] = ALL
    query: str = ""

    def types(self, layer: int) -> dict[str, str]:
        """Of the matrices of a layer."""
        value = self.value if layer in self.value_layers else self.value_rest
        return {
            "attn_q": self.query or self.most,
            "attn_k": self.query or self.most,
            "attn_v": value or self.most,
            "attn_output": self.mixed or self.most,
            "ffn_gate": self.most,
            "ffn_up": self.most,
            "ffn_down": (self.down if layer in self.down_layers else "") or self.most,
        }


_FIRST = frozenset({0})
_NL = "IQ4_NL"
MIXES = {
    "F32": Mix("F32", output="F32"),
    "F16": Mix("F16", output="F16"),
    "BF16": Mix("BF16", output="BF16"),
    "Q8_0": Mix("Q8_0", output="Q8_0"),
    "Q6_K": Mix("Q6_K", mixed="Q8_0"),
    "Q5_K_M": Mix(
        "Q5_K", value="Q6_K", value_layers=MORE, mixed="Q5_1", down="Q6_K", down_layers=MORE
    ),
    "Q5_K_S": Mix("Q5_K", mixed="Q5_1"),
    "Q5_1": Mix("Q5_1"),
    "Q5_0": Mix("Q5_0"),
    "Q4_1": Mix("Q4_1"),
    "Q4_0": Mix("Q4_0"),
    "Q4_K_M": Mix(
        "Q4_K", value="Q6_K", value_layers=MORE, mixed="Q5_0", down="Q6_K", down_layers=MORE
    ),
    "Q4_K_S": Mix(
        "Q4_K",
        value="Q5_K",
        value_layers=frozenset(range(4)),
        mixed="Q5_0",
        down="Q5_K",
        down_layers=_FIRST,
    ),
    "Q3_K_L": Mix("Q3_K", value="Q5_K", mixed="Q5_1", down="Q5_K"),
    "Q3_K_M": Mix(
        "Q3_K",
        value="Q5_K",
        value_layers=frozenset({0, 1}),
        value_rest="Q4_K",
        mixed="Q5_0",
        down="Q4_K",
    ),
    "Q3_K_S": Mix("Q3_K", mixed="Q4_0"),
    "Q2_K": Mix("Q2_K", value="Q3_K", mixed="Q4_0", down="Q3_K"),
    "Q2_K_S": Mix("Q2_K", mixed="Q4_0", down="Q4_K", down_layers=_FIRST),
    "Q2_0": Mix("Q2_0", "Q4_K"),
    "Q1_0": Mix("Q1_0"),
    "TQ2_0": Mix("TQ2_0", "Q4_K", mixed="Q4_0"),
    "TQ1_0": Mix("TQ1_0", "Q4_K", mixed="Q4_0"),
    "MXFP4_MOE": Mix("Q8_0", output="Q8_0"),
    "IQ4_NL": Mix("IQ4_NL"),
    "IQ4_XS": Mix("IQ4_XS", mixed=_NL, down=_NL),
    "IQ3_M": Mix("IQ3_S", value="Q4_K", mixed="Q5_0", down=_NL),
    "IQ3_S": Mix("IQ3_S", mixed=_NL, down=_NL),
    "IQ3_XS": Mix("IQ3_S", mixed=_NL, down=_NL, query="IQ3_XXS"),
    "IQ3_XXS": Mix("IQ3_XXS", "IQ3_S", "Q5_K", mixed=_NL, down=_NL, query="IQ2_S"),
    "IQ2_M": Mix("IQ2_S", "IQ3_S", "Q5_K", value="IQ3_S", mixed=_NL, down=_NL),
    "IQ2_S": Mix("IQ2_XS", "IQ3_S", "Q5_K", value="IQ3_S", mixed=_NL, down=_NL),
    "IQ2_XS": Mix("IQ2_XS", "Q2_K", "Q5_K", value="Q2_K", mixed=_NL, down=_NL),
    "IQ2_XXS": Mix("IQ2_XXS", "Q2_K", "Q5_K", value="Q2_K", mixed=_NL, down=_NL),
    "IQ1_M": Mix("IQ1_M", "Q2_K", "Q5_K", value="Q2_K", mixed=_NL, down=_NL),
    "IQ1_S": Mix("IQ1_S", "Q2_K", "Q5_K", value="Q2_K", mixed=_NL, down=_NL),
}
_TABLES = {"IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ1_M", "IQ1_S"}
QUICK = [level for level in MIXES if level not in _TABLES]
"""Those before which the engine does not compute for seconds what its blocks can be."""


def make_wide(path: Path, n_layers: int, inner: int, head: int) -> Path:
    """A random Llama with few, long rows, and its importance matrix beside it as `m.dat`."""
    vocabulary = make_vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(n_layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-5)
    add_vocabulary(writer, vocabulary)
    n_tokens = len(vocabulary.tokens)
    shapes = {"token_embd": (n_tokens, WIDTH), "output": (n_tokens, WIDTH)}
    for layer in range(n_layers):
        shapes |= {
            f"blk.{layer}.attn_q": (HEADS * head, WIDTH),
            f"blk.{layer}.attn_k": (head, WIDTH),
            f"blk.{layer}.attn_v": (head, WIDTH),
            f"blk.{layer}.attn_output": (WIDTH, HEADS * head),
            f"blk.{layer}.ffn_gate": (inner, WIDTH),
            f"blk.{layer}.ffn_up": (inner, WIDTH),
            f"blk.{layer}.ffn_down": (WIDTH, inner),
        }
    random = np.random.default_rng(9)
    for name, shape in shapes.items():
        drawn = random.standard_normal(shape) / np.sqrt(shape[1])
        writer.add_tensor(f"{name}.weight", drawn.astype(np.float32))
    for name in ["output_norm"] + [
        f"blk.{layer}.{part}_norm" for layer in range(n_layers) for part in ("attn", "ffn")
    ]:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    matters = {
        f"{name}.weight": [1.0 + column % 7 for column in range(shape[1])]
        for name, shape in shapes.items()
    }
    path.with_name("m.dat").write_bytes(pack_old_matrix(matters))
    return path


def main(wanted: list[str]) -> int:
    """Make all types, or those that are named."""
    with tempfile.TemporaryDirectory() as folder:
        return _make(Path(folder), wanted)


def _make(folder: Path, wanted: list[str]) -> int:
    """Types that start with IQ take the engine seconds for a million values: a flat model is
    for them.
    """
    (folder / "flat").mkdir()
    deep = make_wide(folder / "deep.gguf", LAYERS, WIDTH, 64)
    flat = make_wide(folder / "flat" / "flat.gguf", 1, 32, 16)
    teller = Teller()
    wrong = 0
    for level in wanted or MIXES:
        teller.listen()  # who loads a model hears it instead
        source = flat if level.startswith("IQ") else deep
        matrix = str(source.with_name("m.dat")) if needs_matrix(level) else ""
        target = folder / f"{level}.gguf"
        ended = carry_out(Order(str(source), str(target), level, matrix=matrix), teller)
        problem = ended.failure or _difference(level, target)
        sys.stderr.write(f"{'FAIL' if problem else 'ok  '} {level} {problem}\n")
        wrong += bool(problem)
        target.unlink(missing_ok=True)
    return int(bool(wrong))


def _difference(level: str, target: Path) -> str:
    """How the file is not as the mix says, "" where it is."""
    check_model(target)
    mix, types = MIXES[level], {t.name: t.type_name for t in read_header(target).tensors}
    expected = {"token_embd.weight": mix.embedding or mix.most, "output.weight": mix.output}
    for layer in range(LAYERS):
        expected |= {f"blk.{layer}.{name}.weight": kind for name, kind in mix.types(layer).items()}
    for name, kind in types.items():
        if kind != expected.get(name, "F32"):
            return f"{name} is {kind}, not {expected.get(name, 'F32')}"
    found = describe(target).quantization
    return "" if found == level else f"the file is {found}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
