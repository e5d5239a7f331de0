"""Oh My Pi: a provider with all installed models in its YAML files."""

from __future__ import annotations

from pathlib import Path

from puna.launch.documents import YAML, Document
from puna.launch.entries import model_entry
from puna.launch.integration import ConfigFile, Integration, Kind, Order
from puna.launch.place import Place

__all__ = ["INTEGRATION"]

SETUP_VERSION = 1


def agent_folder(place: Place) -> Path:
    """Where its files are, as its own variables may say."""
    agent = place.variable("PI_CODING_AGENT_DIR")
    folder = place.home / (place.variable("PI_CONFIG_DIR") or ".omp")
    return Path(agent) if agent else folder / "agent"


def edit_models(document: Document, order: Order) -> None:
    """Put the chosen model first, then all others; entries of the user's stay."""
    provider = document.at("providers", "ollama")
    provider["baseUrl"] = f"{order.place.reachable_url}/v1"
    provider["api"] = "openai-responses"
    provider["auth"] = "none"
    provider["discovery"] = {"type": "ollama"}
    known = document.list_at("providers", "ollama", "models")
    by_id = {entry.get("id"): entry for entry in known if isinstance(entry, dict)}
    models = order.chosen_and_installed()
    ours: list[object] = [{**by_id.get(one.name, {}), **model_entry(one)} for one in models]
    names = {model.name for model in models}
    others = [
        entry
        for entry in known
        if not (isinstance(entry, dict) and (not entry.get("id") or entry.get("id") in names))
    ]
    provider["models"] = ours + others


def edit_config(document: Document, order: Order) -> None:
    """Its first steps are done."""
    document.table["setupVersion"] = SETUP_VERSION


INTEGRATION = Integration(
    name="omp",
    title="Oh My Pi",
    about="AI coding agent with IDE integration",
    kind=Kind.MANAGED,
    program="omp",
    elsewhere=lambda place: (
        place.home / ".local" / "bin" / "omp",
        place.home / ".bun" / "bin" / "omp",
    ),
    url="https://omp.sh",
    arguments=lambda order: [
        "--model",
        f"ollama/{order.model.removeprefix('ollama/')}",
        *order.extra,
    ],
    files=(
        ConfigFile(lambda place: agent_folder(place) / "models.yml", YAML, edit_models),
        ConfigFile(lambda place: agent_folder(place) / "config.yml", YAML, edit_config),
    ),
)
