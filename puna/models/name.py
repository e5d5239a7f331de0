"""Model names: their four parts, how they are written and read, and the `:cloud`/`:local` suffixes.

Facts: models spec, section 1. Whether a name is installed is `library.py`'s question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple

from puna.errors import InvalidName, quoted

__all__ = ["Name", "Parts", "Reference", "Source", "is_namespace", "split_name", "split_source"]

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

MISSING = "!MISSING!"  # stands for an empty side of a separator; no table accepts it

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-.:]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,79}")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-.]{0,79}")
_TAG = _MODEL


class Parts(NamedTuple):
    """A name as it was typed: absent parts are empty, nothing is checked yet."""

    scheme: str = ""
    host: str = ""
    namespace: str = ""
    model: str = ""
    tag: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether all four parts are there and fit the table. The scheme does not count."""
        return bool(
            _HOST.fullmatch(self.host)
            and _NAMESPACE.fullmatch(self.namespace)
            and _MODEL.fullmatch(self.model)
            and _TAG.fullmatch(self.tag)
        )

    def __str__(self) -> str:
        """The parts that are there, each with its separator; never the scheme."""
        host = f"{self.host}/" if self.host else ""
        namespace = f"{self.namespace}/" if self.namespace else ""
        tag = f":{self.tag}" if self.tag else ""
        return f"{host}{namespace}{self.model}{tag}"


def split_name(text: str) -> Parts:
    """Take a written name apart, without defaults. Never fails: see `Parts.is_valid`."""
    tag = ""
    if text.rfind(":") > text.rfind("/"):
        text, tag = _cut(text, ":")
    if "/" not in text:
        return Parts(model=text, tag=tag)
    text, model = _cut(text, "/")
    if "/" not in text:
        return Parts(namespace=text, model=model, tag=tag)
    text, namespace = _cut(text, "/")
    scheme, separator, host = text.partition("://")
    if not separator:
        scheme, host = "", text
    return Parts(scheme, host, namespace, model, tag)


def _cut(text: str, separator: str) -> tuple[str, str]:
    """Both sides of the last separator; an empty side becomes MISSING."""
    left, _, right = text.rpartition(separator)
    return left or MISSING, right or MISSING


def is_namespace(text: str) -> bool:
    """Whether `text` may stand as a namespace."""
    return _NAMESPACE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A complete, valid model name. Making one of parts that do not fit raises InvalidName."""

    host: str
    namespace: str
    model: str
    tag: str

    def __post_init__(self) -> None:
        if not Parts("", *self.parts).is_valid:
            raise InvalidName

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read a written name and fill in what was left out. Raises InvalidName."""
        parts = split_name(text)
        return cls(
            parts.host or DEFAULT_HOST,
            parts.namespace or DEFAULT_NAMESPACE,
            parts.model,
            parts.tag or DEFAULT_TAG,
        )

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Host, namespace, model and tag."""
        return self.host, self.namespace, self.model, self.tag

    @property
    def folded(self) -> tuple[str, ...]:
        """What two names that differ only in case have in common."""
        return tuple(part.lower() for part in self.parts)

    @property
    def full(self) -> str:
        """`host/namespace/model:tag`."""
        return f"{self.host}/{self.repository}:{self.tag}"

    def __str__(self) -> str:
        return self.full

    @property
    def short(self) -> str:
        """What people see: default host and namespace left out, the tag always there."""
        if self.host.lower() != DEFAULT_HOST:
            return self.full
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.repository}:{self.tag}"
        return f"{self.model}:{self.tag}"

    @property
    def repository(self) -> str:
        """`namespace/model`, as registries call it."""
        return f"{self.namespace}/{self.model}"

    @property
    def relative_path(self) -> PurePosixPath:
        """Where the manifest lies under `manifests/`. No part can be `.` or `..`."""
        return PurePosixPath(*self.parts)


class Source(Enum):
    """Where a reference asks its model to be looked for."""

    UNSPECIFIED = ""
    LOCAL = "local"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True)
class Reference:
    """A model reference without its source suffix: `qwen3:cloud` is base `qwen3`, source CLOUD."""

    base: str
    source: Source

    @property
    def storable(self) -> str:
        """The text under which pull and delete know it: a cloud source becomes part of the tag."""
        if self.source is not Source.CLOUD:
            return self.base
        has_tag = self.base.rfind(":") > self.base.rfind("/")
        return f"{self.base}-cloud" if has_tag else f"{self.base}:cloud"


def split_source(text: str) -> Reference:
    """Take a `:cloud`, `:local` or `-cloud` suffix off a model reference.

    Raises InvalidName when nothing is left or when two suffixes are given. The base is not checked.
    """
    text = text.strip()
    if not text:
        raise InvalidName("model is required")
    reference = _take_suffix(text)
    if reference.base != text and _take_suffix(reference.base).source is not Source.UNSPECIFIED:
        raise InvalidName(f"use either :local or :cloud, not both: {quoted(text)}")
    if not reference.base:
        raise InvalidName("model is required")
    return reference


def _take_suffix(text: str) -> Reference:
    base, colon, suffix = text.rpartition(":")
    word = suffix.strip().lower()
    if colon and word in {"cloud", "local"}:
        return Reference(base, Source(word))
    if colon and word.endswith("-cloud") and "/" not in word:
        return Reference(f"{base}:{suffix.strip()[: -len('-cloud')]}", Source.CLOUD)
    return Reference(text, Source.UNSPECIFIED)
