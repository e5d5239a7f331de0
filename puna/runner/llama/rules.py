"""What a request's `format`, `grammar`, `regex` or `outline` says, as a grammar of llguidance's.

Hostile ones are bounded here: by their length and number of rules, which bound the depth of the
compiler's recursion, and by the work that may go into their lexer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from llguidance import LLMatcher
from llguidance.gbnf_to_lark import gbnf_to_lark, is_lark_syntax

from puna.errors import BadRequest
from puna.runner.protocol import Generation

__all__ = ["Kind", "Rules", "refusal"]

Kind = Literal["JSON schema", "grammar", "regex", "tools"]

_SPACES = {"whitespace_flexible": True, "whitespace_pattern": r"[ ]?|\n{1,2}[ \t]{0,20}"}
"""White space is bounded: a model that likes newlines would otherwise never come to an end."""

_MOST = {  # characters
    "JSON schema": 256 * 1024,
    "grammar": 64 * 1024,
    "regex": 16 * 1024,
    "tools": 512 * 1024,
}
_MOST_RULES = 500
_MOST_REFERENCES = 1000
_FUEL = 50_000  # a tenth of a second
_FUEL_PER_CHARACTER = 3

_RULE = re.compile(r"^[ \t]*+[!?]*+[\w.-]++[^\n:]*+:", re.MULTILINE)  # never goes back in a line
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)", re.DOTALL)
_ASCII, _SURROGATES, _END = 0x80, range(0xD800, 0xE000), 0x110000


@dataclass(frozen=True, slots=True)
class Rules:
    """A grammar that can be compiled. `fuel` bounds the work of compiling its lexer."""

    kind: Kind
    grammar: str
    fuel: int

    @classmethod
    def of(cls, order: Generation) -> Rules | None:
        """What the order's answer is held to. Raises BadRequest."""
        answer = cls._of_answer(order)
        if not order.outline:
            return answer
        _check_length("tools", order.outline)
        grammars: list[dict[str, object]] = [{"lark_grammar": order.outline}]
        if answer is not None:
            grammars.append({**answer._alone(), "name": "answer"})
        kind, fuel = (answer.kind, answer.fuel) if answer else ("tools", _FUEL)
        whole = json.dumps({"grammars": grammars}, ensure_ascii=False)
        return cls(kind, whole, fuel + _FUEL_PER_CHARACTER * len(order.outline))

    @classmethod
    def _of_answer(cls, order: Generation) -> Rules | None:
        if order.format:
            return cls._make("JSON schema", order.format, _from_format(order.format))
        if order.grammar:
            return cls._make("grammar", order.grammar, _from_grammar(order.grammar))
        if order.regex:
            _check_length("regex", order.regex)
            return cls._make("regex", order.regex, LLMatcher.grammar_from_regex(order.regex))
        return None

    def _alone(self) -> dict[str, object]:
        """As one of several grammars: Lark is text, the others are lists of one."""
        if self.kind == "grammar":
            return {"lark_grammar": self.grammar}
        [alone] = json.loads(self.grammar)["grammars"]
        return dict(alone)

    @classmethod
    def _make(cls, kind: Kind, source: str, grammar: str) -> Rules:
        return cls(kind, grammar, _FUEL + _FUEL_PER_CHARACTER * len(source))


def refusal(kind: Kind, reason: str) -> BadRequest:
    """The error for a grammar that does not compile, with the first line of the reason."""
    first = (reason.strip().splitlines() or ["it cannot be read"])[0]
    verb = "conversion failed" if kind == "JSON schema" else "refused"
    return BadRequest(f"{kind} {verb}: {first}")


def _from_format(text: str) -> str:
    """The JSON text of `"json"`, or of a schema."""
    _check_length("JSON schema", text)
    if text.count('"$ref"') > _MOST_REFERENCES:
        raise refusal("JSON schema", f'more than {_MOST_REFERENCES} times "$ref"')
    try:
        wanted = json.loads(text)
        schema = {"type": "object"} if wanted == "json" else wanted
        return str(LLMatcher.grammar_from_json_schema(schema, defaults=_SPACES))
    except RecursionError:
        raise refusal("JSON schema", "nested too deep") from None
    except ValueError as error:  # numbers of more than 64 bits, for one
        raise refusal("JSON schema", str(error)) from None


def _from_grammar(text: str) -> str:
    """Lark as it is, GBNF converted. Lark has a rule `start`, GBNF a rule `root`."""
    _check_length("grammar", text)
    if sum(1 for _ in _RULE.finditer(text)) > _MOST_RULES:
        raise refusal("grammar", f"more than {_MOST_RULES} rules")
    return str(LLMatcher.grammar_from_lark(text if is_lark_syntax(text) else _lark_of(text)))


def _check_length(kind: Kind, text: str) -> None:
    if len(text) > _MOST[kind]:
        raise refusal(kind, f"longer than {_MOST[kind]} characters")


def _lark_of(gbnf: str) -> str:
    try:
        return str(gbnf_to_lark(_ESCAPE.sub(_unescaped, gbnf)))
    except Exception as error:  # noqa: BLE001 - the converter raises whatever comes to it
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise refusal("grammar", reason) from None


def _unescaped(match: re.Match[str]) -> str:
    """A numbered character as itself, as the converter misreads longer numbers."""
    digits = match[1] or match[2] or match[3]
    code = int(digits, 16) if digits else _END
    if code >= _END or code in _SURROGATES:
        return match[0]
    return f"\\x{code:02x}" if code < _ASCII else chr(code)
