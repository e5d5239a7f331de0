"""What a Modelfile asks for: its commands as the parts of a create request, with local files found.

Facts: models spec, section 20.4. Files are named here, hashed and sent by the command line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import ModelfileError
from puna.gojson import Json
from puna.models.checkpoint_files import adapter_files, model_files
from puna.models.local_files import expand, files_at
from puna.models.modelfile import Command, Modelfile
from puna.models.parameters import parameter_values

__all__ = ["CreatePlan", "make_create_plan"]

_NUMBER = r"(?:0|[1-9][0-9]*)"
_SEMVER = re.compile(
    rf"v?{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)?)?"
)
_PATHS = ("./", "../", "/", "~/")
"""With which no model's name begins."""

OTHERS = frozenset(
    [
        "from",
        "adapter",
        "draft",
        "template",
        "system",
        "renderer",
        "parser",
        "license",
        "message",
        "requires",
    ]
)


@dataclass(frozen=True, slots=True)
class CreatePlan:
    """The parts of a create request. Absent texts are ""; messages are (role, content)."""

    from_: str = ""
    files: tuple[Path, ...] = ()
    adapters: tuple[Path, ...] = ()
    drafts: tuple[Path, ...] = ()
    template: str = ""
    system: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    licenses: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    parameters: Mapping[str, Json] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def make_create_plan(modelfile: Modelfile, base: Path) -> CreatePlan:
    """Work out what to create; relative paths start at `base`, the Modelfile's folder.

    Reads the disk to tell files from model names. Raises ModelfileError, InvalidOption.
    """
    commands = modelfile.commands
    pairs = [(command.name, command.args) for command in commands if command.name not in OTHERS]
    parameters, warnings = parameter_values(pairs)
    from_, files = _sources(commands, base)
    drafts = _drafts(commands, base)
    _refuse_shared(drafts, files)
    return CreatePlan(
        from_=from_,
        files=files,
        adapters=_existing(_all(commands, "adapter")[-1:], base, adapter_files),
        drafts=drafts,
        template=_last(commands, "template"),
        system=_last(commands, "system"),
        renderer=_last(commands, "renderer"),
        parser=_last(commands, "parser"),
        requires=_requires(_last(commands, "requires")),
        licenses=tuple(_all(commands, "license")),
        messages=tuple(_message(text) for text in _all(commands, "message")),
        parameters=parameters,
        warnings=(*warnings, *_passed_over(commands)),
    )


def _all(commands: tuple[Command, ...], name: str) -> list[str]:
    return [command.args for command in commands if command.name == name]


def _last(commands: tuple[Command, ...], name: str) -> str:
    found = _all(commands, name)
    return found[-1] if found else ""


def _sources(commands: tuple[Command, ...], base: Path) -> tuple[str, tuple[Path, ...]]:
    """The model to start from, and the files: whatever exists as a path is not a model's name."""
    from_ = ""
    files: list[Path] = []
    for text in _all(commands, "from"):
        try:
            files += files_at(expand(text, base))
        except FileNotFoundError as cause:
            if text.startswith(_PATHS):
                raise ModelfileError(f"{expand(text, base)}: no such file or directory") from cause
            from_ = text
    return from_, tuple(dict.fromkeys(files))


def _passed_over(commands: tuple[Command, ...]) -> tuple[str, ...]:
    """A word on adapters that are named and not used."""
    others = _all(commands, "adapter")[:-1]
    if not others:
        return ()
    return (
        f"warning: ADAPTER {', '.join(others)} is not used, only the last one is: make a model "
        "with it first, and start FROM that",
    )


def _drafts(commands: tuple[Command, ...], base: Path) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(_existing(_all(commands, "draft"), base)))


def _existing(
    texts: list[str], base: Path, in_folder: Callable[[Path], tuple[Path, ...]] = model_files
) -> tuple[Path, ...]:
    files: list[Path] = []
    for text in texts:
        try:
            files += files_at(expand(text, base), in_folder)
        except FileNotFoundError as cause:
            raise ModelfileError(f"{expand(text, base)}: no such file or directory") from cause
    return tuple(files)


def _refuse_shared(drafts: tuple[Path, ...], files: tuple[Path, ...]) -> None:
    known = {path.resolve() for path in files}
    for path in drafts:
        if path.resolve() in known:
            raise ModelfileError(f"DRAFT must not reference the same local path as FROM: {path}")


def _message(text: str) -> tuple[str, str]:
    role, _, content = text.partition(": ")
    return role, content


def _requires(text: str) -> str:
    if text and _SEMVER.fullmatch(text) is None:
        raise ModelfileError("requires must be a valid semver (e.g. 0.14.0)")
    return text.removeprefix("v")
