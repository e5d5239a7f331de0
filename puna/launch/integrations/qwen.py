"""Qwen Code: a provider among those of its OpenAI kind, put first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from puna.launch.documents import JSON, Document
from puna.launch.integration import (
    BASH,
    CURL,
    ConfigFile,
    Installer,
    Integration,
    Kind,
    Order,
    has_flag,
)
from puna.launch.place import Place

__all__ = ["INTEGRATION"]

KEY_VARIABLE = "OLLAMA_API_KEY"
# The vendor's script starts the program at its end, which is for us to do.
INSTALL = (
    "set -o pipefail; curl -fsSL "
    "https://qwen-code-assets.oss-cn-hangzhou.aliyuncs.com/installation/install-qwen.sh"
    " | sed '/log_info \"Starting Qwen Code...\"/,/exec qwen/d' | bash"
)


def edit(document: Document, order: Order) -> None:
    """Make the server the first provider and the model the current one."""
    url = f"{order.place.url}/v1"
    document.at("env")[KEY_VARIABLE] = "ollama"
    others = [
        entry
        for entry in document.list_at("modelProviders", "openai")
        if not (
            isinstance(entry, dict)
            and entry.get("envKey") == KEY_VARIABLE
            and str(entry.get("baseUrl")).rstrip("/") == url
        )
    ]
    ours = {
        "id": order.model,
        "name": f"{order.model} (Ollama)",
        "baseUrl": url,
        "envKey": KEY_VARIABLE,
    }
    document.at("modelProviders")["openai"] = [ours, *others]
    document.at("security", "auth").update({"selectedType": "openai", "baseUrl": url})
    document.at("model")["name"] = order.model


def arguments(order: Order) -> list[str]:
    """What the user has not given."""
    words = list(order.extra)
    if not has_flag(order.extra, "--auth-type"):
        words = ["--auth-type", "openai", *words]
    if not has_flag(order.extra, "--model", "-m"):
        words = ["--model", order.model, *words]
    return words


def elsewhere(place: Place) -> Sequence[Path]:
    """Where npm and its installer put it."""
    home = place.home
    return (
        home / ".npm-global" / "bin" / "qwen",
        home / ".local" / "bin" / "qwen",
        home / ".cargo" / "bin" / "qwen",
        Path("/opt/homebrew/bin/qwen"),
        Path("/usr/local/bin/qwen"),
        home / "Library" / "Application Support" / "qwen" / "bin" / "qwen",
        *sorted((home / ".nvm" / "versions" / "node").glob("*/bin/qwen")),
    )


INTEGRATION = Integration(
    name="qwen",
    title="Qwen Code",
    about="Qwen's AI coding agent with tool use",
    kind=Kind.MANAGED,
    program="qwen",
    elsewhere=elsewhere,
    url="https://qwen.ai/qwencode",
    installer=Installer(("bash", "-c", INSTALL), (CURL, BASH)),
    arguments=arguments,
    environment=lambda order: {
        "OPENAI_API_KEY": order.place.key,
        KEY_VARIABLE: order.place.key,
        "OPENAI_BASE_URL": f"{order.place.url}/v1",
        "OPENAI_MODEL": order.model,
    },
    takes_key=True,
    files=(ConfigFile(lambda place: place.home / ".qwen" / "settings.json", JSON, edit),),
)
