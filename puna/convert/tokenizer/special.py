"""Special tokens, flags and the chat template of a checkpoint, as keys.

Facts: conversion spec, sections 5.5 and 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from puna.convert.config import Config, read_json
from puna.convert.family import Value
from puna.convert.tokenizer.framing import framing_keys
from puna.convert.tokenizer.older import read_older
from puna.convert.tokenizer.tekken import NAME as TEKKEN
from puna.convert.tokenizer.tekken import read_tekken
from puna.convert.tokenizer.tiktoken import maker_of, read_tiktoken
from puna.errors import TokenizerError

__all__ = ["Folder", "special_keys", "template_keys"]

MAX_TEMPLATE = 4 << 20
_NAME = re.compile(r"\w{1,64}", re.ASCII)  # of a template beside the usual one

_KEYS = {
    "bos": "bos_token_id",
    "eos": "eos_token_id",
    "unk": "unknown_token_id",
    "sep": "seperator_token_id",
    "pad": "padding_token_id",
    "cls": "cls_token_id",
    "mask": "mask_token_id",
}
_MIDDLE = {
    "fim_pre_token_id": ("<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<PRE>"),
    "fim_suf_token_id": ("<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<SUF>"),
    "fim_mid_token_id": ("<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<MID>"),
    "fim_pad_token_id": ("<|fim_pad|>", "<fim_pad>", "<fim-pad>"),
    "fim_rep_token_id": ("<|repo_name|>", "<|fim_repo|>", "<reponame>", "<repo_name>"),
    "fim_sep_token_id": ("<|file_sep|>", "<file_sep>"),
}


@dataclass(frozen=True, slots=True)
class Folder:
    """The JSON files beside the weights that say something about tokens; empty where
    there is none.
    """

    path: Path
    config: Config
    tokenizer: Mapping[str, Any]
    settings: Mapping[str, Any]
    generation: Mapping[str, Any]
    special: Mapping[str, Any]
    added: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, config: Config) -> Folder:
        """Read them. Raises BadCheckpoint, TokenizerError."""

        def optional(name: str) -> dict[str, Any]:
            return read_json(path / name) if (path / name).is_file() else {}

        tokenizer, settings = optional("tokenizer.json"), optional("tokenizer_config.json")
        if not tokenizer and (path / TEKKEN).is_file():
            tokenizer = read_tekken(path / TEKKEN)
            settings = {"bos_token": "<s>", "eos_token": "</s>", **settings}
        if not tokenizer and (maker := maker_of(path, settings)):
            tokenizer = read_tiktoken(path, maker, _decoder(settings))
        tokenizer = tokenizer or read_older(path, settings, str(config.get("model_type")))
        return cls(
            path,
            config,
            tokenizer,
            settings,
            optional("generation_config.json"),
            optional("special_tokens_map.json"),
            optional("added_tokens.json"),
        )

    def added_tokens(self) -> list[Mapping[str, Any]]:
        """Tokens that stand outside the model, each with its `id` and `content`, as far as a file
        gives them; those of tokenizer.json are the last.
        """
        found = _decoder(self.settings)
        listed = self.tokenizer.get("added_tokens")
        found += [e for e in (listed if isinstance(listed, list) else ()) if isinstance(e, dict)]
        return found


def _decoder(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tokens that tokenizer_config.json lists by their numbers."""
    decoder = settings.get("added_tokens_decoder")
    return [
        {**entry, "id": int(number)}
        for number, entry in (decoder.items() if isinstance(decoder, dict) else ())
        if isinstance(entry, dict) and len(number) < 10 and number.isdecimal()
    ]


def special_keys(
    folder: Folder, tokens: Sequence[str], model: str, given: Mapping[str, Value]
) -> dict[str, Value]:
    """Ids of special tokens, whether they are put before and after a text, and what ends an
    answer. `model` is the engine's name for the kind, `given` are the keys that the vocabulary
    itself has.
    """
    ids: dict[str, int] = {}
    for number, text in enumerate(tokens):
        ids.setdefault(text, number)
    keys: dict[str, Value] = dict(given)
    for name, key in _KEYS.items():
        special = _id(folder, name, ids)
        if special is not None and 0 <= special < len(tokens):
            keys[f"tokenizer.ggml.{key}"] = special
    keys |= _ends(folder, keys, len(tokens))
    keys |= framing_keys(folder.tokenizer, folder.settings, keys, ids, model)
    keys |= _strips(folder, ids)
    for key, texts in _MIDDLE.items():
        for text in texts:
            if text in ids:
                keys[f"tokenizer.ggml.{key}"] = ids[text]
                break
    return keys


def _id(folder: Folder, name: str, ids: Mapping[str, int]) -> int | None:
    for source in (folder.settings, folder.special):
        text = _text(source.get(f"{name}_token"))
        if text in ids:
            return ids[text]
    for number in (
        folder.config.get(f"{name}_token_id"),
        folder.generation.get(f"{name}_token_id"),
    ):
        first = number[0] if isinstance(number, list) and number else number
        if type(first) is int:
            return first
    return None


def _text(token: Any) -> str:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else ""


def _ends(folder: Folder, keys: Mapping[str, Value], n_tokens: int) -> dict[str, Value]:
    """Several tokens may end an answer: the engine has three keys for them, others
    read the list.
    """
    listed = folder.generation.get("eos_token_id", folder.config.get("eos_token_id"))
    if not isinstance(listed, list):
        listed = [listed]
    first = keys.get("tokenizer.ggml.eos_token_id")
    ends = [first] if isinstance(first, int) else []
    ends += [n for n in listed if type(n) is int and 0 <= n < n_tokens and n not in ends]
    if len(ends) < 2:
        return {}
    names = ("eot_token_id", "eom_token_id")
    more = {f"tokenizer.ggml.{key}": n for key, n in zip(names, ends[1:], strict=False)}
    return {"tokenizer.ggml.eos_token_ids": ends, **more}


def _strips(folder: Folder, ids: Mapping[str, int]) -> dict[str, Value]:
    """Phi-3's tags take the blanks after them along. The engine has that for models that are called
    so alone, and wants these tokens.
    """
    plain = ("<unk>", "<s>", "<|endoftext|>")
    tags = [entry for entry in folder.added_tokens() if entry.get("content") not in plain]
    has_all = all(text in ids for text in (*plain, "</s>"))
    if has_all and tags and all(entry.get("rstrip") for entry in tags):
        return {"general.name": "Phi-3"}
    return {}


def template_keys(folder: Folder) -> dict[str, Value]:
    """The chat template, and those with names beside it."""
    file = folder.path / "chat_template.jinja"
    if file.is_file():
        return {"tokenizer.chat_template": _read_template(file)}
    template = folder.settings.get("chat_template")
    if template is None and (folder.path / "chat_template.json").is_file():
        template = read_json(folder.path / "chat_template.json").get("chat_template")
    if isinstance(template, str):
        return {"tokenizer.chat_template": template}
    keys: dict[str, Value] = {}
    names: list[str] = []
    for entry in template if isinstance(template, list) else ():
        name, text = (
            (entry.get("name"), entry.get("template")) if isinstance(entry, dict) else 2 * (None,)
        )
        if not isinstance(name, str) or not isinstance(text, str):
            raise TokenizerError("tokenizer_config.json: a chat template has no name or no text")
        if name == "default":
            keys["tokenizer.chat_template"] = text
        elif _NAME.fullmatch(name) and name not in names:
            names.append(name)
            keys[f"tokenizer.chat_template.{name}"] = text
    if names:
        keys["tokenizer.chat_templates"] = names
    return keys


def _read_template(file: Path) -> str:
    if file.stat().st_size > MAX_TEMPLATE:
        raise TokenizerError(f"{file.name}: is over the limit of {MAX_TEMPLATE} bytes")
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as cause:
        raise TokenizerError(f"{file.name}: is not UTF-8") from cause
