"""Poolside's agent: set up by its environment alone."""

from __future__ import annotations

from puna.launch.integration import Integration, Kind

__all__ = ["INTEGRATION"]

INTEGRATION = Integration(
    name="pool",
    title="Poolside",
    about="Poolside's software agent for enterprise development",
    kind=Kind.RUNS,
    program="pool",
    systems=("linux", "darwin"),
    url="https://github.com/poolsideai/pool",
    arguments=lambda order: ["-m", order.model, *order.extra],
    environment=lambda order: {
        "POOLSIDE_STANDALONE_BASE_URL": f"{order.place.url}/v1",
        "POOLSIDE_API_KEY": order.place.key,
    },
    takes_key=True,
)
