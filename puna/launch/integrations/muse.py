"""Muse Code: settings in a folder of Puna's, begun with the user's own, since it knows one provider
at a time and finds no models by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from puna.client.facts import ModelFacts
from puna.launch.documents import JSON, Document
from puna.launch.files import PRIVATE
from puna.launch.integration import ConfigFile, Integration, Kind, Launch, Order, script
from puna.launch.place import Place

__all__ = ["INTEGRATION"]

PROVIDER = "meta"
PROFILE = "tbh"
UNKNOWN_LIMIT = 32768


def folder(place: Place) -> Path:
    """What it takes for the folder of all configuration."""
    return place.own_folder / "launch" / "muse-config"


def own_settings(place: Place) -> Sequence[Path]:
    """The user's settings, with which ours begin."""
    given = place.variable("XDG_CONFIG_HOME")
    return ((Path(given) if given else place.home / ".config") / "muse" / "settings.json",)


def edit(document: Document, order: Order) -> None:
    """Replace what decides which provider and models it talks to."""
    table = document.table
    table.setdefault("schema_version", 1)
    table["provider"] = PROVIDER
    table["model"] = order.model
    table["endpoint_transport"] = {"base_url": f"{order.place.reachable_url}/v1", "auth": "none"}
    table["model_catalog"] = [row(model, n) for n, model in enumerate(order.models)]


def row(model: ModelFacts, number: int) -> dict[str, object]:
    """A row of its catalog; limits are required."""
    context = model.context_length or UNKNOWN_LIMIT
    return {
        "model_id": model.name,
        "provider_id": PROVIDER,
        "profile_id": PROFILE,
        "display_label": model.name,
        "visibility": "visible",
        "display_order": number,
        "is_default": number == 0,
        "context_limit": context,
        "output_limit": model.max_output or min(context, UNKNOWN_LIMIT),
        "description": "Served by Puna",
    }


def prepare(launch: Launch) -> Order:
    """It plans with the context that it is told: that must be the one that the model gets."""
    first, *others = launch.order.models
    context = 0 if first.remote else launch.context_of(first.name)
    if not context:
        return launch.order
    known = dataclasses.replace(first, context_length=context)
    return dataclasses.replace(launch.order, models=(known, *others))


INTEGRATION = Integration(
    name="muse",
    title="Muse Code",
    about="Meta's agentic coding CLI",
    kind=Kind.EDITOR,
    program="muse",
    aliases=("muse-code",),
    systems=("linux", "darwin"),
    elsewhere=lambda place: (place.home / ".local" / "bin" / "muse",),
    installer=script("https://dev.meta.ai/install.sh"),
    install_command="curl -fsSL https://dev.meta.ai/install.sh | bash",
    environment=lambda order: {"XDG_CONFIG_HOME": str(folder(order.place))},
    files=(
        ConfigFile(
            lambda place: folder(place) / "muse" / "settings.json",
            JSON,
            edit,
            mode=PRIVATE,
            seeds=own_settings,
        ),
    ),
    prepare=prepare,
)
