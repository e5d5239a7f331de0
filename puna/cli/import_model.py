"""`puna import PATH [NAME]`: models of files that other programs have, without a second copy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from puna.cli.command import between, command, json_option, option
from puna.cli.create import create
from puna.cli.follow import progress
from puna.cli.local_store import find_local_store
from puna.cli.output import print_line
from puna.cli.upload import Given, give_files, read_digest
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest
from puna.fmt import human_bytes
from puna.models.imports import Import, find_imports
from puna.models.linking import Way
from puna.models.name import Name

__all__ = ["COMMAND"]


@command(
    "import",
    completes=("file", ""),
    usage="PATH [NAME]",
    words=between(1, 2),
    help="Take over local model files",
)
@option("--dry-run", kind="bool", help="Only show what would be imported, and its names")
@json_option
def COMMAND(words: tuple[str, ...], dry_run: bool, json: bool) -> None:
    path, typed = words[0], words[1] if len(words) > 1 else ""
    found = find_imports(Path(path).expanduser(), typed)
    for skip in found.skipped:
        tell(Told("skipped", skip.path, reason=skip.reason), as_json=json)
    if not found.models:
        raise BadRequest(f"no model to import in {path}")
    if dry_run:
        for model in found.models:
            tell(Told("found", model.path, model.name.short, size_of(model)), as_json=json)
        return
    refused = 0
    with connect(read_settings()) as client:
        installed = {Name.parse(row.name).folded for row in client.models()}
        for model in found.models:
            if not typed and model.name.folded in installed:
                found_there = look_up(client, model)
                refused += found_there.status == "skipped"
                tell(found_there, as_json=json)
            else:
                tell(bring(client, model, as_json=json), as_json=json)
    if refused:
        raise BadRequest("some names are taken by other models: import these files with a NAME")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a file: `found`, `imported`, `installed` (before) or `skipped`. `way` says how
    it came, `reason` why not, or why it takes room twice; `size` is bytes.
    """

    status: str
    file: Path
    model: str = ""
    size: int = 0
    way: str = ""
    reason: str = ""


def tell(told: Told, *, as_json: bool) -> None:
    """A line on standard output; on standard error for a file that is left out."""
    if as_json:
        print_line(told)
        return
    what = f"{told.model} from {told.file} {human_bytes(told.size)}"
    match told.status:
        case "found":
            print(f"would import {what}")
        case "imported":
            print(f"imported {what}, {told.way}")
            if told.reason:
                print(f"it takes room twice: {told.reason}")
        case "installed":
            print(f"{told.model} is installed already, from the same file")
        case _:
            print(f"skipped {told.file}: {told.reason}", file=sys.stderr)


def look_up(client: Client, model: Import) -> Told:
    """Whether the installed model of that name has these weights."""
    name = model.name.short
    digest = read_digest(next(iter(model.files.values()))).replace(":", "-")
    if digest in client.show(name).modelfile:
        return Told("installed", model.path, name, size_of(model))
    reason = f"{name} is installed already, from another file"
    return Told("skipped", model.path, name, size_of(model), reason=reason)


def bring(client: Client, model: Import, *, as_json: bool) -> Told:
    """Make one model. Raises ClientError, OSError, StoreError."""
    store = find_local_store(client)
    paths = model.files.values()
    with (
        progress(as_json=as_json) as shown,
        give_files(client, store, paths, shown) as given,
    ):
        files = {name: given[path].digest for name, path in model.files.items()}
        request = {"model": model.name.full, "files": files, "keep_parts": True}
        create(client, request, shown, as_json=as_json)
    ways = [each.way for each in given.values()]
    reason = _why_copied(list(given.values())) if Way.COPIED in ways else ""
    name = model.name.short
    return Told("imported", model.path, name, size_of(model), _told(ways), reason)


def size_of(model: Import) -> int:
    """Bytes of its files."""
    return sum(path.stat().st_size for path in model.files.values())


def _told(ways: list[Way]) -> str:
    """How the files came: the costliest way."""
    return max(ways, key=list(Way).index).value


def _why_copied(given: list[Given]) -> str:
    if any(each.sent for each in given):
        return "the server's store cannot be written from here, so the file was sent"
    return "the file and the store are on file systems between which nothing can be linked"
