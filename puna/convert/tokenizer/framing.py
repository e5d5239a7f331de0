"""What a tokenizer puts before a text and after it, as keys: the post-processor's template, and
what the settings say.

The engine can put one token before and one after. Where a file is silent it takes tokens of other
models' numbers, so everything is said here. Facts: conversion spec, section 5.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from puna.convert.family import Value

__all__ = ["framing_keys"]

_BOS, _EOS, _EOT = (f"tokenizer.ggml.{name}_token_id" for name in ("bos", "eos", "eot"))
_CLS, _SEP = "tokenizer.ggml.cls_token_id", "tokenizer.ggml.seperator_token_id"


def framing_keys(
    tokenizer: Mapping[str, Any],
    settings: Mapping[str, Any],
    known: Mapping[str, Value],
    ids: Mapping[str, int],
    model: str,
) -> dict[str, Value]:
    """Whether a text gets a first and a last token, and which they are.

    `tokenizer` and `settings` are tokenizer.json and tokenizer_config.json, `known` the keys so
    far, `ids` the tokens' numbers by their texts, `model` the engine's name for the kind.
    """
    before, after = _around(tokenizer.get("post_processor"))
    if model == "bert":  # the engine always puts both
        first = _only(before, ids, known.get(_BOS, known.get(_CLS)))
        last = _only(after, ids, known.get(_SEP))
        pairs = {_BOS: first, _SEP: last}
        return {key: number for key, number in pairs.items() if number is not None}
    keys: dict[str, Value] = {}
    for name, key, texts in (("bos", _BOS, before), ("eos", _EOS, after)):
        said = settings.get(f"add_{name}_token")
        if isinstance(said, bool):
            adds: bool | None = said
        elif texts is not None:
            adds = len(texts) == 1
        else:
            # the engine adds a first token by the splitter's name, whatever the tokenizer has
            adds = False if (model, name) == ("gpt2", "bos") else None
        if adds is None:
            continue
        token = _only(texts, ids, known.get(key)) if adds else None
        keys[f"tokenizer.ggml.add_{name}_token"] = token is not None
        if token is not None and token != known.get(key):
            keys[key] = token
            if key == _EOS and _EOS in known:  # it still ends an answer
                keys[_EOT] = known.get(_EOT, known[_EOS])
    return keys


def _only(texts: list[str] | None, ids: Mapping[str, int], otherwise: Value | None) -> Value | None:
    """The number of the one token that stands there, if there is one."""
    return ids.get(texts[0], otherwise) if texts and len(texts) == 1 else otherwise


def _around(step: Any) -> tuple[list[str] | None, list[str] | None]:
    """The special tokens that the post-processor puts before a text, and after; None where it says
    nothing.
    """
    if not isinstance(step, dict):
        return None, None
    match step.get("type"):
        case "Sequence":
            found = [_around(inner) for inner in _list(step.get("processors"))]
            return (
                next((before for before, _ in found if before is not None), None),
                next((after for _, after in found if after is not None), None),
            )
        case "TemplateProcessing":
            return _template(_list(step.get("single")))
        case "RobertaProcessing" | "BertProcessing":
            return [_text(step.get("cls"))], [_text(step.get("sep"))]
    return None, None


def _template(single: list[Any]) -> tuple[list[str] | None, list[str] | None]:
    before: list[str] = []
    after: list[str] = []
    side, has_text = before, False
    for part in single:
        if isinstance(part, dict) and isinstance(part.get("SpecialToken"), dict):
            side.append(str(part["SpecialToken"].get("id")))
        else:
            side, has_text = after, True
    return (before, after) if has_text else (None, None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(pair: Any) -> str:
    """Of a token and its number."""
    return pair[0] if isinstance(pair, list) and pair and isinstance(pair[0], str) else ""
