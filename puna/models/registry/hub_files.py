"""Which files of a repository on the Hugging Face Hub make the model that a name's tag asks for.

Facts: models spec, section 11. Pure: what lists and fetches them is `hub.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from puna.errors import InvalidDigest, RegistryError, quoted
from puna.gguf.split import parse_part_name
from puna.models.digest import Digest

__all__ = ["Choice", "HubFile", "Variant", "choose", "find_variants", "parse_files"]

PREFERRED = (
    *("q4_k_m", "q4_k_xl", "q4_k_l", "q4_k_s", "q4_k", "q4_0", "q4_1", "iq4_xs", "iq4_nl"),
    *("mxfp4_moe", "mxfp4", "nvfp4", "q5_k_m", "q5_k_s", "q5_k", "q5_0", "q5_1"),
    *("q6_k", "q6_k_l", "q8_0", "q8_k", "q3_k_l", "q3_k_m", "q3_k_s", "iq3_m"),
    *("bf16", "f16", "fp16", "f32", "fp32"),
)
"""What is taken where the tag does not say: the reference's first, then what comes near it."""

PROJECTORS = ("f16", "bf16", "f32", "q8_0")
LATEST = "latest"
MAX_NAMED = 40

_QUANT = re.compile(
    r"(?:^|[-._])((?:ud-)?(?:i?q\d\w*|tq\d_\d|bf16|f16|fp16|f32|fp32|mxfp4\w*|nvfp4))(?=$|[-.])"
)
_GIT_ID = re.compile("[0-9a-f]{40}")
_OTHERS = re.compile(r"(?:^|[-._])(?:mmproj|imatrix)(?:$|[-._])")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository. Large ones have a digest, others a number of git's (or "")."""

    path: str
    size: int
    digest: Digest | None = None
    git_id: str = ""

    @property
    def name(self) -> str:
        """The path's last part."""
        return PurePosixPath(self.path).name

    @property
    def folder(self) -> str:
        """The path without its last part."""
        return str(PurePosixPath(self.path).parent)


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of the model: its file, or its parts in order, and how it is quantised ("" where
    its name does not say).
    """

    files: tuple[HubFile, ...]
    quantization: str

    @property
    def stem(self) -> str:
        """The file's name without number and ending."""
        return _stem(self.files[0].name)

    @property
    def label(self) -> str:
        """By what it may be asked for."""
        return self.quantization.upper() or self.stem


@dataclass(frozen=True, slots=True)
class Choice:
    """The weights' files in order, and the projector that goes with them."""

    weights: tuple[HubFile, ...]
    projector: HubFile | None = None


def parse_files(raw: bytes) -> list[HubFile]:
    """Read a page of the Hub's list of files. Raises RegistryError."""
    try:
        entries = json.loads(raw)
        return [_parse_file(entry) for entry in entries if entry.get("type", "file") == "file"]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as cause:
        raise RegistryError(f"the list of files cannot be read: {cause}") from cause


def _parse_file(entry: Mapping[str, object]) -> HubFile:
    path, size, lfs = entry["path"], entry.get("size", 0), entry.get("lfs")
    if not isinstance(path, str) or not path.isprintable() or type(size) is not int or size < 0:
        raise RegistryError(
            f"the list of files names {str(path)[:100]!r} of {str(size)[:20]} bytes"
        )
    digest, git_id = None, entry.get("oid")
    if isinstance(lfs, Mapping):
        size = lfs.get("size", size)
        digest = _digest(lfs.get("oid") or lfs.get("sha256"))
    if type(size) is not int or size < 0:
        raise RegistryError(f"the list of files gives {path[:100]!r} no size")
    is_git = isinstance(git_id, str) and _GIT_ID.fullmatch(git_id) and lfs is None
    return HubFile(path, size, digest, str(git_id) if is_git else "")


def _digest(text: object) -> Digest | None:
    try:
        return Digest.parse(f"sha256:{text}") if isinstance(text, str) else None
    except InvalidDigest:
        return None


def choose(files: Sequence[HubFile], tag: str) -> Choice:
    """The files for a tag: a quantisation, a file's name, or `latest`.

    Raises RegistryError where there are none, or not all parts, naming what there is.
    """
    variants = find_variants(files)
    if not variants:
        hint = "; its safetensors files cannot be used" if _has_safetensors(files) else ""
        raise RegistryError(f"the repository has no GGUF files{hint}")
    variant = _latest(variants) if tag.lower() == LATEST else _tagged(variants, tag.lower())
    if variant is None:
        labels = sorted({each.label for each in variants})
        more = f" and {len(labels) - MAX_NAMED} more" if len(labels) > MAX_NAMED else ""
        raise RegistryError(
            f"the repository has no {quoted(tag)}: there are {', '.join(labels[:MAX_NAMED])}{more}"
        )
    _check_parts(variant)
    return Choice(variant.files, _projector(files, variant.files[0]))


def find_variants(files: Iterable[HubFile]) -> list[Variant]:
    """The models among the files, those near the top first; files in parts are one."""
    groups: dict[tuple[str, int], list[HubFile]] = {}
    for file in files:
        if _is_model(file):
            part = parse_part_name(file.path)
            key = (part.prefix, part.count) if part else (file.path, 0)
            groups.setdefault(key, []).append(file)
    variants = [
        Variant(tuple(sorted(group, key=lambda file: file.path)), _quantization(group[0]))
        for group in groups.values()
    ]
    return sorted(variants, key=_rank)


def _rank(variant: Variant) -> tuple[int, int, str]:
    path = variant.files[0].path
    return path.count("/"), len(path), path


def _is_model(file: HubFile) -> bool:
    is_gguf = file.path.lower().endswith(".gguf")
    return is_gguf and file.size > 0 and not _OTHERS.search(_stem(file.name).lower())


def _stem(name: str) -> str:
    part = parse_part_name(name)
    return part.prefix if part else re.sub(r"(?i)\.gguf$", "", name)


def _quantization(file: HubFile) -> str:
    """The last thing in the file's name, or else in its folders', that says how it is quantised."""
    for text in (_stem(file.name), *reversed(PurePosixPath(file.folder).parts)):
        found = _QUANT.findall(text.lower())
        if found:
            return str(found[-1])
    return ""


def _latest(variants: Sequence[Variant]) -> Variant:
    for wanted in PREFERRED:
        for prefix in ("", "ud-"):
            for variant in variants:
                if variant.quantization == prefix + wanted:
                    return variant
    return variants[0]


def _tagged(variants: Sequence[Variant], tag: str) -> Variant | None:
    """The first that fits best: a file's name, the quantisation, the same of another making."""
    part = re.compile(rf"(?:^|[-._]){re.escape(tag)}(?=$|[-.])")
    tests = (
        lambda each: any(tag in {file.name.lower(), _bare(file)} for file in each.files),
        lambda each: each.stem.lower() == tag,
        lambda each: each.quantization == tag,
        lambda each: each.quantization.removeprefix("ud-") == tag.removeprefix("ud-"),
        lambda each: bool(part.search(each.stem.lower())),
    )
    return next((each for fits in tests for each in variants if fits(each)), None)


def _bare(file: HubFile) -> str:
    return file.name.lower().removesuffix(".gguf")


def _check_parts(variant: Variant) -> None:
    part = parse_part_name(variant.files[0].path)
    if part is None:
        return
    there = {file.path for file in variant.files}
    for path in part.siblings:
        if path not in there:
            raise RegistryError(f"the repository lacks a part of the model: {path}")


def _projector(files: Sequence[HubFile], weights: HubFile) -> HubFile | None:
    """The projector beside the weights, else one in a folder above."""
    found = [
        file
        for file in files
        if file.path.lower().endswith(".gguf") and "mmproj" in file.name.lower()
    ]
    for folder in (PurePosixPath(weights.folder), *PurePosixPath(weights.folder).parents):
        near = [file for file in found if PurePosixPath(file.folder) == folder]
        if near:
            return min(near, key=_projector_rank)
    return None


def _projector_rank(file: HubFile) -> tuple[int, str]:
    kind = _quantization(file)
    return PROJECTORS.index(kind) if kind in PROJECTORS else len(PROJECTORS), file.path


def _has_safetensors(files: Sequence[HubFile]) -> bool:
    return any(file.path.endswith(".safetensors") for file in files)
