"""The configuration files of other programs: JSON, YAML and TOML as values that can be changed in
place. Comments and the order of keys stay, where the form has them.

What is read is untrusted: its size is bounded, and what cannot be read is an error that leaves the
file as it is.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from puna.errors import BadRequest

__all__ = ["FORMS", "JSON", "MEND", "TOML", "YAML", "Document", "Form", "Table", "read_document"]

Table = MutableMapping[str, object]

MAX_BYTES = 16 << 20
JSON_SPACES = 2
MEND = "mend it or move it away, then try again"
YAML_WIDTH = 4096


class _Unreadable(ValueError):
    """What a form says about a text that it cannot read."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file. `read` raises ValueError, `write` gives text that ends as the form does."""

    name: str
    read: Callable[[str], object]
    write: Callable[[object], str]
    empty: Callable[[], Table] = dict


class Document:
    """One file as a value. `root` is None where there is no file, or nothing in it."""

    def __init__(self, path: Path, form: Form, root: object) -> None:
        self.path = path
        self.form = form
        self.root = root

    @property
    def table(self) -> Table:
        """The whole as a table, made if there is nothing. Raises BadRequest if it is none."""
        if self.root is None:
            self.root = self.form.empty()
        if not isinstance(self.root, MutableMapping):
            raise BadRequest(f"{self.path} should hold an object: {MEND}")
        return self.root

    @property
    def items(self) -> list[object]:
        """The whole as a list, made if there is nothing. Raises BadRequest if it is none."""
        if self.root is None:
            self.root = []
        if not isinstance(self.root, list):
            raise BadRequest(f"{self.path} should hold a list: {MEND}")
        return self.root

    def at(self, *keys: str) -> Table:
        """The table under these keys, each made if it is not there. Raises BadRequest where
        something else is there.
        """
        table = self.table
        for depth, key in enumerate(keys, 1):
            if table.get(key) is None:
                table[key] = {}
            inner = table[key]
            if not isinstance(inner, MutableMapping):
                raise BadRequest(f"{'.'.join(keys[:depth])} in {self.path} is no object: {MEND}")
            table = inner
        return table

    def list_at(self, *keys: str) -> list[object]:
        """The list under these keys, empty where there is none. Raises BadRequest where something
        else is there.
        """
        found = self.at(*keys[:-1]).get(keys[-1])
        if found is None:
            return []
        if not isinstance(found, list):
            raise BadRequest(f"{'.'.join(keys)} in {self.path} is no list: {MEND}")
        return list(found)

    def bytes(self) -> bytes:
        """What the file is to hold."""
        return self.form.write(self.root).encode()

    def copy(self) -> Document:
        """Another one of the same content."""
        return Document(self.path, self.form, copy.deepcopy(self.root))


def read_document(path: Path, form: Form, raw: bytes | None) -> Document:
    """Read the content of the file `path`; None stands for no file. Raises BadRequest."""
    if raw is None or not raw.strip():
        return Document(path, form, None)
    if len(raw) > MAX_BYTES:
        raise BadRequest(f"{path} is larger than {MAX_BYTES >> 20} MiB: {MEND}")
    try:
        return Document(path, form, form.read(raw.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadRequest(f"{path} cannot be read as {form.name} ({reason}): {MEND}") from error


def _refuse_constant(text: str) -> object:
    raise _Unreadable(f"{text} is no number")


def _read_json(text: str) -> object:
    return json.loads(text, parse_constant=_refuse_constant)


def _write_json(root: object) -> str:
    return json.dumps(root, indent=JSON_SPACES, ensure_ascii=False) + "\n"


def _read_yaml(text: str) -> object:
    from ruamel.yaml import YAML as Reader  # noqa: PLC0415 - only some integrations need it
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - only some integrations need it

    reader = Reader()
    reader.preserve_quotes = True
    try:
        return cast("object", reader.load(text))
    except YAMLError as error:
        raise _Unreadable(str(error)) from error


def _write_yaml(root: object) -> str:
    from ruamel.yaml import YAML as Writer  # noqa: PLC0415 - only some integrations need it

    writer = Writer()
    writer.width = YAML_WIDTH
    out = io.StringIO()
    writer.dump(root, out)
    return out.getvalue()


def _read_toml(text: str) -> object:
    import tomlkit  # noqa: PLC0415 - only some integrations need it

    return tomlkit.parse(text)  # its errors are ValueErrors


def _write_toml(root: object) -> str:
    import tomlkit  # noqa: PLC0415 - only some integrations need it

    return tomlkit.dumps(cast("dict[str, object]", root))


def _empty_toml() -> Table:
    import tomlkit  # noqa: PLC0415 - only some integrations need it

    return tomlkit.document()


JSON = Form("JSON", _read_json, _write_json)
YAML = Form("YAML", _read_yaml, _write_yaml)
TOML = Form("TOML", _read_toml, _write_toml, _empty_toml)
FORMS = {form.name: form for form in (JSON, YAML, TOML)}
