"""What becomes of a folder's tokenizer: keys of the file, and the engine's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp

from puna.convert.config import Config
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.convert.write import open_file

LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def keys_of(folder: Path, n_rows: int = 0, **config: Any) -> dict[str, Any]:
    return dict(tokenizer_keys(Folder.read(folder, Config(config)), n_rows))


def tokens_of(folder: Path, text: str, *, framed: bool = False) -> list[int]:
    """What the engine makes of a text with the tokenizer of this folder."""
    file = folder / "vocabulary.gguf"
    open_file(file, {"general.architecture": "llama", **keys_of(folder)}, [])
    engine = llama_cpp.Llama(str(file), vocab_only=True, verbose=False)
    return list(engine.tokenize(text.encode(), add_bos=framed, special=True))
