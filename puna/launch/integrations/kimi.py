"""Kimi Code CLI: its whole configuration is one argument."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from puna.launch.integration import Integration, Kind, Order, Refusal, script
from puna.launch.place import Place

__all__ = ["INTEGRATION"]

ENTRY = "ollama"
UNKNOWN_CONTEXT = 32768


def configuration(order: Order) -> str:
    """What `--config` takes."""
    provider = {
        "type": "openai_legacy",
        "base_url": f"{order.place.reachable_url}/v1",
        "api_key": "ollama",
    }
    model = {
        "provider": ENTRY,
        "model": order.model,
        "max_context_size": order.models[0].context_length or UNKNOWN_CONTEXT,
    }
    return json.dumps(
        {"default_model": ENTRY, "providers": {ENTRY: provider}, "models": {ENTRY: model}}
    )


def elsewhere(place: Place) -> Sequence[Path]:
    """Where its installer and uv put it."""
    data = place.variable("XDG_DATA_HOME")
    shares = [place.home / ".local" / "share", *([Path(data)] if data else [])]
    return (
        place.home / ".local" / "bin" / "kimi",
        place.home / "bin" / "kimi",
        *(
            share / "uv" / "tools" / name / "bin" / "kimi"
            for share in shares
            for name in ("kimi-cli", "kimi")
        ),
    )


INTEGRATION = Integration(
    name="kimi",
    title="Kimi Code CLI",
    about="Moonshot's coding agent for terminal and IDEs",
    kind=Kind.RUNS,
    program="kimi",
    elsewhere=elsewhere,
    url="https://moonshotai.github.io/kimi-cli/en/guides/getting-started.html",
    installer=script("https://code.kimi.com/install.sh"),
    arguments=lambda order: ["--config", configuration(order), *order.extra],
    refuses=(
        Refusal(("--config",), "--config"),
        Refusal(("--config-file",), "--config-file"),
        Refusal(("--model",), "--model"),
        Refusal(("-m",), "-m/--model"),
    ),
)
