"""OpenClaw: a provider in its configuration, its own first steps, its gateway, and its interface.

Facts: CLI spec, section 4.8.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from puna.client.facts import ModelFacts
from puna.launch.documents import JSON, Document, Table, read_document
from puna.launch.entries import model_entry
from puna.launch.files import read_file
from puna.launch.integration import (
    NPM,
    ConfigFile,
    Installer,
    Integration,
    Kind,
    Launch,
    Order,
)
from puna.launch.place import Place
from puna.launch.process import LaunchError, start_program

__all__ = ["INTEGRATION"]

PORT = 18789
RESTART_SECONDS = 10.0
START_SECONDS = 30.0
POLL_SECONDS = 0.1
KEYS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_OAUTH_TOKEN",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "XAI_API_KEY",
    "OPENROUTER_API_KEY",
)
"""With one of them it would use that provider."""


def config_path(place: Place) -> Path:
    """Its configuration."""
    return place.home / ".openclaw" / "openclaw.json"


def edit(document: Document, order: Order) -> None:
    """Add the provider, and make the model that of every agent."""
    provider = document.at("models", "providers", "ollama")
    provider.update({"baseUrl": order.place.url, "apiKey": "ollama-local", "api": "ollama"})
    known = document.list_at("models", "providers", "ollama", "models")
    by_id = {entry.get("id"): entry for entry in known if isinstance(entry, dict)}
    provider["models"] = [
        {**by_id.get(model.name, {}), **describe(model)} for model in order.models
    ]
    document.at("agents", "defaults", "model")["primary"] = f"ollama/{order.model}"


def describe(model: ModelFacts) -> dict[str, object]:
    """What it is told of a model, which costs nothing."""
    cost = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    thinks = {"reasoning": True} if model.can("thinking") else {}
    return {**model_entry(model), "cost": cost, **thinks}


def edit_sessions(document: Document, order: Order) -> None:
    """Sessions that hold on to another model would not notice the new one."""
    for session in document.table.values():
        if not isinstance(session, dict):
            continue
        if session.get("modelOverride") not in {None, "", order.model}:
            session.pop("modelOverride")
            session.pop("providerOverride", None)
        if session.get("model") not in {None, "", order.model}:
            session["model"] = order.model


def configuration(place: Place) -> Table:
    """What is configured; nothing where that cannot be read."""
    path = config_path(place)
    try:
        return read_document(path, JSON, read_file(path)).table
    except (ValueError, OSError):
        return {}


def inner(table: object, *keys: str) -> object:
    """The value under keys, None where there is none."""
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def prepare(launch: Launch) -> Order:
    """At the first time: a warning, the newest version, and its own first steps."""
    console, order = launch.console, launch.order
    if inner(configuration(order.place), "wizard", "lastRunAt"):
        return order
    console.say(
        "\nSecurity\n\n  OpenClaw can read files and run actions when tools are enabled.\n"
        "  A bad prompt can trick it into doing unsafe things.\n\n"
        "  Learn more: https://docs.openclaw.ai/gateway/security\n"
    )
    if not console.ask("I understand the risks. Continue?"):
        raise LaunchError("openclaw was not set up")
    launch.run("update")  # an older one would do as well
    console.say(f"\nSetting up OpenClaw with Puna...\n  Model: {order.model}\n")
    words = ["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "ollama"]
    words += ["--custom-base-url", order.place.url, "--custom-model-id", order.model]
    words += ["--skip-health", "--skip-channels", "--skip-skills"]
    if has_services(order.place):
        words.append("--install-daemon")
    if launch.run(*words):
        raise LaunchError("openclaw onboarding failed. Try running: openclaw onboard")
    return order


def has_services(place: Place) -> bool:
    """Whether its gateway can be a service of the user."""
    if place.system != "linux":
        return True
    return Path("/run/systemd/system").is_dir() and bool(place.variable("XDG_RUNTIME_DIR"))


def run(launch: Launch) -> int:
    """Run what the user asked for, else its gateway and its interface in the terminal."""
    extra = launch.order.extra
    if extra and extra[0] != "tui":
        return launch.run(*extra)
    if not extra:
        _offer_channels(launch)
    port, token = _gateway(launch.order.place)
    with _gateway_running(launch, port):
        if extra:
            return launch.run(*extra)
        url = f"http://127.0.0.1:{port}" + (f"/#token={quote(token, safe='')}" if token else "")
        launch.console.say(f"\nOpenClaw is running\n\n  Open the Web UI:\n    {url}\n")
        return launch.run("tui")


def _offer_channels(launch: Launch) -> None:
    """Offer to connect a messenger, until one is or the user does not want to."""
    console = launch.console
    if not console.is_terminal or console.answers_yes:
        return
    while not _has_channel(launch.order.place):
        console.say("\nYour assistant can message you on WhatsApp, Telegram, Discord, and more.\n")
        if not console.ask("Connect a channel now?", yes="Yes", no="Set up later"):
            return
        if launch.run("channels", "add"):
            raise LaunchError("openclaw channel setup failed. Try running: openclaw channels add")


def _has_channel(place: Place) -> bool:
    channels = configuration(place).get("channels")
    rows = channels.items() if isinstance(channels, Mapping) else ()
    return any(
        isinstance(row, Mapping) and set(row) - {"enabled"}
        for name, row in rows
        if name not in {"defaults", "modelByChannel"}
    )


def _gateway(place: Place) -> tuple[int, str]:
    """The port of its gateway, and the token that its page wants, "" if none."""
    settings = configuration(place).get("gateway")
    port, token = inner(settings, "port"), inner(settings, "auth", "token")
    known = port if isinstance(port, int) and 0 < port < 65536 else PORT
    return known, token if isinstance(token, str) else ""


@contextlib.contextmanager
def _gateway_running(launch: Launch, port: int) -> Iterator[None]:
    """Have the gateway answer with the new configuration; one that was started here ends."""
    if _answers(port):
        launch.output("daemon", "restart")
        _wait(port, RESTART_SECONDS)
    elif has_services(launch.order.place):
        launch.output("daemon", "start")
        _wait(port, RESTART_SECONDS)
    if _answers(port):
        yield
        return
    launch.console.say("Starting gateway...")
    words = [str(launch.program), "gateway", "run", "--force"]
    process = start_program(words, launch.environ)
    try:
        if not _wait(port, START_SECONDS, process):
            raise LaunchError(f"gateway did not start on 127.0.0.1:{port}")
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(RESTART_SECONDS)
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def _wait(port: int, seconds: float, process: subprocess.Popen[bytes] | None = None) -> bool:
    """Wait for the gateway; False if it does not answer in time, or its process ended."""
    deadline = time.monotonic() + seconds
    while not _answers(port):
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            return False
        time.sleep(POLL_SECONDS)
    return True


def environment(order: Order) -> dict[str, str]:
    """Where it unpacks its plugins, unless the user says so."""
    name = "OPENCLAW_PLUGIN_STAGE_DIR"
    folder = order.place.home / ".openclaw" / "plugin-runtime-deps"
    return {} if name in order.place.environ else {name: str(folder)}


def elsewhere(place: Place) -> Sequence[Path]:
    """Under its older name."""
    older = place.find("clawdbot")
    return [older] if older else []


INTEGRATION = Integration(
    name="openclaw",
    title="OpenClaw",
    about="Personal AI with 100+ skills",
    kind=Kind.EDITOR,
    program="openclaw",
    aliases=("clawdbot", "moltbot"),
    elsewhere=elsewhere,
    url="https://docs.openclaw.ai",
    installer=Installer(
        ("npm", "install", "-g", "openclaw@latest"),
        (NPM, ("git", "https://git-scm.com/")),
        "{title} is not installed. Install with npm?",
    ),
    environment=environment,
    removes=KEYS,
    files=(
        ConfigFile(
            config_path,
            JSON,
            edit,
            mode=0o600,
            seeds=lambda place: (place.home / ".clawdbot" / "clawdbot.json",),
        ),
        ConfigFile(
            lambda place: place.home / ".openclaw/agents/main/sessions/sessions.json",
            JSON,
            edit_sessions,
            only_if_there=True,
            may_be_unreadable=True,
        ),
    ),
    prepare=prepare,
    run=run,
)
