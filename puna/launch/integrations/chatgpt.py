"""ChatGPT, the desktop application: root values and a provider in Codex's configuration, and a
catalog of all installed models. Facts: CLI spec, section 4.6.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from puna.launch.documents import JSON, TOML, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Launch, Order
from puna.launch.integrations.codex import catalog_entry, codex_folder, use_provider
from puna.launch.place import Place
from puna.launch.process import LaunchError, run_program, start_program

__all__ = ["INTEGRATION"]

PROVIDER = "ollama-launch-codex-app"
INSTRUCTIONS = (
    "You are Codex, a coding agent that works with its user in one folder towards the user's goals."
)
HINT = "To restore your usual ChatGPT profile, run: puna launch chatgpt --restore"


def catalog_path(place: Place) -> Path:
    """The list of models."""
    return codex_folder(place) / "ollama-launch-models.json"


def edit_config(document: Document, order: Order) -> None:
    """Make the server's provider and the model the current ones."""
    document.table.pop("profile", None)
    use_provider(document, order, PROVIDER, catalog_path(order.place))


def edit_catalog(document: Document, order: Order) -> None:
    """The chosen model first."""
    instructions = cached_instructions(order.place)
    document.table["models"] = [
        {
            **catalog_entry(model, order.place),
            "description": "Model of this machine",
            "priority": number,
            "base_instructions": instructions,
            "truncation_policy": {"mode": "bytes", "limit": 10_000},
            "support_verbosity": False,
            "default_verbosity": None,
            "default_reasoning_level": None,
            "default_reasoning_summary": "auto",
            "additional_speed_tiers": [],
            "availability_nux": None,
            "upgrade": None,
            "model_messages": None,
            "apply_patch_tool_type": None,
            "web_search_tool_type": "text",
            "supports_image_detail_original": False,
            "supports_search_tool": False,
            "max_context_window": catalog_entry(model, order.place)["context_window"],
            "auto_compact_token_limit": None,
            "effective_context_window_percent": 95,
        }
        for number, model in enumerate(order.chosen_and_installed())
    ]


def cached_instructions(place: Place) -> str:
    """The instructions that the application has for its own models, else a sentence."""
    try:
        rows = json.loads((codex_folder(place) / "models_cache.json").read_bytes())["models"]
        found = (row.get("base_instructions") for row in rows)
        return next(
            (text for text in found if isinstance(text, str) and text.strip()), INSTRUCTIONS
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return INSTRUCTIONS


def elsewhere(place: Place) -> Sequence[Path]:
    """Where the application is."""
    names = ("ChatGPT", "Codex")
    if place.system == "darwin":
        return [
            folder / f"{name}.app"
            for folder in (Path("/Applications"), place.home / "Applications")
            for name in names
        ]
    given = place.variable("LOCALAPPDATA")
    local = Path(given) if given else place.home / "AppData" / "Local"
    folders = (local / "Programs", local, local / "OpenAI")
    return [folder / name / f"{name}.exe" for folder in folders for name in names]


def run(launch: Launch) -> int:
    """Open the application, or on macOS open it anew after asking."""
    if launch.order.extra:
        raise LaunchError("chatgpt does not accept extra arguments")
    launch.console.say(f"ChatGPT profile changed to Puna.\n{HINT}")
    if launch.order.place.system != "darwin":
        start_program([str(launch.program)], launch.environ)
        return 0
    if launch.console.ask("Restart ChatGPT if it is running?"):
        quit_it = f'quit app "{launch.program.stem}"'
        run_program(["osascript", "-e", quit_it], launch.environ)
    return run_program(["open", "-a", str(launch.program)], launch.environ)


INTEGRATION = Integration(
    name="chatgpt",
    title="ChatGPT",
    about="Complete work with ChatGPT",
    kind=Kind.MANAGED,
    program="chatgpt-desktop",
    aliases=("codex-app", "codex-desktop", "codex-gui"),
    systems=("darwin", "win32"),
    elsewhere=elsewhere,
    url="https://chatgpt.com/download",
    files=(
        ConfigFile(catalog_path, JSON, edit_catalog),
        ConfigFile(lambda place: codex_folder(place) / "config.toml", TOML, edit_config),
    ),
    run=run,
    restored="ChatGPT restored to your usual profile.",
)
