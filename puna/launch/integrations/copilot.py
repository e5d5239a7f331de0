"""GitHub's Copilot CLI: set up by its environment alone."""

from __future__ import annotations

from puna.launch.integration import Integration, Kind

__all__ = ["INTEGRATION"]

INTEGRATION = Integration(
    name="copilot",
    title="Copilot CLI",
    about="GitHub's AI coding agent for the terminal",
    kind=Kind.RUNS,
    program="copilot",
    aliases=("copilot-cli",),
    elsewhere=lambda place: (place.home / ".local" / "bin" / "copilot",),
    url="https://github.com/features/copilot/cli/",
    arguments=lambda order: ["--model", order.model, *order.extra],
    environment=lambda order: {
        "COPILOT_PROVIDER_BASE_URL": f"{order.place.url}/v1",
        "COPILOT_PROVIDER_API_KEY": order.place.api_key,
        "COPILOT_PROVIDER_WIRE_API": "responses",
        "COPILOT_MODEL": order.model,
    },
    takes_key=True,
)
