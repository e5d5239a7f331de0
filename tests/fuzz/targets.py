"""What reads inputs from strangers, and what must hold of whatever comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from puna.errors import (
    BadCheckpoint,
    BadManifest,
    BadModelFile,
    BadRequest,
    ConvertError,
    InvalidName,
    PunaError,
    QuantError,
    RegistryError,
    TemplateError,
)
from puna.models.registry.hub_files import choose, parse_files
from tests.fuzz.checkpoints import make_safetensors, use_safetensors
from tests.fuzz.documents import make_documents, use_documents
from tests.fuzz.headers import make_gguf, make_parts, use_gguf, use_parts
from tests.fuzz.matrices import make_matrix, use_matrix
from tests.fuzz.mutate import broken_json, broken_text
from tests.fuzz.store import (
    CONFIG,
    MANIFEST,
    MESSAGES,
    PARAMS,
    make_store,
    use_config,
    use_manifest,
    use_messages,
    use_params,
    use_store,
)
from tests.fuzz.templates import make_template, use_template
from tests.fuzz.texts import COMMANDS, MODELFILE, NAMES, use_modelfile, use_name

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """`make` an input; `use` it in an empty folder, which may raise the `errors` and no other."""

    make: Callable[[Random], bytes]
    use: Callable[[bytes, Path], object]
    errors: tuple[type[Exception], ...]


HUB_LIST: list[dict[str, Any]] = [
    {"type": "directory", "oid": "0" * 40, "size": 0, "path": "Q8_0"},
    {"type": "file", "oid": "0" * 40, "size": 7, "path": "template"},
    *(
        {
            "type": "file",
            "oid": "1" * 40,
            "size": 10**9,
            "path": path,
            "lfs": {"oid": "2" * 64, "size": 10**9, "pointerSize": 130},
        }
        for path in (
            "m-Q4_K_M.gguf",
            "mmproj-F16.gguf",
            "Q8_0/m-Q8_0-00001-of-00002.gguf",
            "Q8_0/m-Q8_0-00002-of-00002.gguf",
        )
    ),
]


def use_hub_list(raw: bytes, folder: Path) -> None:
    """Whatever is chosen of a list is on it."""
    files = parse_files(raw)
    for tag in ("latest", "Q8_0", "m-Q4_K_M.gguf"):
        choice = choose(files, tag)
        assert set(choice.weights) <= set(files)


TARGETS = {
    "GGUF header": Target(make_gguf, use_gguf, (BadModelFile,)),
    "GGUF parts": Target(make_parts, use_parts, (BadModelFile,)),
    "importance matrix": Target(make_matrix, use_matrix, (QuantError,)),
    "safetensors header": Target(make_safetensors, use_safetensors, (BadCheckpoint,)),
    "checkpoint's documents": Target(make_documents, use_documents, (ConvertError,)),
    "list of the Hub": Target(
        lambda c: broken_json(c, HUB_LIST), use_hub_list, (RegistryError, BadModelFile)
    ),
    "manifest": Target(lambda c: broken_json(c, MANIFEST), use_manifest, (BadManifest,)),
    "config": Target(lambda c: broken_json(c, CONFIG), use_config, (BadManifest,)),
    "params": Target(lambda c: broken_json(c, PARAMS), use_params, (BadManifest,)),
    "messages": Target(lambda c: broken_json(c, MESSAGES), use_messages, (BadManifest,)),
    "store": Target(make_store, use_store, (PunaError,)),
    "Modelfile": Target(
        lambda c: broken_text(c, MODELFILE, COMMANDS), use_modelfile, (BadRequest,)
    ),
    "template": Target(make_template, use_template, (TemplateError,)),
    "name": Target(lambda c: broken_text(c, c.choice(NAMES)), use_name, (InvalidName,)),
}
