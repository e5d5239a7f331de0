"""`puna import PATH [NAME]`: models of files that other programs have, without a second copy."""

from __future__ import annotations

import sys
from pathlib import Path

from puna.cli.command import between, command, option
from puna.cli.create import create
from puna.cli.local_store import find_local_store
from puna.cli.upload import Given, give_files, read_digest
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest
from puna.fmt import human_bytes
from puna.models.imports import Find, Import, find_imports
from puna.models.linking import Way
from puna.models.name import Name
from puna.term.progress import Progress

__all__ = ["COMMAND"]


@command(
    "import",
    completes=("file", ""),
    usage="PATH [NAME]",
    words=between(1, 2),
    help="Take over local model files",
)
@option("--dry-run", kind="bool", help="Only show what would be imported, and its names")
def COMMAND(words: tuple[str, ...], dry_run: bool) -> None:
    path, typed = words[0], words[1] if len(words) > 1 else ""
    found = find_imports(Path(path).expanduser(), typed)
    tell_skipped(found)
    if not found.models:
        raise BadRequest(f"no model to import in {path}")
    if dry_run:
        for model in found.models:
            print(f"would import {model.name.short} from {model.path} {_size(model)}")
        return
    refused = 0
    with connect(read_settings()) as client:
        installed = {Name.parse(row.name).folded for row in client.models()}
        for model in found.models:
            if not typed and model.name.folded in installed:
                refused += not is_installed(client, model)
            else:
                bring(client, model)
    if refused:
        raise BadRequest("some names are taken by other models: import these files with a NAME")


def tell_skipped(found: Find) -> None:
    """A line on standard error for each file that is left out."""
    for skip in found.skipped:
        print(f"skipped {skip.path}: {skip.reason}", file=sys.stderr)


def is_installed(client: Client, model: Import) -> bool:
    """Whether the model of that name has these weights; tells either way."""
    name = model.name.short
    digest = read_digest(next(iter(model.files.values()))).replace(":", "-")
    if digest in client.show(name).modelfile:
        print(f"{name} is installed already, from the same file")
        return True
    print(f"skipped {model.path}: {name} is installed already, from another file", file=sys.stderr)
    return False


def bring(client: Client, model: Import) -> None:
    """Make one model and say how. Raises ClientError, OSError, StoreError."""
    store = find_local_store(client)
    paths = model.files.values()
    with Progress(sys.stderr) as progress, give_files(client, store, paths, progress) as given:
        files = {name: given[path].digest for name, path in model.files.items()}
        request = {"model": model.name.full, "files": files, "keep_parts": True}
        create(client, request, progress)
    ways = [each.way for each in given.values()]
    print(f"imported {model.name.short} from {model.path} {_size(model)}, {_told(ways)}")
    if Way.COPIED in ways:
        print(f"it takes room twice: {_why_copied(list(given.values()))}")


def _size(model: Import) -> str:
    return human_bytes(sum(path.stat().st_size for path in model.files.values()))


def _told(ways: list[Way]) -> str:
    """How the files came: the costliest way."""
    return max(ways, key=list(Way).index).value


def _why_copied(given: list[Given]) -> str:
    if any(each.sent for each in given):
        return "the server's store cannot be written from here, so the file was sent"
    return "the file and the store are on file systems between which nothing can be linked"
