"""Which files need a translation, and the translation of each. A family is a module beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from puna.errors import BadModelFile, quoted
from puna.gguf.describe import ENCODER, describe_header
from puna.gguf.reader import Header, find_header
from puna.gguf.split import place_of
from puna.gguf.translation import (
    deepseekocr,
    gemma3,
    gemma4,
    glmocr,
    gptoss,
    lfm2,
    llama4,
    mistral3,
    mllama,
    nemotron,
    qwen3vl,
    qwen25vl,
    texts,
)
from puna.gguf.translation.clip import with_kind
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.translation.target import Target

__all__ = [
    "ARCHITECTURES",
    "VERSION",
    "Translation",
    "read_eye",
    "read_translation",
    "translation_of",
]

VERSION = 1
"""To be raised where the same file becomes another text model."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What the engine gets in place of a file: the text model, and the encoder where it is inside.

    `why_blind` says what is wrong with an encoder that is there and cannot be used. A model that
    `is_blind` does not see with any projector.
    """

    text: Target
    eye: Target | None = None
    why_blind: str = ""
    is_blind: bool = False

    def encoder(self) -> Target:
        """The encoder inside the file. Raises BadModelFile where there is none to be used."""
        if self.eye is None:
            raise BadModelFile(self.why_blind or "the file has no encoder of images")
        return self.eye


@dataclass(frozen=True, slots=True)
class _Family:
    """`is_foreign` says whether a file of the architecture needs anything."""

    is_foreign: Callable[[Source], bool]
    text: Callable[[Source], Draft]
    eye: Callable[[Source], Draft] | None = None
    is_blind: bool = False


def _holds_encoder(source: Source) -> bool:
    return source.has(*ENCODER)


def _without_encoder(source: Source) -> Draft:
    draft = Draft(source)
    draft.drop(*ENCODER)
    draft.fit_vocabulary()
    return draft


def _always(_: Source) -> bool:
    return True


_VECTORS = _Family(texts.is_embedding_gemma, texts.embedding_gemma)
_QWEN3VL = _Family(qwen3vl.is_foreign, qwen3vl.text, qwen3vl.eye)
_QWEN35 = _Family(qwen3vl.is_foreign_hybrid, qwen3vl.text_of_hybrid, qwen3vl.eye)

_FAMILIES: Mapping[str, tuple[_Family, ...]] = {
    "bert": (_Family(texts.has_letters_for_bytes, texts.xlm_r),),
    "deepseekocr": (_Family(_always, deepseekocr.text, deepseekocr.eye),),
    "gemma3": (_VECTORS, _Family(gemma3.is_foreign, gemma3.text, gemma3.eye)),
    "gemma3n": (_Family(texts.has_old_vocabulary, texts.gemma3n),),
    "gemma4": (_Family(gemma4.is_foreign, gemma4.text, gemma4.eye),),
    "glm4moelite": (_Family(_always, texts.glm4_lite),),
    "glmocr": (_Family(_always, glmocr.text, glmocr.eye),),
    "gptoss": (_Family(_always, gptoss.text),),
    "laguna": (_Family(texts.is_old_laguna, texts.laguna),),
    "lfm2": (_Family(lfm2.is_foreign, lfm2.text, lfm2.eye),),
    "llama": (_Family(texts.has_split_experts, texts.mixtral),),
    "llama4": (_Family(llama4.is_foreign, llama4.text, llama4.eye),),
    "mistral3": (_Family(mistral3.is_foreign, mistral3.text, mistral3.eye),),
    "mllama": (_Family(_always, mllama.text, is_blind=True),),
    "nemotron_h_moe": (_Family(texts.is_old_nemotron, texts.nemotron),),
    "nemotron_h_omni": (_Family(_always, texts.nemotron_omni, nemotron.eye),),
    "olmo3": (_Family(_always, texts.olmo3),),
    "qwen25vl": (_Family(_always, qwen25vl.text, qwen25vl.eye),),
    "qwen35": (_QWEN35,),
    "qwen35moe": (_QWEN35,),
    "qwen3next": (_Family(texts.has_old_dt, texts.qwen3_next),),
    "qwen3vl": (_QWEN3VL,),
    "qwen3vlmoe": (_QWEN3VL,),
}
"""By the architecture's name in the file: the first family of which it is a foreign form counts."""

ARCHITECTURES = tuple(_FAMILIES)
"""Those whose files may have a form of the reference's own."""

_OTHERS = _Family(_holds_encoder, _without_encoder)
"""Whatever text model the engine knows runs without the encoder that it does not."""


def translation_of(header: Header, path: Path) -> Translation | None:
    """How to give a model to the engine, None where it can read the file as it is.

    `path` is the file. Raises BadModelFile when a part of the text model is missing, OSError.
    """
    if describe_header(header).kind != "model":
        return None
    source = Source(header, path)
    families = (*_FAMILIES.get(source.architecture, ()), _OTHERS)
    family = next((each for each in families if each.is_foreign(source)), None)
    if family is None:
        return None
    if not _is_plain(header):
        raise BadModelFile("a file of this form must be whole, and of GGUF version 2 or later")
    text = family.text(source).finish()
    if family.is_blind:
        return Translation(text, why_blind="the engine does not know its encoder", is_blind=True)
    if not _holds_encoder(source):
        return Translation(text)
    if family.eye is None:
        what = quoted(source.architecture)
        return Translation(text, why_blind=f"the encoder inside a file of {what} is not known")
    try:
        return Translation(text, family.eye(source).finish())
    except BadModelFile as fault:
        return Translation(text, why_blind=f"the encoder inside its file cannot be used: {fault}")


def _is_plain(header: Header) -> bool:
    """Whether the file is whole, and of a form whose keys can be copied."""
    return place_of(header) is None and header.version >= 2 and header.byte_order == "little"


def read_translation(path: Path) -> Translation | None:
    """How to give the model in a file to the engine, None where that is to read the file as it is:
    it can, or it is to say itself what is wrong with it.

    Raises BadModelFile when a part of the text model is missing.
    """
    header = find_header(path)
    return translation_of(header, path) if header else None


def read_eye(path: Path) -> Target | None:
    """What to give the engine in place of a projector's file, or of a model's with an encoder
    inside; None where that is the file as it is.

    Raises BadModelFile where the encoder cannot be used.
    """
    header = find_header(path)
    if header is None:
        return None
    translation = translation_of(header, path)
    if translation is not None:
        return translation.encoder()
    mended = with_kind(Source(header, path)) if _is_plain(header) else None
    return mended.finish() if mended else None
