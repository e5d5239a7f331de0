"""What can be read off a template layer without running it.

Which variables it uses, by which tags it writes thoughts and tool calls, and where it prints the
response. Facts: prompting spec, 1.3, 1.4, 4.1 and 5.2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from puna.prompt.gotemplate.nodes import (
    Action,
    Chain,
    Command,
    Expression,
    Field,
    If,
    Node,
    Nodes,
    Pipeline,
    Range,
    TemplateCall,
    Text,
    Tree,
    Variable,
    With,
)
from puna.prompt.thinking import SPACE

__all__ = ["cut_after_response", "find_thinking_tags", "find_tool_tag", "find_variables"]

ANY_JSON = "{"


def find_variables(trees: Mapping[str, Tree]) -> frozenset[str]:
    """Every name of a field or a variable, in lower case."""
    names = (name for tree in trees.values() for node in tree.nodes for name in _names(node))
    return frozenset(name.lower() for name in names)


def _names(node: Node) -> Iterator[str]:
    match node:
        case Action():
            yield from _pipeline_names(node.pipeline)
        case TemplateCall() if node.pipeline is not None:
            yield from _pipeline_names(node.pipeline)
        case If() | With() | Range():
            yield from _pipeline_names(node.pipeline)
            for inner in (*node.body, *(node.otherwise or ())):
                yield from _names(inner)


def _pipeline_names(pipeline: Pipeline) -> Iterator[str]:
    for path in _paths(pipeline):
        yield from path


def _paths(node: Expression | Command) -> Iterator[tuple[str, ...]]:
    """The field paths and variables in an expression, each as its names."""
    match node:
        case Pipeline():
            for command in node.commands:
                yield from _paths(command)
        case Command():
            for arg in node.args:
                yield from _paths(arg)
        case Field():
            yield node.names
        case Variable():
            yield (node.name, *node.fields)
        case Chain():
            yield from _paths(node.term)
            yield node.names


def cut_after_response(nodes: Nodes) -> Nodes:
    """The nodes up to and with the one that prints `.Response`; all, when none does."""
    return _cut(nodes)[0]


def _cut(nodes: Nodes) -> tuple[Nodes, bool]:
    kept: list[Node] = []
    for node in nodes:
        cut, found = _cut_node(node)
        kept.append(cut)
        if found:
            return tuple(kept), True
    return tuple(kept), False


def _cut_node(node: Node) -> tuple[Node, bool]:
    match node:
        case Action():
            return node, any("Response" in path for path in _paths(node.pipeline))
        case If() | With() | Range():
            body, found = _cut(node.body)
            otherwise, found_there = _cut(node.otherwise or ())
            if found or found_there:
                rest = None if node.otherwise is None else otherwise
                return dataclasses.replace(node, body=body, otherwise=rest), True
    return node, False


def find_thinking_tags(trees: Mapping[str, Tree]) -> tuple[str, str] | None:
    """The texts around `.Thinking` where messages are gone through; the last place counts."""
    found: tuple[str, str] | None = None
    for tree in trees.values():
        for tags in _thinking(tree.nodes, in_messages=False):
            found = tags
    return found if found is not None and all(found) else None


def _thinking(nodes: Nodes, *, in_messages: bool) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, If | With | Range):
            inside = in_messages
            if isinstance(node, Range):
                inside = any("Messages" in path for path in _paths(node.pipeline))
            elif in_messages and _shows_thinking(node.pipeline):
                yield _around(nodes)
            for inner in (node.body, node.otherwise or ()):
                yield from _thinking(inner, in_messages=inside)
        elif isinstance(node, Action) and in_messages and _shows_thinking(node.pipeline):
            yield _around(nodes)


def _shows_thinking(pipeline: Pipeline) -> bool:
    return any(path[0] == "Thinking" for path in _paths(pipeline))


def _around(nodes: Nodes) -> tuple[str, str]:
    texts = [node.text.strip(SPACE) for node in nodes if isinstance(node, Text)]
    return (texts[0], texts[-1]) if texts else ("", "")


def find_tool_tag(trees: Mapping[str, Tree], main: str = "") -> str:
    """What an answer's tool calls begin with; `{` where nothing else can be told."""
    branch = _calls_branch(trees[main].nodes)
    text = _first_text(branch.body) if branch is not None else None
    if text is None:
        return ANY_JSON
    return text.replace("\r\n", "\n").partition("{")[0].strip(SPACE) or ANY_JSON


def _calls_branch(nodes: Nodes) -> If | None:
    for node in nodes:
        if isinstance(node, If) and any("ToolCalls" in path for path in _paths(node.pipeline)):
            return node
        if isinstance(node, If | With | Range):
            for inner in (node.body, node.otherwise or ()):
                found = _calls_branch(inner)
                if found is not None:
                    return found
    return None


def _first_text(nodes: Nodes) -> str | None:
    """The first text of a branch that is not blank, before anything is printed."""
    for node in nodes:
        match node:
            case Text() if node.text.strip(SPACE):
                return node.text
            case Action() if not node.pipeline.names:
                return None
            case If() | With() | Range():
                return _first_text(node.body)
    return None
