"""Cline: a provider of its newer settings, and the same in the older state file."""

from __future__ import annotations

from datetime import UTC, datetime

from puna.launch.documents import JSON, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Order, npm

__all__ = ["INTEGRATION"]

PROVIDER = "ollama"


def edit_providers(document: Document, order: Order) -> None:
    """Make the provider current; when it was changed is noted only if it was."""
    provider = document.at("providers", PROVIDER)
    settings = document.at("providers", PROVIDER, "settings")
    wanted = {
        "provider": PROVIDER,
        "model": order.model,
        "baseUrl": f"{order.place.reachable_url}/v1",
    }
    is_new = provider.get("tokenSource") != "manual" or any(
        settings.get(key) != value for key, value in wanted.items()
    )
    settings.update(wanted)
    settings.pop("apiKey", None)
    provider["tokenSource"] = "manual"
    if is_new or not isinstance(provider.get("updatedAt"), str):
        provider["updatedAt"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    document.table["version"] = 1
    document.table["lastUsedProvider"] = PROVIDER


def edit_state(document: Document, order: Order) -> None:
    """Both of its modes use the model; there is nothing to welcome."""
    table, url = document.table, order.place.reachable_url
    table["ollamaBaseUrl"] = url
    for mode in ("actMode", "planMode"):
        table[f"{mode}ApiProvider"] = PROVIDER
        table[f"{mode}OllamaModelId"] = order.model
        table[f"{mode}OllamaBaseUrl"] = url
    table["welcomeViewCompleted"] = True


INTEGRATION = Integration(
    name="cline",
    title="Cline",
    about="Autonomous coding agent with parallel execution",
    kind=Kind.EDITOR,
    program="cline",
    install_command="npm install -g cline@latest",
    installer=npm("cline@latest"),
    files=(
        ConfigFile(
            lambda place: place.home / ".cline" / "data" / "settings" / "providers.json",
            JSON,
            edit_providers,
        ),
        ConfigFile(
            lambda place: place.home / ".cline" / "data" / "globalState.json", JSON, edit_state
        ),
    ),
)
