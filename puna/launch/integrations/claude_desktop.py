"""Claude Desktop: only ever put back, since a program that stands between it and a server is an
application's work. Facts: CLI spec, section 4.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from puna.launch.documents import JSON, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Order
from puna.launch.place import Place

__all__ = ["INTEGRATION"]

PROFILE = "00000000-0000-4000-8000-000000000114"
"""The profile that the reference's application makes."""
PROFILE_KEYS = (
    "inferenceProvider",
    "inferenceGatewayBaseUrl",
    "inferenceGatewayAuthScheme",
    "deploymentDisplayName",
    "inferenceModels",
    "coworkEgressAllowedHosts",
    "autoModeEnabled",
    "disableEssentialTelemetry",
    "disableNonessentialTelemetry",
)


def roots(place: Place) -> list[Path]:
    """The folders in which Claude Desktop keeps its files."""
    if place.system == "darwin":
        base = place.home / "Library" / "Application Support"
        return [base / "Claude", base / "Claude-3p"]
    given = place.variable("LOCALAPPDATA")
    base = Path(given) if given else place.home / "AppData" / "Local"
    return [base / name for name in ("Claude", "Claude Nest", "Claude-3p", "Claude Nest-3p")]


def end_mode(document: Document, order: Order) -> None:
    """Back to its own service."""
    if document.table.get("deploymentMode") == "3p":
        document.table["deploymentMode"] = "1p"


def forget_profile(document: Document, order: Order) -> None:
    """Take the profile out of the list."""
    table = document.table
    if table.get("appliedId") == PROFILE:
        del table["appliedId"]
    entries = document.list_at("entries")
    if any(_is_ours(entry) for entry in entries):
        table["entries"] = [entry for entry in entries if not _is_ours(entry)]


def _is_ours(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("id") == PROFILE


def empty_profile(document: Document, order: Order) -> None:
    """Take out what leads to the server."""
    for key in PROFILE_KEYS:
        document.table.pop(key, None)
    document.table["disableDeploymentModeChooser"] = False


def on_restore(place: Place) -> Sequence[ConfigFile]:
    """The changes that put it back, in the files that are there."""
    edits: dict[str, Callable[[Document, Order], None]] = {
        "claude_desktop_config.json": end_mode,
        "configLibrary/_meta.json": forget_profile,
        f"configLibrary/{PROFILE}.json": empty_profile,
    }

    def at(path: Path) -> Callable[[Place], Path]:
        return lambda place: path

    return [
        ConfigFile(at(root / name), JSON, edit, only_if_there=True)
        for root in roots(place)
        for name, edit in edits.items()
    ]


INTEGRATION = Integration(
    name="claude-desktop",
    title="Claude Desktop",
    about="Anthropic's desktop application",
    kind=Kind.DISCOVERS,
    program="claude-desktop",
    aliases=("claude-app",),
    systems=("darwin", "win32"),
    url="https://claude.com/download",
    unsupported=(
        "Claude Desktop can only be restored from the command line: "
        "puna launch claude-desktop --restore"
    ),
    on_restore=on_restore,
    restored="Claude Desktop restored to the usual Claude profile.",
)
