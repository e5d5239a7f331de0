"""`puna prune`: delete what no model needs."""

from __future__ import annotations

import re

from puna.cli.command import command, exactly, json_option, option
from puna.cli.output import print_object
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest
from puna.fmt import SECOND, BadDuration, human_bytes, parse_duration

__all__ = ["COMMAND"]

DAY = 86_400


@command("prune", words=exactly(0), help="Delete downloads and blobs that no model needs")
@option("--dry-run", kind="bool", help="Only show what would be deleted")
@option("--older-than", help="Age of what may go, e.g. 30m or 7d (default 1h, of downloads 7d)")
@json_option
def COMMAND(words: tuple[str, ...], dry_run: bool, older_than: str, json: bool) -> None:
    seconds = read_age(older_than) if older_than else None
    with connect(read_settings()) as client:
        pruned = client.prune(seconds, dry_run=dry_run)
    if json:
        files = [{"name": name, "size": size} for name, size in pruned.files]
        print_object({"dry_run": dry_run, "files": files, "held": pruned.held})
        return
    verb = "would delete" if dry_run else "deleted"
    for name, size in pruned.files:
        print(f"{verb} {name} {human_bytes(size)}")
    total = human_bytes(sum(size for _, size in pruned.files))
    count = f"{len(pruned.files)} file{'' if len(pruned.files) == 1 else 's'}"
    print(f"{verb} {count}, {total}" if pruned.files else "nothing to delete")
    if pruned.held:
        print(f"in use and kept: {pruned.held}")


def read_age(text: str) -> float:
    """Seconds of a duration; `7d` are days. Raises BadRequest."""
    if match := re.fullmatch(r"(\d{1,6})d", text, re.ASCII):
        return float(int(match[1]) * DAY)
    try:
        seconds = parse_duration(text) / SECOND
    except BadDuration as bad:
        raise BadRequest(f"--older-than: {bad}") from None
    if seconds < 0:
        raise BadRequest("--older-than: must not be negative")
    return seconds
