"""The header `WWW-Authenticate`, read: what a registry wants to see. Facts: models spec, 7.1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

__all__ = ["Challenge", "parse_challenge"]

MAX_CHARS = 16_384

_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)(?=\s|$)", re.IGNORECASE)
_PAIR = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"(.*?)"(?=\s*(?:,|$))|([^",\s]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """What to prove: `kind` is `bearer` (with a token from `realm`), `basic`, or "" for neither."""

    kind: str = ""
    realm: str = ""
    service: str = ""
    scope: str = ""

    @property
    def scopes(self) -> list[str]:
        """The single scopes; a header may name several, with blanks between."""
        return self.scope.split()


def parse_challenge(header: str) -> Challenge:
    """Read the header; where it offers several ways, a token is preferred. Never fails."""
    header = header[:MAX_CHARS]
    marks = list(_SCHEME.finditer(header))
    found: dict[str, Challenge] = {}
    for mark, after in zip_longest(marks, marks[1:]):
        text = header[mark.end() : after.start() if after else None]
        values = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(text)}
        kind = mark[1].lower()
        found.setdefault(
            kind,
            Challenge(
                kind, values.get("realm", ""), values.get("service", ""), values.get("scope", "")
            ),
        )
    return found.get("bearer") or found.get("basic") or Challenge()
