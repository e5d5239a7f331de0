"""Pi: a provider in its list of models, in which the entries of a launch are marked."""

from __future__ import annotations

from puna.client.facts import ModelFacts
from puna.launch.documents import JSON, Document
from puna.launch.entries import inputs_of, limits_of
from puna.launch.integration import ConfigFile, Integration, Kind, Order, npm

__all__ = ["INTEGRATION"]

PACKAGE = "@earendil-works/pi-coding-agent@latest"
MARK = "_launch"


def edit_models(document: Document, order: Order) -> None:
    """Keep the user's entries, and ours of models that are still chosen; add the others."""
    if "ollama" not in document.at("providers"):
        provider = {
            "baseUrl": f"{order.place.url}/v1",
            "api": "openai-completions",
            "apiKey": "ollama",
        }
        document.at("providers", "ollama").update(provider)
    chosen = {model.name: model for model in order.models}
    entries: list[object] = []
    for entry in document.list_at("providers", "ollama", "models"):
        is_ours = isinstance(entry, dict) and entry.get(MARK) is True
        name = entry.get("id") if isinstance(entry, dict) else None
        if is_ours and name not in chosen:
            continue
        if isinstance(name, str):
            chosen.pop(name, None)
        entries.append(entry)
    entries += [describe(model) for model in chosen.values()]
    document.at("providers", "ollama")["models"] = entries


def describe(model: ModelFacts) -> dict[str, object]:
    """What Pi is told of a model."""
    thinks = {"reasoning": True} if model.can("thinking") else {}
    return {"id": model.name, MARK: True, "input": inputs_of(model), **thinks, **limits_of(model)}


def edit_settings(document: Document, order: Order) -> None:
    """Make the model the default."""
    document.table["defaultProvider"] = "ollama"
    document.table["defaultModel"] = order.model


INTEGRATION = Integration(
    name="pi",
    title="Pi",
    about="Minimal AI agent toolkit with plugin support",
    kind=Kind.EDITOR,
    program="pi",
    install_command=f"npm install -g {PACKAGE}",
    installer=npm(PACKAGE),
    files=(
        ConfigFile(lambda place: place.home / ".pi" / "agent" / "models.json", JSON, edit_models),
        ConfigFile(
            lambda place: place.home / ".pi" / "agent" / "settings.json", JSON, edit_settings
        ),
    ),
)
