"""The dashboard and the alerts in docs/: whether their queries are PromQL, about metrics and labels
that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
from ruamel.yaml import YAML

from puna.metrics import FAMILIES
from tools.make_dashboard import DASHBOARD, PANELS, written

DOCS = Path(__file__).resolve().parents[1] / "docs"
ALERTS = DOCS / "grafana/alerts.yml"
OF_TARGET = {"job", "instance"}
VARIABLES = {"job", "instance", "model", "api", "datasource"}

SERIES: dict[str, set[str]] = {"up": OF_TARGET}
for family in FAMILIES:
    labels = {*family.labels, *OF_TARGET}
    if family.kind == "histogram":
        SERIES |= {f"{family.full}_bucket": labels | {"le"}}
        SERIES |= {f"{family.full}_{end}": labels for end in ("sum", "count")}
    else:
        SERIES[family.full] = labels


def alerts() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


QUERIES = [query for panel in PANELS for query, _ in panel.queries]
QUERIES += [str(rule["expr"]) for rule in alerts()]


def parsed(query: str) -> promql.Expr:
    """The query as Grafana would send it."""
    for name in re.findall(r"\$(\w+)", query):
        assert name in {*VARIABLES, "__rate_interval"}, query
    return promql.parse(query.replace("$__rate_interval", "1m"))


def inside(expression: promql.Expr) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(expression, found.append)
    return found


def selectors(expression: promql.Expr) -> Iterator[promql.VectorSelector]:
    for each in inside(expression):
        if isinstance(each, promql.VectorSelector):  # those of ranges, too
            yield each


@pytest.mark.parametrize("query", QUERIES)
def test_queries_are_about_metrics_and_labels_that_there_are(query: str) -> None:
    expression = parsed(query)
    used = list(selectors(expression))
    assert used
    for selector in used:
        assert selector.name in SERIES, selector.name
        names = {matcher.name for matcher in selector.matchers.matchers}
        assert names <= SERIES[selector.name], (selector.name, names)
    for each in inside(expression):
        if isinstance(each, promql.AggregateExpr) and each.modifier:
            known = set.union(*(SERIES[part.name or ""] for part in selectors(each)))
            assert set(each.modifier.labels) <= known, query


def test_a_query_about_nothing_is_found() -> None:
    (selector,) = selectors(parsed("rate(puna_wait_seconds_bucket[1m])"))
    assert selector.name not in SERIES


def test_everything_that_is_counted_is_shown() -> None:
    shown = {selector.name for query in QUERIES for selector in selectors(parsed(query))}
    kinds = {family.full: family.kind for family in FAMILIES}
    missing = [
        name
        for name, kind in kinds.items()
        if (f"{name}_bucket" if kind == "histogram" else name) not in shown
    ]
    assert missing == []


def test_legends_name_labels_that_the_query_leaves() -> None:
    for panel in PANELS:
        for query, legend in panel.queries:
            by = {
                name.strip()
                for part in re.findall(r"by \(([^)]*)\)", query)
                for name in part.split(",")
            }
            assert set(re.findall(r"{{(\w+)}}", legend)) == by - {"le"}, (panel.title, legend)


def test_the_dashboard_is_fresh_and_asks_for_its_source() -> None:
    assert DASHBOARD.read_text() == written(), "run make docs"
    board = json.loads(written())
    assert {each["name"] for each in board["templating"]["list"]} == VARIABLES
    graphs = [panel for panel in board["panels"] if panel["type"] == "timeseries"]
    assert len(graphs) == len(PANELS)
    sources = [each["datasource"]["uid"] for panel in graphs for each in (panel, *panel["targets"])]
    assert set(sources) == {"${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_panels_lie_beside_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(written())["panels"]:
        place = panel["gridPos"]
        fields = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not fields & taken
        taken |= fields


def test_alerts_say_what_is_wrong() -> None:
    for rule in alerts():
        assert rule["alert"].startswith("Puna")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        expression = parsed(rule["expr"])
        known = set.union(*(SERIES[each.name or ""] for each in selectors(expression)))
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= known
