"""Which integrations there are, and by which names they are found."""

from __future__ import annotations

import importlib

from puna.launch.integration import Integration
from puna.launch.process import LaunchError

__all__ = ["NAMES", "ORDER", "all_integrations", "find_integration"]

ORDER = (
    "claude",
    "chatgpt",
    "hermes",
    "openclaw",
    "opencode",
    "hermes-desktop",
    "codex",
    "copilot",
    "omp",
    "cline",
    "droid",
    "dsh",
    "pi",
    "pool",
    "qwen",
)
"""Those that are shown, in this order."""

NAMES = (*ORDER, "claude-desktop", "kimi", "muse", "vscode")
"""All of them."""


def load(name: str) -> Integration:
    """Import one by its own name."""
    module = importlib.import_module(f"puna.launch.integrations.{name.replace('-', '_')}")
    found = module.INTEGRATION
    if not isinstance(found, Integration):
        raise TypeError(f"{module.__name__}.INTEGRATION is no integration")
    return found


def all_integrations() -> list[Integration]:
    """Every integration, those that are shown first."""
    return [load(name) for name in NAMES]


def find_integration(name: str) -> Integration:
    """The integration of that name or alias, in any case. Raises LaunchError."""
    wanted = name.casefold()
    if wanted in NAMES:
        return load(wanted)
    for integration in all_integrations():
        if wanted in integration.aliases:
            return integration
    raise LaunchError(f"unknown integration: {name} (there are {', '.join(NAMES)})")
