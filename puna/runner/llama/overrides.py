"""What the engine is told in place of what a model's file says."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from puna.runner.llama.library import lib

__all__ = ["SPLITTERS", "set_overrides"]

_SPLITTER, _ADD_BOS = "tokenizer.ggml.pre", "tokenizer.ggml.add_bos_token"

SPLITTERS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("gpt-4o", "llama4", "tekken"), "granite-embed-multi-97m")
)
"""Splitters of text by the name in a file, and those that split as its maker does: by its own rule
for these the engine ends words at marks, so that Hindi, Thai and Arabic fall into more and other
tokens than the model was trained with. Tekken has no tokens of several digits, nor of letters and
what follows an apostrophe, so it does not matter that these are not split here. Compared in
`make test-convert PART=tokens`.
"""


def set_overrides(params: Any, metadata: Mapping[str, object]) -> None:
    """Put into the parameters of a load what a file with this metadata is to mean."""
    name = metadata.get(_SPLITTER)
    better = SPLITTERS.get(name) if isinstance(name, str) else None
    if better is None:
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
