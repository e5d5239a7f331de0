"""What the engine is told in place of what a model's file says."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from puna.gguf.values import ArrayInfo
from puna.runner.llama.library import lib

__all__ = ["SPLITTERS", "set_overrides", "splitter_of"]

_SPLITTER, _ADD_BOS = "tokenizer.ggml.pre", "tokenizer.ggml.add_bos_token"
_KIND, _TOKENS = "tokenizer.ggml.model", "tokenizer.ggml.tokens"
_ANY = range(1 << 31)  # how many tokens

SPLITTERS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("gpt-4o", "llama4", "tekken", "kimi-k2"), "granite-embed-multi-97m")
)
"""Splitters of text by the name in a file, and those that split as its maker does: by its own rule
for these the engine ends words at marks, so that Hindi, Thai and Arabic fall into more and other
tokens than the model was trained with. Tekken has no tokens of several digits, nor of letters and
what follows an apostrophe, so it does not matter that these are not split here, nor Kimi's of Han
characters beside other letters. Compared in `make test-convert PART=tokens`.
"""


_UNSAID = frozenset({None, "", "default"})

_ASSUMED: Mapping[str, tuple[tuple[range, str], ...]] = MappingProxyType(
    {
        "command-r": ((_ANY, "command-r"),),
        "dbrx": ((_ANY, "dbrx"),),
        "deepseek": ((_ANY, "deepseek-llm"),),
        "deepseek2": ((range(102_401), "deepseek-llm"), (_ANY, "deepseek-v3")),
        "falcon": ((_ANY, "falcon"),),
        "gpt2": ((_ANY, "gpt-2"),),
        "gptneox": ((_ANY, "gpt-2"),),
        "llama": (
            (range(32_022, 32_257), "deepseek-coder"),
            (range(102_400, 102_401), "deepseek-llm"),
            (range(128_256, 128_513), "llama-bpe"),
        ),
        "mpt": ((_ANY, "mpt"),),
        "olmo": ((_ANY, "olmo"),),
        "phi2": ((_ANY, "phi-2"),),
        "qwen": ((_ANY, "qwen2"),),
        "qwen2": ((_ANY, "qwen2"),),
        "qwen2moe": ((_ANY, "qwen2"),),
        "stablelm": ((range(60_000), "gpt-2"), (_ANY, "stablelm2")),
        "starcoder": ((_ANY, "starcoder"),),
        "starcoder2": ((_ANY, "starcoder"),),
    }
)
"""How texts are cut for vocabularies of byte pairs whose file is older than the key that says it:
by the architecture, and how many tokens there are.
"""


def splitter_of(metadata: Mapping[str, object]) -> str | None:
    """The name of the rule by which texts are cut; None where the file does not say it and it is
    not known.
    """
    said = metadata.get(_SPLITTER)
    if said not in _UNSAID:
        return said if isinstance(said, str) else None
    tokens = metadata.get(_TOKENS)
    if metadata.get(_KIND) != "gpt2" or not isinstance(tokens, ArrayInfo | tuple):
        return None
    count = tokens.count if isinstance(tokens, ArrayInfo) else len(tokens)
    rules = _ASSUMED.get(str(metadata.get("general.architecture")), ())
    return next((name for counts, name in rules if count in counts), None)


def set_overrides(params: Any, metadata: Mapping[str, object]) -> None:
    """Put into the parameters of a load what a file with this metadata is to mean."""
    name = splitter_of(metadata)
    better = SPLITTERS.get(name, name) if name else None
    if better is None or better == metadata.get(_SPLITTER):
        return
    records = (lib.llama_model_kv_override * 3)()  # one without a key is the end
    records[0].tag = lib.LLAMA_KV_OVERRIDE_TYPE_STR
    records[0].key = _SPLITTER.encode()
    records[0].value.val_str = better.encode()
    if name == "tekken" and _ADD_BOS not in metadata:  # what the engine takes from the name alone
        records[1].tag = lib.LLAMA_KV_OVERRIDE_TYPE_BOOL
        records[1].key = _ADD_BOS.encode()
        records[1].value.val_bool = True
    params.kv_overrides = ctypes.cast(records, type(params.kv_overrides))
    params.kept_overrides = records  # ctypes keeps no reference to what pointers point to
