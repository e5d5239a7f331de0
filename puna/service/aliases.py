"""Names that clients have built in (`gpt-*`, `claude-*`), answered by models that are here.

Facts: compatibility spec, 9.4. There are none unless the setting says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from puna.errors import CloudDisabled, InvalidName, ModelNotFound
from puna.fmt import rfc3339
from puna.service.catalog import Catalog, Entry

__all__ = ["Aliases"]

_LONGEST = 1024
"""Characters of a name that is looked at: models have shorter ones."""


class Aliases:
    """The pairs `pattern=model` of the setting model_aliases; the first that fits counts.

    In a pattern `*` stands for any text. A name that is installed is never an alias.
    """

    def __init__(self, catalog: Catalog, pairs: Sequence[str]) -> None:
        self._catalog = catalog
        split = [pair.partition("=") for pair in pairs]
        self._rules = [(_pattern(names), model) for names, _, model in split]
        self._names = {name: model for name, _, model in reversed(split) if "*" not in name}

    async def resolve(self, name: str) -> str:
        """The model that answers where a client asks for `name`."""
        if not 0 < len(name) <= _LONGEST:
            return name
        for pattern, model in self._rules:
            if pattern.fullmatch(name):
                return model if await self._installed(name) is None else name
        return name

    async def listed(self) -> dict[str, str]:
        """The aliases that can be listed, those without a `*`, and when the models that they stand
        for were last modified."""
        found: dict[str, str] = {}
        for name, model in self._names.items():
            entry = await self._installed(model)
            if entry is not None and await self._installed(name) is None:
                stored = entry.model.stored
                found[name] = rfc3339(stored.modified_at, stored.nanosecond)
        return found

    async def _installed(self, name: str) -> Entry | None:
        try:
            return await self._catalog.find(name)
        except (ModelNotFound, CloudDisabled, InvalidName):
            return None


def _pattern(names: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, names.split("*"))), re.IGNORECASE)
