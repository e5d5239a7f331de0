"""Codex: a profile of its own and a catalog of models, both also told as arguments; the user's
configuration is only freed of what earlier launches of the reference left there.

Facts: CLI spec, section 4.6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from puna.client.facts import ModelFacts
from puna.launch.documents import JSON, TOML, Document
from puna.launch.integration import ConfigFile, Integration, Kind, Launch, Order, Refusal
from puna.launch.place import Place
from puna.launch.process import LaunchError

__all__ = ["INTEGRATION", "base_url", "catalog_entry", "codex_folder", "use_provider"]

PROFILE = "ollama-launch"
KEY_VARIABLE = "OPENAI_API_KEY"
OLDEST = (0, 134, 0)
UNKNOWN_CONTEXT = 128_000
MANAGED_KEYS = {"profile", "model", "model_provider", "model_catalog_json"}


def codex_folder(place: Place) -> Path:
    """Where Codex keeps its files."""
    return place.home / ".codex"


def base_url(place: Place) -> str:
    """The server as Codex is told of it."""
    return f"{place.reachable_url}/v1/"


def catalog_path(place: Place) -> Path:
    """The list of models that a launch gives to Codex."""
    return codex_folder(place) / "model.json"


def profile_path(place: Place) -> Path:
    """The profile that a launch uses."""
    return codex_folder(place) / f"{PROFILE}.config.toml"


def catalog_entry(model: ModelFacts, place: Place) -> dict[str, object]:
    """What Codex has to know of a model. A local one gets the context of the setting."""
    is_ours = not model.remote and model.format != "safetensors"
    context = (place.context_length if is_ours else 0) or model.context_length or UNKNOWN_CONTEXT
    return {
        "slug": model.name,
        "display_name": model.name,
        "context_window": context,
        "shell_type": "default",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 0,
        "truncation_policy": {"mode": "tokens" if model.remote else "bytes", "limit": 10_000},
        "input_modalities": ["text", "image"] if model.can("vision") else ["text"],
        "base_instructions": "",
        "support_verbosity": True,
        "default_verbosity": "low",
        "supports_parallel_tool_calls": False,
        "supports_reasoning_summaries": False,
        "supported_reasoning_levels": [],
        "experimental_supported_tools": [],
    }


def edit_catalog(document: Document, order: Order) -> None:
    """One model."""
    document.table["models"] = [catalog_entry(order.models[0], order.place)]


def edit_profile(document: Document, order: Order) -> None:
    """The profile is wholly ours."""
    use_provider(document, order, PROFILE, catalog_path(order.place))


def use_provider(document: Document, order: Order, name: str, catalog: Path) -> None:
    """Make the server the current provider, under this name, and the model the current one."""
    table = document.table
    table["model"] = order.model
    table["model_provider"] = name
    table["model_catalog_json"] = str(catalog)
    provider = {"name": "Ollama", "base_url": base_url(order.place), "wire_api": "responses"}
    document.at("model_providers", name).update(provider)


def edit_config(document: Document, order: Order) -> None:
    """Take out what older launches wrote."""
    table = document.table
    if table.get("profile") == PROFILE:
        del table["profile"]
    profiles = table.get("profiles")
    if isinstance(profiles, dict) and PROFILE in profiles:
        del profiles[PROFILE]
        if not profiles:
            del table["profiles"]


def arguments(order: Order) -> list[str]:
    """The profile, and the same again as overrides, which win over the user's configuration."""
    overrides = {
        "model_provider": PROFILE,
        f"model_providers.{PROFILE}.name": "Ollama",
        f"model_providers.{PROFILE}.base_url": base_url(order.place),
        f"model_providers.{PROFILE}.wire_api": "responses",
        "model_catalog_json": str(catalog_path(order.place)),
    }
    if order.place.api_key:
        overrides[f"model_providers.{PROFILE}.env_key"] = KEY_VARIABLE
    words = ["--profile", PROFILE]
    for key, value in overrides.items():
        words += ["-c", f"{key}={json.dumps(value)}"]
    return [*words, "-m", order.model, *order.extra]


def prepare(launch: Launch) -> Order:
    """Codex must be new enough, and the extra arguments must not undo what is set."""
    _check_overrides(launch.order.extra)
    words = launch.output("--version").split()
    version = re.match(r"(\d+)\.(\d+)\.(\d+)", words[-1]) if len(words) > 1 else None
    if version is None:
        raise LaunchError("the version of codex is unknown: `codex --version` does not tell it")
    if tuple(map(int, version.groups())) < OLDEST:
        raise LaunchError(
            f"codex version {words[-1]} is too old, minimum required is "
            f"{'.'.join(map(str, OLDEST))}, update with: npm update -g @openai/codex"
        )
    return launch.order


def _check_overrides(extra: Sequence[str]) -> None:
    for position, word in enumerate(extra):
        if word in {"-c", "--config"}:
            value = extra[position + 1] if position + 1 < len(extra) else ""
        elif word.startswith("--config="):
            value = word.removeprefix("--config=")
        elif word.startswith("-c"):
            value = word.removeprefix("-c")
        else:
            continue
        key = value.partition("=")[0].strip().strip("\"'")
        if "=" in value and (key in MANAGED_KEYS or key.startswith("model_providers.")):
            raise LaunchError(
                f'conflicting extra config "{value if word in {"-c", "--config"} else word}": '
                "puna launch codex manages provider and model catalog config"
            )


def leftovers(place: Place) -> Sequence[Path]:
    """The files that are wholly a launch's, whoever wrote them; the catalog only if the user's
    configuration does not name it.
    """
    config = codex_folder(place) / "config.toml"
    text = config.read_text("utf-8", "replace") if config.is_file() else ""
    catalog = catalog_path(place)
    return (profile_path(place), *([] if str(catalog) in text else [catalog]))


INTEGRATION = Integration(
    name="codex",
    title="Codex",
    about="OpenAI's open-source coding agent",
    kind=Kind.RUNS,
    program="codex",
    url="https://developers.openai.com/codex/cli/",
    install_command="npm install -g @openai/codex",
    arguments=arguments,
    environment=lambda order: {KEY_VARIABLE: order.place.key},
    takes_key=True,
    refuses=(
        Refusal(("--profile",), "--profile"),
        Refusal(("-p",), "--profile", by_prefix=True),
        Refusal(("--model",), "--model"),
        Refusal(("-m",), "--model", by_prefix=True),
    ),
    files=(
        ConfigFile(
            lambda place: codex_folder(place) / "config.toml",
            TOML,
            edit_config,
            only_if_there=True,
        ),
        ConfigFile(catalog_path, JSON, edit_catalog),
        ConfigFile(profile_path, TOML, edit_profile),
    ),
    prepare=prepare,
    cleans_up=leftovers,
    restored="Codex launch configuration removed.",
)
