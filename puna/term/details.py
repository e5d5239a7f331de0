"""The description of a model as `show` prints it. Facts: CLI spec, section 1.11."""

from __future__ import annotations

from collections.abc import Sequence

from puna.client.fields import Json, as_text
from puna.client.replies import ShowReply
from puna.fmt import human_number
from puna.gojson import format_general
from puna.term.table import make_table
from puna.term.width import text_width

__all__ = ["describe"]

Rows = list[list[str]]

TEXT_COLUMNS = 100
HEAD_LINES = 2
ARRAY_COLUMNS = 10


def describe(reply: ShowReply, *, verbose: bool = False) -> str:
    """The sections that have data, each with its title and a blank line after it."""
    sections: list[tuple[str, Rows]] = [
        ("Model", _model(reply)),
        ("Capabilities", [[name] for name in reply.capabilities]),
        ("Projector", _projector(reply.projector_info)),
        ("Parameters", [line.split() for line in reply.parameters.splitlines() if line.strip()]),
    ]
    if verbose:
        info = reply.model_info
        sections += [
            ("Metadata", [[key, describe_value(info[key])] for key in sorted(info)]),
            ("Tensors", [[t.name, t.type, _list(t.shape)] for t in reply.tensors]),
        ]
    text = "".join(_section(title, rows) for title, rows in sections if rows)
    for title, long in (("System", reply.system), ("License", reply.license)):
        if long:
            text += _section(title, _head(long), TEXT_COLUMNS)
    return text


def _section(title: str, rows: Rows, columns: int = 30) -> str:
    # An empty first column indents the rows.
    return f"  {title}\n" + make_table([["", *row] for row in rows], columns=columns) + "\n"


def _model(reply: ShowReply) -> Rows:
    rows: Rows = []
    if reply.remote_host:
        rows = [["Remote model", reply.remote_model], ["Remote URL", reply.remote_host]]
    info, details = reply.model_info, reply.details
    if info:
        arch = as_text(info, "general.architecture")
        size = details.parameter_size or _count(info.get("general.parameter_count"))
        rows.append(["architecture", arch])
        rows += _optional("parameters", size)
        rows += _optional("context length", _digits(info.get(f"{arch}.context_length")))
        rows += _optional("embedding length", _digits(info.get(f"{arch}.embedding_length")))
    else:
        rows += [["architecture", details.family], ["parameters", details.parameter_size]]
    rows.append(["quantization", details.quantization_level])
    return rows + _optional("requires", reply.requires)


def _projector(info: Json) -> Rows:
    if not info:
        return []
    arch = as_text(info, "general.architecture")

    def either(key: str) -> str:
        values = (info.get(f"{arch}.{sense}.{key}") for sense in ("vision", "audio"))
        return next((_digits(value) for value in values if value is not None), "")

    return [
        ["architecture", arch],
        *_optional("parameters", _count(info.get("general.parameter_count"))),
        *_optional("embedding length", either("embedding_length")),
        *_optional("dimensions", either("projection_dim")),
    ]


def _optional(name: str, value: str) -> Rows:
    return [[name, value]] if value else []


def _count(value: object) -> str:
    return human_number(int(value)) if isinstance(value, (int, float)) else ""


def _digits(value: object) -> str:
    """A number in full, without an exponent."""
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    return str(int(value)) if isinstance(value, (int, float)) else ""


def describe_value(value: object) -> str:
    """A metadata value in little space, as Go prints it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return format_general(value)
        case str():
            return value
        case list():
            return _short_list(value)
        case None:
            return "<nil>"
        case _:
            return "map[string]interface {}"


def _short_list(values: Sequence[object]) -> str:
    """As many items as fit, at least one: `[a b ...+7 more]`."""
    shown: list[str] = []
    used = 1
    for value in values:
        text = describe_value(value)
        used += text_width(text) + (2 if shown else 0)
        if shown and used > ARRAY_COLUMNS:
            break
        shown.append(text)
    left = len(values) - len(shown)
    return f"[{' '.join(shown)} ...+{left} more]" if left else f"[{' '.join(shown)}]"


def _list(values: Sequence[object]) -> str:
    return f"[{' '.join(map(str, values))}]"


def _head(text: str) -> Rows:
    """The first non-empty lines, and dots if there are more."""
    lines = [[line.strip()] for line in text.splitlines() if line.strip()]
    return lines if len(lines) <= HEAD_LINES else [*lines[:HEAD_LINES], ["..."]]
