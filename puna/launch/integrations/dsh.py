"""DeepSeek Harness: settings in a folder of Puna's, to which a patch leads it; the user's own stay
untouched.
"""

from __future__ import annotations

from pathlib import Path

from puna.launch.documents import YAML, Document
from puna.launch.entries import model_entry
from puna.launch.files import PRIVATE
from puna.launch.integration import ConfigFile, Integration, Kind, Order, Refusal, npm
from puna.launch.place import Place

__all__ = ["INTEGRATION"]

PACKAGE = "@deepseek-ai/dsh@latest"
KEY_VARIABLE = "OLLAMA_LAUNCH_DSH_API_KEY"


def settings_path(place: Place) -> Path:
    """The settings of a launch."""
    return place.own_folder / "launch" / "dsh" / "settings.yaml"


def patch_path(place: Place) -> Path:
    """What leads the program to them."""
    return place.own_folder / "launch" / "dsh" / "ollama.cordis.yml"


def edit_settings(document: Document, order: Order) -> None:
    """The chosen model is the default; all installed ones are known."""
    document.at("agent-default-model").update({"provider": "ollama", "model": order.model})
    document.at("llm-pi-ai", "providers", "ollama").update(
        {
            "displayName": "Ollama",
            "apiKeyEnv": KEY_VARIABLE,
            "api": "openai-completions",
            "baseURL": f"{order.place.reachable_url}/v1",
            "models": [model_entry(model) for model in order.chosen_and_installed()],
        }
    )


def edit_patch(document: Document, order: Order) -> None:
    """One module reads its configuration elsewhere."""
    path = str(settings_path(order.place))
    document.items[:] = [{"id": "settings", "config": {"path": path}}]


INTEGRATION = Integration(
    name="dsh",
    title="DeepSeek Harness",
    about="DeepSeek's open-source agent harness",
    kind=Kind.MANAGED,
    program="dsh",
    aliases=("deepseek-harness",),
    url="https://github.com/deepseek-ai/deepseek-harness",
    install_command=f"npm install -g {PACKAGE}",
    installer=npm(PACKAGE),
    arguments=lambda order: ["web", "--patch", str(patch_path(order.place)), *order.extra],
    environment=lambda order: {KEY_VARIABLE: order.place.key},
    takes_key=True,
    refuses=(Refusal(("--patch",), "--patch"),),
    files=(
        ConfigFile(settings_path, YAML, edit_settings, mode=PRIVATE),
        ConfigFile(patch_path, YAML, edit_patch, mode=PRIVATE),
    ),
)
