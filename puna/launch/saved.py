"""What was chosen before: the models of each integration, and the last choices of the menu.

They are in `config.json` in Puna's folder, in the reference's form; while that is not there, the
reference's own file is read. Facts: CLI spec, section 4.3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import BadRequest
from puna.launch.files import read_file, write_file
from puna.launch.integration import Integration
from puna.launch.place import Place

__all__ = ["Choices", "Saved"]

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Saved:
    """The choices for one integration; `onboarded` says whether it was set up to its end."""

    models: tuple[str, ...] = ()
    onboarded: bool = False


@dataclass(slots=True)
class Choices:
    """The content of the file."""

    path: Path
    content: dict[str, object] = field(default_factory=dict)

    @classmethod
    def read(cls, place: Place) -> Choices:
        """Read the file. Raises BadRequest if it is damaged."""
        path = place.own_folder / "config.json"
        theirs = place.home / ".ollama"
        for candidate in (path, theirs / "config.json", theirs / "config" / "config.json"):
            raw = read_file(candidate)
            if raw is None:
                continue
            try:
                content = json.loads(raw) if len(raw) <= MAX_BYTES else None
            except (ValueError, RecursionError):
                content = None
            if isinstance(content, dict):
                return cls(path, content)
            if candidate == path:
                raise BadRequest(f"failed to parse config: it is no JSON object, at: {path}")
        return cls(path)

    def of(self, integration: Integration) -> Saved:
        """What was chosen for it, perhaps under another of its names."""
        for name in (integration.name, *integration.aliases):
            row = self._rows().get(name)
            if isinstance(row, dict):
                models = row.get("models")
                names = (
                    [m for m in models if isinstance(m, str)] if isinstance(models, list) else []
                )
                return Saved(tuple(names), row.get("onboarded") is True)
        return Saved()

    def save(
        self, integration: Integration, models: Sequence[str], *, onboarded: bool | None = None
    ) -> None:
        """Remember models, and unless it is None whether it was set up to its end."""
        before = self.of(integration)
        rows = self._rows()
        old = [rows.pop(alias, None) for alias in integration.aliases]
        row = next((r for r in (rows.get(integration.name), *old) if isinstance(r, dict)), {})
        done = before.onboarded if onboarded is None else onboarded
        rows[integration.name] = {**row, "models": list(models)} | (
            {"onboarded": True} if done else {}
        )
        self.content["integrations"] = rows
        self._write()

    @property
    def last_model(self) -> str:
        """The model that was run last, "" if there is none."""
        return self._text("last_model")

    @property
    def last_selection(self) -> str:
        """What was chosen last in the menu: `run`, the name of an integration, or ""."""
        return self._text("last_selection")

    def save_last(self, *, model: str = "", selection: str = "") -> None:
        """Remember a choice of the menu; what is "" stays as it is."""
        given = {"last_model": model, "last_selection": selection}
        self.content |= {key: value for key, value in given.items() if value}
        self._write()

    def _text(self, key: str) -> str:
        value = self.content.get(key)
        return value if isinstance(value, str) else ""

    def _rows(self) -> dict[str, object]:
        rows = self.content.get("integrations")
        return rows if isinstance(rows, dict) else {}

    def _write(self) -> None:
        text = json.dumps(self.content, indent=2, ensure_ascii=False) + "\n"
        if read_file(self.path) != text.encode():
            write_file(self.path, text.encode())
