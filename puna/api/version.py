"""Which version of the native API we speak. Puna's own version is `puna.__version__`."""

from __future__ import annotations

__all__ = ["API_VERSION"]

API_VERSION = "0.32.15"
"""The version of the reference whose API this is, reported by `/api/version`.

Clients refuse servers below a minimum (VS Code's Copilot: 0.6.4, compared number by number), so our
own 0.x cannot stand there.
"""
