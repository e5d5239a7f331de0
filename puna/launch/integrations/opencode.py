"""OpenCode: its configuration goes into a variable of its environment, never into `opencode.json`;
a state file lists the models for its own picker.
"""

from __future__ import annotations

import json

from puna.client.facts import ModelFacts
from puna.launch.documents import JSON, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Order, script

__all__ = ["INTEGRATION"]

PROVIDER = "ollama"
MAX_RECENT = 10
EFFORTS = ("low", "medium", "high")


def edit_state(document: Document, order: Order) -> None:
    """Put the chosen models in front of those used recently."""
    table = document.table
    chosen = [model.name for model in order.models]
    others = [
        entry
        for entry in document.list_at("recent")
        if not (
            isinstance(entry, dict)
            and entry.get("providerID") == PROVIDER
            and entry.get("modelID") in chosen
        )
    ]
    ours: list[object] = [{"providerID": PROVIDER, "modelID": name} for name in chosen]
    table["recent"] = (ours + others)[:MAX_RECENT]
    table.setdefault("favorite", [])
    table.setdefault("variant", {})


def environment(order: Order) -> dict[str, str]:
    """The configuration, as JSON."""
    key = {"apiKey": order.place.api_key} if order.place.api_key else {}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Ollama",
        "options": {"baseURL": f"{order.place.url}/v1", **key},
        "models": {model.name: describe(model) for model in order.models},
    }
    content = {
        "$schema": "https://opencode.ai/config.json",
        "provider": {PROVIDER: provider},
        "model": f"{PROVIDER}/{order.model}",
    }
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(content)}


def describe(model: ModelFacts) -> dict[str, object]:
    """What OpenCode is told of a model."""
    about: dict[str, object] = {"name": model.name}
    if model.can("vision"):
        about["modalities"] = {"input": ["text", "image"], "output": ["text"]}
    if model.can("thinking"):
        about["reasoning"] = True
        if has_levels(model):
            about["options"] = {"reasoningEffort": "medium"}
            about["variants"] = {name: {"reasoningEffort": name} for name in (*EFFORTS, "max")}
        else:
            off = {"none": {"reasoningEffort": "none"}}
            about["variants"] = off | {name: {"disabled": True} for name in EFFORTS}
    if model.max_output:
        context = {"context": model.context_length} if model.context_length else {}
        about["limit"] = {**context, "output": model.max_output}
    return about


def has_levels(model: ModelFacts) -> bool:
    """Whether a model thinks by levels: only gpt-oss does."""
    texts = [text.casefold().replace("-", "").replace("_", "") for text in model.families]
    name = model.name.casefold().replace("-", "").replace("_", "")
    return "gptoss" in texts or "gptoss" in name


INTEGRATION = Integration(
    name="opencode",
    title="OpenCode",
    about="Anomaly's open-source coding agent",
    kind=Kind.EDITOR,
    program="opencode",
    elsewhere=lambda place: (place.home / ".opencode" / "bin" / "opencode",),
    url="https://opencode.ai",
    installer=script("https://opencode.ai/install"),
    environment=environment,
    takes_key=True,
    files=(
        ConfigFile(
            lambda place: place.home / ".local" / "state" / "opencode" / "model.json",
            JSON,
            edit_state,
        ),
    ),
)
