"""The OpenAPI document says what the routes do."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from puna import __version__
from puna.server.anthropic.reply import InputDelta, MessageReply, TextBlock
from puna.server.app import ROUTES
from puna.server.openapi.details import DETAILS
from puna.server.openapi.document import OPERATIONS, document
from puna.server.openapi.operation import Key, Operation
from puna.server.openapi.page import page
from puna.server.openapi.schemas import reachable
from tests.server.scripted import client, run

WRONG: dict[object, object] = {str: 5, bool: "yes", int: "5"}
READS = {" ".join(key): (key, each) for key, each in OPERATIONS.items() if each.body}


def test_every_route_is_told_of() -> None:
    routes = {
        (method, re.sub(r":\w+}", "}", row.path))
        for row in ROUTES
        for method in row.methods.split()
    }
    assert set(OPERATIONS) == routes


@pytest.mark.parametrize(("key", "operation"), READS.values(), ids=READS)
def test_a_route_reads_the_type_that_is_told(key: Key, operation: Operation) -> None:
    """A value of another type than the field's is refused, and the field is named."""
    assert operation.body is not None
    fields = msgspec.structs.fields(operation.body)
    typed = {spec.encode_name: spec.type for spec in fields if spec.type in WRONG}
    assert typed
    for name, kind in typed.items():
        reply = run(client().request(*key, {name: WRONG[kind]}))
        assert reply.status == 400, (name, reply.body)
        assert f"$.{name}" in reply.body.decode(), reply.body


def test_what_must_be_there_is_a_field() -> None:
    for key, operation in READS.values():
        assert operation.body is not None
        fields = {spec.encode_name for spec in msgspec.structs.fields(operation.body)}
        assert set(operation.needs) <= fields, key


def test_details_are_those_of_fields() -> None:
    for kind, told in DETAILS.items():
        fields = {spec.name for spec in msgspec.structs.fields(kind)}
        assert set(told) <= fields, kind


def test_every_reference_leads_somewhere_and_every_type_is_needed() -> None:
    text = json.dumps(document())
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert wanted == set(document()["components"]["schemas"])


def test_no_type_is_open_by_accident() -> None:
    """A field without a type or a detail tells nothing."""
    untold = [
        f"{name}.{field}"
        for name, schema in document()["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if not told.keys() - {"default", "title"}
    ]
    assert untold == []


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for methods in document()["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(names)) == len(names) == len(OPERATIONS)


def test_types_are_reached_through_lists_and_choices() -> None:
    assert TextBlock in reachable([MessageReply])
    assert InputDelta not in reachable([MessageReply])


def test_the_document_is_served() -> None:
    reply = run(client().request("GET", "/openapi.json"))
    assert (reply.status, reply.header("content-type")) == (200, "application/json; charset=utf-8")
    told: Any = reply.json
    assert (told["openapi"], told["info"]["version"]) == ("3.1.0", __version__)
    assert told == json.loads(json.dumps(document()))


def test_the_page_needs_nothing_else() -> None:
    reply = run(client().request("GET", "/docs"))
    assert reply.header("content-type") == "text/html; charset=utf-8"
    policy = reply.header("content-security-policy") or ""
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    html = reply.body.decode()
    assert "<script" not in html
    assert not re.search(r"\s(?:src|style|on\w+)=", re.sub(r"<pre>.*?</pre>", "", html, flags=re.S))
    assert {link[0] for link in re.findall(r'href="([^"]+)"', html)} <= {"#", "o"}
    assert 'name="viewport"' in html


def test_the_page_tells_of_every_route_and_every_link_has_its_place() -> None:
    html = page().decode()
    places = re.findall(r' id="([^"]+)"', html)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(places)
    unfolded = {
        *re.findall(r'</summary><div id="([^"]+)"', html),
        *re.findall(r'<h2 id="(\w+)"', html),
    }
    assert unfolded == set(places)
    assert "`" not in html
    for method, path in OPERATIONS:
        assert f"<b>{method}</b> <code>{path}</code>" in html
