"""Modelfiles and names as people write them, or nearly."""

from __future__ import annotations

from pathlib import Path

from puna.errors import (
    InvalidDigest,
)
from puna.models.create_plan import make_create_plan
from puna.models.digest import Digest
from puna.models.generated import modelfile_text
from puna.models.image_config import parse_image_config
from puna.models.layers import Model
from puna.models.library import Stored
from puna.models.manifest import Manifest
from puna.models.modelfile import parse_modelfile
from puna.models.name import Name, split_source
from tests.fuzz.store import HEX

MODELFILE = '''# a comment
FROM llama3.2:latest
ADAPTER ./lora.gguf
DRAFT draft.gguf
PARAMETER temperature 0.7
PARAMETER stop "<|end|>"
PARAMETER num_ctx 4096
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM You are kind.
MESSAGE user "hello"
MESSAGE assistant hi
LICENSE """
MIT
"""
REQUIRES 0.14.0
RENDERER r
PARSER p
'''
COMMANDS = ("FROM ", "PARAMETER ", "MESSAGE user ", 'SYSTEM """', "TEMPLATE ", "LICENSE ", "DRAFT ")


def use_modelfile(raw: bytes, folder: Path) -> None:
    """A Modelfile that reads makes a plan; the plan's texts, printed, read back."""
    for name in ("lora.gguf", "draft.gguf"):
        (folder / name).write_bytes(b"GGUF")
    plan = make_create_plan(parse_modelfile(raw), folder)
    printed = modelfile_text(
        Model(
            Stored(Name.parse("m"), Manifest(), "0" * 64, 0, folder),
            parse_image_config(b"{}"),
            params=plan.parameters,
            messages=tuple({"role": role, "content": text} for role, text in plan.messages),
        )
    )
    assert parse_modelfile(printed).commands[0].name == "from"


NAMES = (
    "llama3.2",
    "registry.ollama.ai/library/llama3.2:latest",
    "hf.co/user/Model-GGUF:Q4_K_M",
    "http://localhost:5000/me/model:7b",
    f"sha256:{HEX}",
)


def use_name(raw: bytes, folder: Path) -> None:
    """A name's place is inside the store, and its full form is the same name."""
    text = raw.decode("utf-8", "replace")
    try:
        digest = Digest.parse(text)
    except InvalidDigest:
        pass
    else:
        assert (folder / digest.file_name).parent == folder
    name = Name.parse(split_source(text).base)
    assert Name.parse(name.full) == name
    parts = name.relative_path.parts
    assert len(parts) == 4
    assert not {"..", ".", "", "/"} & set(parts)
    assert (folder / name.relative_path).resolve().is_relative_to(folder.resolve())
