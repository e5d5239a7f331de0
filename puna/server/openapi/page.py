"""The OpenAPI document as one page: static, without scripts, nothing from elsewhere.

A link's place is inside what is folded: then browsers unfold it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from puna.server.openapi.document import document
from puna.server.openapi.operation import Schema

__all__ = ["POLICY", "page"]

_STYLE = """
:root { color-scheme: light dark; --soft: #8884; --strong: #07a }
@media (prefers-color-scheme: dark) { :root { --strong: #6cf } }
* { box-sizing: border-box }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem }
h1, h2 { line-height: 1.2 }
h2 { margin-top: 2.5rem; border-bottom: 2px solid var(--soft) }
a { color: var(--strong) }
code, pre { font: .9em/1.45 ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: #8882; padding: .6rem; overflow-x: auto; border-radius: .3rem }
details { border-bottom: 1px solid var(--soft); padding: .45rem 0 }
summary { cursor: pointer; overflow-wrap: anywhere }
details > div { scroll-margin-top: 3rem }
summary b { color: var(--strong) }
dl { margin: .5rem 0 .5rem 1rem }
dt { margin-top: .45rem; overflow-wrap: anywhere }
dd { margin: 0 0 0 1rem }
small { opacity: .75 }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: its own style and nothing else."""


@cache
def page() -> bytes:
    """The page as HTML."""
    told = document()
    title = f"{told['info']['title']} {told['info']['version']}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}: API</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p>{_text(told['info']['description'])}</p>",
        '<p><a href="openapi.json">openapi.json</a> is this page for programs.</p><ul>',
        *(f'<li><a href="#{tag["name"]}">{tag["name"]}</a></li>' for tag in told["tags"]),
        '<li><a href="#Types">Types</a></li></ul>',
    ]
    for tag in told["tags"]:
        parts.append(f'<h2 id="{tag["name"]}">{tag["name"]}</h2>')
        parts.append(f"<p>{escape(tag['description'])}</p>")
        parts += _operations(told, tag["name"])
    parts.append('<h2 id="Types">Types</h2>')
    parts += [_type(name, schema) for name, schema in told["components"]["schemas"].items()]
    parts.append("</body></html>")
    return "\n".join(parts).encode()


def _operations(told: Schema, tag: str) -> Iterator[str]:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield _operation(method.upper(), path, operation)


def _operation(method: str, path: str, operation: Schema) -> str:
    parts = [
        f"<details><summary><b>{method}</b> <code>{escape(path)}</code> "
        f'{_text(operation["summary"])}</summary><div id="{operation["operationId"]}">',
    ]
    if "description" in operation:
        parts.append(f"<p>{_text(operation['description'])}</p>")
    parts.append("<dl>")
    for parameter in operation.get("parameters", ()):
        where = f"{parameter['in']} {parameter['name']}"
        parts.append(_entry(where, _text(parameter.get("description", ""))))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        needs = ", ".join(content["schema"].get("required", ()))
        told = _kind(content["schema"]) + (f"; needs {escape(needs)}" if needs else "")
        parts.append(_entry(f"body {media}", told))
    for status, answer in operation["responses"].items():
        parts.append(_entry(status, _answer(answer)))
    parts.append("</dl>")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in content:
            parts.append(f"<pre>{_command(method, path, content['example'])}</pre>")
    return "".join([*parts, "</div></details>"])


def _answer(answer: Schema) -> str:
    told = _text(answer["description"])
    for media, content in answer.get("content", {}).items():
        schema = content.get("x-item-schema", content["schema"])
        of = " of " if "x-item-schema" in content else ": "
        told += f"<br><small>{escape(media)}{of}{_kind(schema)}</small>"
    return told


def _command(method: str, path: str, example: Any) -> str:
    body = json.dumps(example, indent=1)
    return escape(f"curl -X {method} http://localhost:11434{path} -d '{body}'", quote=False)


def _type(name: str, schema: Schema) -> str:
    needed = schema.get("required", ())
    rows = [
        _entry(
            field,
            _kind(told)
            + ("; always there" if field in needed else "")
            + (f"<br>{_text(told['description'])}" if "description" in told else ""),
        )
        for field, told in schema.get("properties", {}).items()
    ]
    about = _text(schema.get("description", ""))
    return (
        f'<details><summary><code>{name}</code></summary><div id="{name}">'
        f"<p>{about}</p><dl>{''.join(rows)}</dl></div></details>"
    )


def _entry(term: str, told: str) -> str:
    return f"<dt><code>{escape(term)}</code></dt><dd>{told}</dd>"


def _kind(schema: Schema) -> str:
    """What a value is, in a few words, with links to types."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(each))}</code>" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _text(text: str) -> str:
    """Words between backquotes are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
