"""Droid: entries among its custom models, told from the user's own by their key."""

from __future__ import annotations

from puna.launch.documents import JSON, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Order

__all__ = ["INTEGRATION"]

KEY = "ollama"
UNKNOWN_OUTPUT = 64000
EFFORTS = {"high", "medium", "low", "none"}


def edit(document: Document, order: Order) -> None:
    """Put the chosen models before the user's, and make the first the default."""
    entries: list[object] = [
        {
            "model": model.name,
            "displayName": model.name,
            "baseUrl": f"{order.place.url}/v1",
            "apiKey": KEY,
            "provider": "generic-chat-completion-api",
            "maxOutputTokens": model.max_output or UNKNOWN_OUTPUT,
            "supportsImages": model.can("vision"),
            "id": f"custom:{model.name}-{index}",
            "index": index,
        }
        for index, model in enumerate(order.models)
    ]
    others = [
        entry
        for entry in document.list_at("customModels")
        if not (isinstance(entry, dict) and entry.get("apiKey") == KEY)
    ]
    document.table["customModels"] = entries + others
    session = document.at("sessionDefaultSettings")
    session["model"] = f"custom:{order.model}-0"
    if session.get("reasoningEffort") not in EFFORTS:
        session["reasoningEffort"] = "none"


INTEGRATION = Integration(
    name="droid",
    title="Droid",
    about="Factory's coding agent across terminal and IDEs",
    kind=Kind.EDITOR,
    program="droid",
    url="https://docs.factory.ai/cli/getting-started/quickstart",
    files=(ConfigFile(lambda place: place.home / ".factory" / "settings.json", JSON, edit),),
)
