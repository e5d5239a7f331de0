"""Which version of the native API we speak. Puna's own version is `puna.__version__`."""

from __future__ import annotations

import platform
import sys

from puna import __version__

__all__ = ["API_VERSION", "registry_user_agent"]

API_VERSION = "0.32.15"
"""The version of the reference whose API this is, reported by `/api/version`.

Clients refuse servers below a minimum (VS Code's Copilot: 0.6.4, compared number by number), so our
own 0.x cannot stand there.
"""

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def registry_user_agent() -> str:
    """Who asks a registry for a model. Registries refuse versions that are too old for a model, so
    the version whose manifests we read comes first.
    """
    machine = platform.machine().lower()
    system = "windows" if sys.platform == "win32" else sys.platform
    return f"ollama/{API_VERSION} ({_MACHINES.get(machine, machine)} {system}) Puna/{__version__}"
