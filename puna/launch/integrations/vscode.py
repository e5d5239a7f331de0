"""Visual Studio Code: Copilot Chat's list of providers, and which models its picker shows.

Facts: CLI spec, section 4.9.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from puna.launch.documents import JSON, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Launch, Order
from puna.launch.place import Place
from puna.launch.process import run_program, start_program

__all__ = ["INTEGRATION", "show_in_picker"]

VENDOR = "ollama"
PREFERENCES = "chatModelPickerPreferences"
CACHED = "chat.cachedLanguageModels.v2"
OLDEST_EDITOR = (1, 113)
OLDEST_CHAT = (0, 41, 0)
OLD_SETTINGS = ("github.copilot.chat.byok.ollamaEndpoint", "ollama.launch.configured")
BUSY_SECONDS = 5.0
TIP = (
    "Tip: open Copilot Chat and click the model picker; models that are not there are under "
    '"Other models". A window that was open before must be restarted.'
)


def user_folder(place: Place) -> Path:
    """Where it keeps the user's settings."""
    if place.system == "darwin":
        return place.home / "Library" / "Application Support" / "Code" / "User"
    if place.system == "win32":
        return Path(place.variable("APPDATA") or place.home) / "Code" / "User"
    return place.home / ".config" / "Code" / "User"


def elsewhere(place: Place) -> Sequence[Path]:
    """Where it is installed."""
    local = place.variable("LOCALAPPDATA")
    return [
        Path("/snap/bin/code"),
        Path("/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code"),
        *([Path(local) / "Programs" / "Microsoft VS Code" / "bin" / "code.cmd"] if local else []),
    ]


def edit_providers(document: Document, order: Order) -> None:
    """One entry for the server."""
    others = [
        entry
        for entry in document.items
        if not (isinstance(entry, dict) and entry.get("vendor") == VENDOR)
    ]
    ours = {"vendor": VENDOR, "name": "Ollama", "url": order.place.url}
    document.items[:] = [*others, ours]


def edit_settings(document: Document, order: Order) -> None:
    """Take out what older launches wrote."""
    for key in OLD_SETTINGS:
        document.table.pop(key, None)


def show_in_picker(path: Path, models: Iterable[str]) -> None:
    """Show these models in the picker and no others of the server. Raises sqlite3.Error."""
    if not path.is_file():
        return  # it was never started: every model is shown then
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as store, store:
        shown = _value(store, PREFERENCES)
        preferences = dict(shown) if isinstance(shown, dict) else {}
        ids = _identifiers(_value(store, CACHED))
        wanted = {one for name in models for one in _names(name, ids)}
        for key in preferences:
            if key.startswith(f"{VENDOR}/"):
                preferences[key] = False
        preferences |= dict.fromkeys(sorted(wanted), True)
        store.execute(
            "INSERT OR REPLACE INTO ItemTable (key, value) VALUES (?, ?)",
            (PREFERENCES, json.dumps(preferences)),
        )


def _value(store: sqlite3.Connection, key: str) -> object:
    row = store.execute("SELECT value FROM ItemTable WHERE key = ?", (key,)).fetchone()
    try:
        return json.loads(row[0]) if row else None
    except (ValueError, TypeError, RecursionError):
        return None


def _identifiers(cached: object) -> dict[str, str]:
    """Model name to the identifier by which the picker knows it."""
    found = {}
    for entry in cached if isinstance(cached, list) else []:
        about = entry.get("metadata") if isinstance(entry, dict) else None
        if isinstance(about, dict) and about.get("vendor") == VENDOR:
            found[str(about.get("name"))] = str(entry.get("identifier"))
    return found


def _names(model: str, ids: dict[str, str]) -> list[str]:
    spelled = [model] if ":" in model else [model, f"{model}:latest"]
    known = [ids[name] for name in spelled if name in ids][:1]
    return known + [f"{VENDOR}/Ollama/{name}" for name in spelled]


def run(launch: Launch) -> int:
    """Say what is missing, show the models, and open a window."""
    console, order = launch.console, launch.order
    editor = _version(r"^(\d[\d.]*)", launch.output("--version"))
    if editor and editor < OLDEST_EDITOR:
        console.say("Warning: VS Code is older than 1.113: please update it")
    extensions = launch.output("--list-extensions", "--show-versions")
    chat = _version(r"(?im)^github\.copilot-chat@(\d[\d.]*)", extensions)
    if extensions and not chat:
        console.say("Warning: the extension GitHub Copilot Chat is not installed")
    elif chat and chat < OLDEST_CHAT:
        console.say("Warning: the extension GitHub Copilot Chat is older than 0.41.0: update it")
    if order.models[0].capabilities and not order.models[0].can("tools"):
        console.say(
            f"Note: {order.model} does not support tool calling and may not appear in the "
            "Copilot Chat model picker."
        )
    state = user_folder(order.place) / "globalStorage" / "state.vscdb"
    try:
        show_in_picker(state, [model.name for model in order.models])
    except sqlite3.Error as error:
        console.say(f"Warning: could not update VS Code model picker: {error}")
    console.say(TIP)
    if order.extra:
        return run_program([str(launch.program), *order.extra], launch.environ)
    start_program([str(launch.program)], launch.environ)
    return 0


def _version(pattern: str, text: str) -> tuple[int, ...]:
    found = re.search(pattern, text)
    return tuple(int(part) for part in found[1].split(".") if part) if found else ()


INTEGRATION = Integration(
    name="vscode",
    title="Visual Studio Code",
    about="Microsoft's open-source AI code editor",
    kind=Kind.EDITOR,
    program="code",
    aliases=("code",),
    elsewhere=elsewhere,
    url="https://code.visualstudio.com",
    files=(
        ConfigFile(
            lambda place: user_folder(place) / "chatLanguageModels.json", JSON, edit_providers
        ),
        ConfigFile(
            lambda place: user_folder(place) / "settings.json",
            JSON,
            edit_settings,
            only_if_there=True,
            may_be_unreadable=True,
        ),
    ),
    run=run,
)
