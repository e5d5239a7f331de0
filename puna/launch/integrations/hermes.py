"""Hermes Agent: the current model and a provider with all installed ones in its YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from puna.launch.documents import YAML, Document
from puna.launch.integration import (
    BASH,
    CURL,
    ConfigFile,
    Installer,
    Integration,
    Kind,
    Launch,
    Order,
)
from puna.launch.place import Place

__all__ = ["CONFIG", "INSTALLER", "INTEGRATION", "URL", "elsewhere", "hermes_home", "refresh"]

PROVIDER = "ollama-launch"
OLD_PROVIDER = "ollama"
URL = "https://hermes-agent.nousresearch.com/docs/getting-started/installation/"
INSTALL = (
    "set -o pipefail; curl -fsSL https://hermes-agent.nousresearch.com/install.sh"
    " | bash -s -- --skip-setup"
)
INSTALLER = Installer(("bash", "-lc", INSTALL), (BASH, CURL, ("git", "https://git-scm.com/")))
MESSENGERS = frozenset(
    {
        "TELEGRAM_BOT_TOKEN",
        "DISCORD_BOT_TOKEN",
        "SLACK_BOT_TOKEN",
        "SIGNAL_ACCOUNT",
        "EMAIL_ADDRESS",
        "TWILIO_ACCOUNT_SID",
        "MATRIX_ACCESS_TOKEN",
        "MATRIX_PASSWORD",
        "MATTERMOST_TOKEN",
        "WHATSAPP_PHONE_NUMBER_ID",
        "DINGTALK_CLIENT_ID",
        "FEISHU_APP_ID",
        "WECOM_BOT_ID",
        "WEIXIN_ACCOUNT_ID",
        "BLUEBUBBLES_SERVER_URL",
        "WEBHOOK_ENABLED",
    }
)
"""Each says that a messenger is connected."""
RUNNING = ("gateway is running", "gateway service is running", "gateway service is loaded")


def hermes_home(place: Place) -> Path:
    """Where it keeps its files."""
    given = place.variable("HERMES_HOME")
    return Path(given) if given else place.home / ".hermes"


def edit(document: Document, order: Order) -> None:
    """Make the server its provider, under a name of the launch's, and the older ones go."""
    url = f"{order.place.reachable_url}/v1"
    providers = document.at("providers")
    if isinstance(old := providers.pop(OLD_PROVIDER, None), Mapping):
        providers.setdefault(PROVIDER, dict(old))
    document.at("providers", PROVIDER).update(
        {
            "name": "Ollama",
            "api": url,
            "default_model": order.model,
            "models": [model.name for model in order.chosen_and_installed()],
        }
    )
    current = {"provider": PROVIDER, "default": order.model, "base_url": url, "api_key": "ollama"}
    if not isinstance(document.table.get("model"), Mapping):
        document.table["model"] = {}
    document.at("model").update(current)
    custom = document.table.get("custom_providers")
    if isinstance(custom, list):
        custom[:] = [entry for entry in custom if not _is_ours(entry)]
        if not custom:
            del document.table["custom_providers"]
    document.table["toolsets"] = with_web(document.table.get("toolsets"))


def with_web(toolsets: object) -> list[object]:
    """The tools that it may use, those of the web among them."""
    if isinstance(toolsets, str):
        toolsets = [part.strip() for part in toolsets.split(",") if part.strip()]
    if not isinstance(toolsets, list) or not toolsets:
        return ["hermes-cli", "web"]
    return toolsets if "web" in toolsets else [*toolsets, "web"]


def _is_ours(entry: object) -> bool:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return isinstance(name, str) and name.strip().casefold() == "ollama"


def refresh(launch: Launch) -> None:
    """A gateway that runs must read the new configuration."""
    status = launch.output("gateway", "status").casefold()
    if any(text in status for text in RUNNING):
        launch.console.say("Refreshing Hermes messaging gateway...")
        launch.run("gateway", "restart")


def run(launch: Launch) -> int:
    """Start it, at the first time after an offer to connect a messenger."""
    console = launch.console
    may_ask = console.is_terminal and not console.answers_yes and not launch.order.extra
    if may_ask and launch.is_first and not has_messenger(launch.order.place):
        console.say("\nHermes can message you on Telegram, Discord, Slack, and more.\n")
        if console.ask("Connect a messaging app now?", yes="Yes", no="Set up later") and (
            status := launch.run("gateway", "setup")
        ):
            console.say("Hermes messaging setup failed. Try running: hermes gateway setup")
            return status
    return launch.run(*launch.order.extra)


def has_messenger(place: Place) -> bool:
    """Whether one is connected, by the environment or the program's own file of variables."""
    path = hermes_home(place) / ".env"
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    pairs = [line.strip().removeprefix("export ").partition("=") for line in lines]
    given = {key.strip() for key, _, value in pairs if value.strip().strip("\"'")}
    return bool(MESSENGERS & (given | {name for name, value in place.environ.items() if value}))


def elsewhere(place: Place) -> tuple[Path, ...]:
    """Where its installer puts it."""
    return (place.home / ".local" / "bin" / "hermes",)


CONFIG = ConfigFile(lambda place: hermes_home(place) / "config.yaml", YAML, edit)

INTEGRATION = Integration(
    name="hermes",
    title="Hermes Agent",
    about="Self-improving AI agent built by Nous Research",
    kind=Kind.MANAGED,
    program="hermes",
    elsewhere=elsewhere,
    url=URL,
    installer=INSTALLER,
    files=(CONFIG,),
    after_setup=refresh,
    run=run,
)
