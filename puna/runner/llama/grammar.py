"""What a request's `format` means to libllama: a GBNF grammar.

Facts: prompting spec, 7.2 and 7.3. The door for structured output: masks computed elsewhere
would replace this module and nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec
from llama_cpp.llama_grammar import json_schema_to_gbnf

from puna.errors import BadRequest

__all__ = ["grammar_for"]

# white space is bounded: a model that likes newlines would otherwise never come to an end
_JSON_OBJECT = r"""
root ::= object
value ::= (object | array | string | number | "true" | "false" | "null") ws
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}"
array ::= "[" ws (value ("," ws value)*)? "]"
string ::= "\"" ([^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt/] | "u" hex hex hex hex))* "\"" ws
hex ::= [0-9a-fA-F]
number ::= "-"? [0-9]+ ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
ws ::= (" " | "\n" [ \t]{0,20})?
"""


def grammar_for(format: str) -> str:
    """The grammar for the JSON text of a format: `"json"`, or a JSON Schema.

    Raises BadRequest when the schema cannot be turned into a grammar.
    """
    wanted = msgspec.json.decode(format)
    if wanted == "json":
        return _JSON_OBJECT
    if _has_remote_reference(wanted):
        raise BadRequest("JSON schema conversion failed: only references inside the schema work")
    try:
        return str(json_schema_to_gbnf(format))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError) as cause:
        raise BadRequest(
            f"JSON schema conversion failed: {cause or type(cause).__name__}"
        ) from None
    except RecursionError:
        raise BadRequest("JSON schema conversion failed: nested too deep") from None


def _has_remote_reference(schema: Any) -> bool:
    """The converter would fetch such references from the network."""
    match schema:
        case dict():
            target = schema.get("$ref")
            if isinstance(target, str) and not target.startswith("#"):
                return True
            return any(_has_remote_reference(item) for item in schema.values())
        case list():
            return any(_has_remote_reference(item) for item in schema)
    return False
