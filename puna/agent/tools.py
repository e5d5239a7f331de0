"""The tools of the agent as a table: what the model is told, what the user is asked, what is done.
Facts: CLI spec, section 5.2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from puna.agent.approvals import Wish
from puna.agent.fence import Fence, Refused, is_run_unasked
from puna.agent.files import (
    Edit,
    apply_edits,
    list_folder,
    read_lines,
    read_whole,
    search,
    write_text,
)
from puna.agent.shell import run_shell, why_unsafe
from puna.agent.skills import Skill
from puna.agent.web import web_fetch
from puna.client.fields import Json, as_object, as_text
from puna.client.replies import ToolCall

__all__ = ["TOOLS", "Tool", "Workplace", "offered", "prepare"]


@dataclass(slots=True)
class Workplace:
    """What tools work on."""

    fence: Fence
    skills: Mapping[str, Skill] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A call that was checked: what the user is asked, and how it is carried out."""

    wish: Wish
    run: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool; `prepare` checks the arguments of a call and raises Refused."""

    about: str
    parameters: Json
    prepare: Callable[[Workplace, Json], Job]
    required: tuple[str, ...]


def prepare(place: Workplace, call: ToolCall, names: Container[str] | None = None) -> Job:
    """Check a call of a tool that is named, or of any. Raises Refused, with a text that the model
    can use.
    """
    allowed = TOOLS if names is None else names
    tool = TOOLS.get(call.name)
    if tool is None or call.name not in allowed:
        there = ", ".join(_named(place, allowed)) or "none"
        raise Refused(f"there is no tool {call.name!r}; there are {there}")
    return tool.prepare(place, call.arguments)


def offered(place: Workplace, names: Container[str]) -> list[Json]:
    """Those of the tools that are named, as a request has them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": tool.about,
                "parameters": {
                    "type": "object",
                    "properties": tool.parameters,
                    "required": list(tool.required),
                },
            },
        }
        for name, tool in _named(place, names).items()
    ]


def _named(place: Workplace, names: Container[str]) -> dict[str, Tool]:
    """Those of the tools that are named; skills only where there are any."""
    return {
        name: tool
        for name, tool in TOOLS.items()
        if name in names and (name != "skill" or place.skills)
    }


def bash(place: Workplace, given: Json) -> Job:
    command = _text(given, "command")
    fence = place.fence
    if problem := why_unsafe(command, fence.here):
        raise Refused(f"refusing to run unsafe command: {problem}")

    def run() -> str:
        outcome = run_shell(command, fence.here)
        place.fence = fence.moved(outcome.folder)
        return outcome.text

    where = "" if fence.here == fence.root else f" (in {fence.shown(fence.here)})"
    # In another folder the same words do something else.
    grant = f"bash {fence.here}\0{command}"
    wish = Wish("bash", f"Run{where}:\n{command}", grant, "this exact command")
    return Job(wish, run)


def read(place: Workplace, given: Json) -> Job:
    path = place.fence.find(_text(given, "path"))
    start, end = _whole(given, "start"), _whole(given, "end")
    lines = f", lines {start or 1} to {end or 'the end'}" if start or end else ""
    is_inside = place.fence.holds(path)

    def run() -> str:
        found = _again(place.fence, path, is_inside=is_inside)
        return read_lines(found, 1 if start is None else start, end, place.fence.base(found))

    return Job(_wish(place, "read", f"Read {path}{lines}", is_inside=is_inside), run)


def list_(place: Workplace, given: Json) -> Job:
    path = place.fence.find(str(place.fence.find(as_text(given, "path") or ".").resolve()))
    is_inside = place.fence.holds(path)
    return Job(
        _wish(place, "list", f"List {path}", is_inside=is_inside),
        lambda: list_folder(place.fence, _again(place.fence, path, is_inside=is_inside)),
    )


def search_(place: Workplace, given: Json) -> Job:
    pattern, names = _text(given, "pattern"), as_text(given, "files") or "*"
    written = place.fence.find_inside(as_text(given, "path") or ".")
    path = place.fence.find_inside(str(written.resolve()))
    return Job(
        _wish(place, "search", f"Search for {pattern!r} in {path} ({names})"),
        lambda: search(place.fence, place.fence.find_inside(str(path)), pattern, names),
    )


def write(place: Workplace, given: Json) -> Job:
    path = place.fence.find_inside(_text(given, "path"))
    content = given.get("content")
    if not isinstance(content, str):
        raise Refused("content must be a text")
    there = path.exists()

    def run() -> str:
        write_text(place.fence.find_inside(str(path)), content, place.fence.root)
        return f"Wrote {place.fence.shown(path)} ({len(content.encode('utf-8', 'replace'))} bytes)."

    verb = "Replace" if there else "Create"
    return Job(_change("write", f"{verb} {path}", _marked("+", content), path), run)


def edit(place: Workplace, given: Json) -> Job:
    written = _text(given, "path")
    path = place.fence.find_inside(written)
    edits, all_of_them = _edits(given), _flag(given, "replace_all", "replaceAll")
    whole = read_whole(path, place.fence.root)
    apply_edits(whole, edits, replace_all=all_of_them)  # what cannot be, is not asked for

    def run() -> str:
        found, root = place.fence.find_inside(str(path)), place.fence.root
        text, count = apply_edits(read_whole(found, root), edits, replace_all=all_of_them)
        write_text(found, text, root)
        shown = place.fence.shown(path)
        return (
            f"Updated {shown} ({_counted(len(edits), 'edit')}, {_counted(count, 'replacement')})."
        )

    changes = "\n".join(_marked("-", each.old) + "\n" + _marked("+", each.new) for each in edits)
    everywhere = " everywhere" if all_of_them else ""
    return Job(_change("edit", f"Edit {path}{everywhere}", changes, path), run)


def fetch(place: Workplace, given: Json) -> Job:
    url = _text(given, "url")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise Refused(f"the address cannot be read: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise Refused("it is no http or https address")
    wish = Wish("web_fetch", f"Fetch {url}", f"web_fetch {host}", f"web_fetch from {host}")
    return Job(wish, lambda: web_fetch(url))


def skill(place: Workplace, given: Json) -> Job:
    name = _text(given, "name")
    found = place.skills.get(name)
    if found is None:
        raise Refused(f"there is no skill {name!r}; there are {', '.join(place.skills) or 'none'}")
    return Job(_wish(place, "skill", f"Load the skill {name}"), found.load)


def _wish(place: Workplace, tool: str, text: str, *, is_inside: bool = True) -> Wish:
    """A wish; outside of the working folder each call is asked for."""
    if is_inside:
        return Wish(tool, text, tool, tool)
    return Wish(tool, f"{text}\nThis is outside of the working folder {place.fence.root}.")


def _change(tool: str, head: str, changes: str, path: Path) -> Wish:
    """A wish to change a file; what programs run unasked is asked for each time."""
    if is_run_unasked(path):
        return Wish(tool, f"{head}:\n(programs may run or obey what lies here)\n{changes}")
    return Wish(tool, f"{head}:\n{changes}", tool, tool)


def _again(fence: Fence, path: Path, *, is_inside: bool) -> Path:
    """A path that was found, checked once more. Raises Refused."""
    return fence.find_inside(str(path)) if is_inside else fence.find(str(path))


def _text(given: Json, key: str) -> str:
    text = as_text(given, key)
    if not text:
        raise Refused(f"{key} is missing")
    return text


def _whole(given: Json, key: str) -> int | None:
    """A line number, which models also write as a text; None where there is none."""
    value = given.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, int | float | str):
        with suppress(ValueError, OverflowError):
            return int(value)
    raise Refused(f"{key} must be a whole number")


def _flag(given: Json, *names: str) -> bool:
    return any(given.get(name) in (True, "true") for name in names)


def _edits(given: Json) -> list[Edit]:
    """The edits of a call, in the forms that models write."""
    listed = given.get("edits")
    if isinstance(listed, str):
        try:
            listed = json.loads(listed)
        except ValueError as error:
            raise Refused("edits must be a list of old_text and new_text") from error
    rows: Sequence[object] = listed if isinstance(listed, list) else [given]
    return [
        Edit(
            as_text(row, "old_text") or as_text(row, "oldText"),
            as_text(row, "new_text") or as_text(row, "newText"),
        )
        for row in map(as_object, rows)
    ]


def _marked(mark: str, text: str) -> str:
    return "\n".join(f"{mark} {line}" for line in text.split("\n"))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


_FILE: Json = {"type": "string", "description": "The file"}
_FOLDER: Json = {"type": "string", "description": "The folder"}

TOOLS: dict[str, Tool] = {
    "bash": Tool(
        "Run a command in the shell. A cd holds for later calls.",
        {"command": {"type": "string", "description": "The command"}},
        bash,
        ("command",),
    ),
    "read": Tool(
        "Read a file, or some of its lines.",
        {
            "path": _FILE,
            "start": {"type": "integer", "description": "The first line, from 1"},
            "end": {"type": "integer", "description": "The last line"},
        },
        read,
        ("path",),
    ),
    "list": Tool("List the files of a folder.", {"path": _FOLDER}, list_, ()),
    "search": Tool(
        "Search the files below a folder for a regular expression.",
        {
            "pattern": {"type": "string", "description": "The regular expression"},
            "path": _FOLDER,
            "files": {"type": "string", "description": "Names of files, as *.py"},
        },
        search_,
        ("pattern",),
    ),
    "write": Tool(
        "Write a text to a file, in place of what was there.",
        {"path": _FILE, "content": {"type": "string", "description": "The text"}},
        write,
        ("path", "content"),
    ),
    "edit": Tool(
        "Replace texts in a file. Each old_text must be in the file exactly once.",
        {
            "path": _FILE,
            "edits": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"old_text": {"type": "string"}, "new_text": {"type": "string"}},
                    "required": ["old_text", "new_text"],
                },
            },
            "replace_all": {"type": "boolean", "description": "Replace every place"},
        },
        edit,
        ("path", "edits"),
    ),
    "web_fetch": Tool(
        "Fetch a page of the web as text.",
        {"url": {"type": "string", "description": "The address"}},
        fetch,
        ("url",),
    ),
    "skill": Tool(
        "Load the text of a skill.",
        {"name": {"type": "string", "description": "The skill"}},
        skill,
        ("name",),
    ),
}
