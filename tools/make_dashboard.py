"""The dashboard that Grafana imports, from a table of its panels; tools/make_docs.py writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DASHBOARD", "PANELS", "Panel", "dashboard", "written"]

DASHBOARD = Path(__file__).resolve().parents[1] / "docs/grafana/puna.json"

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3
_SERVER = 'job=~"$job",instance=~"$instance"'
_WORK = f'{_SERVER},model=~"$model",api=~"$api"'
_MODEL = f'{_SERVER},model=~"$model"'
_RANGE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: queries with the legends of their series."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""
    most: float | None = None


def _rate(name: str, labels: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}{{{labels}}}[{_RANGE}]))"


def _share(part: float, name: str, labels: str, by: str) -> str:
    return f"histogram_quantile({part}, {_rate(f'{name}_bucket', labels, f'le, {by}')})"


def _shares(name: str, labels: str, by: str) -> tuple[tuple[str, str], ...]:
    """The median and the 99th percentile."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return tuple(
        (_share(part, name, labels, by), f"p{round(part * 100)} {legend}") for part in (0.5, 0.99)
    )


def _now(name: str, labels: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} ({name}{{{labels}}})"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Requests": (
        Panel(
            "Requests of models",
            "reqps",
            (
                (
                    _rate("puna_model_requests_total", _WORK, "model, operation"),
                    "{{model}} {{operation}}",
                ),
            ),
        ),
        Panel(
            "How they ended, where not well",
            "reqps",
            (
                (
                    _rate("puna_model_requests_total", f'{_WORK},outcome!="ok"', "model, outcome"),
                    "{{model}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            "How long they took",
            "s",
            _shares("puna_model_request_seconds", _WORK, "model, operation"),
        ),
        Panel(
            "HTTP requests",
            "reqps",
            (
                (
                    _rate("puna_requests_total", f'{_SERVER},api=~"$api"', "route, status"),
                    "{{route}} {{status}}",
                ),
            ),
        ),
        Panel(
            "HTTP requests: how long",
            "s",
            _shares("puna_request_seconds", f'{_SERVER},api=~"$api"', "route"),
        ),
        Panel(
            "Under way",
            "short",
            (
                (_now("puna_running_requests", _SERVER), "running"),
                (_now("puna_waiting_requests", _SERVER), "waiting"),
            ),
        ),
    ),
    "Waiting": (
        Panel(
            "In the queue",
            "s",
            _shares("puna_queue_seconds", _WORK, "model, priority"),
            "Without the time in which the model was loaded.",
        ),
        Panel("For a model to load", "s", _shares("puna_load_wait_seconds", _WORK, "model")),
        Panel(
            "Time to the first token",
            "s",
            _shares("puna_time_to_first_token_seconds", _WORK, "model, operation"),
        ),
    ),
    "Tokens": (
        Panel(
            "From one token to the next",
            "s",
            _shares("puna_inter_token_seconds", _WORK, "model"),
            "Measured where tokens are drawn.",
        ),
        Panel(
            "Tokens a second",
            "short",
            (
                (_rate("puna_prompt_tokens_total", _WORK, "model"), "{{model}} read"),
                (_rate("puna_output_tokens_total", _WORK, "model"), "{{model}} written"),
            ),
        ),
        Panel(
            "Share of prompts that was in the cache",
            "percentunit",
            (
                (
                    _rate("puna_cached_prompt_tokens_total", _WORK, "model")
                    + " / "
                    + _rate("puna_prompt_tokens_total", _WORK, "model"),
                    "{{model}}",
                ),
            ),
            most=1,
        ),
        Panel(
            "KV cells in use",
            "percentunit",
            (
                (
                    f"{_now('puna_kv_cells_used', _MODEL, 'model')}"
                    f" / {_now('puna_kv_cells', _MODEL, 'model')}",
                    "{{model}}",
                ),
            ),
            most=1,
        ),
        Panel(
            "KV cells",
            "short",
            (
                (_now("puna_kv_cells_used", _MODEL, "model"), "{{model}} used"),
                (_now("puna_kv_cells_held", _MODEL, "model"), "{{model}} held"),
                (_now("puna_kv_cells", _MODEL, "model"), "{{model}} all"),
            ),
        ),
    ),
    "Models": (
        Panel(
            "Models",
            "short",
            (
                (_now("puna_loaded_models", _SERVER), "loaded"),
                (_now("puna_loading_models", _SERVER), "loading"),
            ),
        ),
        Panel(
            "Memory",
            "bytes",
            (
                (_now("puna_model_bytes", _MODEL, "model"), "{{model}}"),
                (_now("puna_model_video_bytes", _MODEL, "model"), "{{model}} on cards"),
            ),
        ),
        Panel("Loading", "s", _shares("puna_load_seconds", _MODEL, "model")),
        Panel(
            "Evictions",
            "short",
            (
                (
                    f"sum by (model) (increase(puna_evictions_total{{{_MODEL}}}[{_RANGE}]))",
                    "{{model}}",
                ),
            ),
            "Models that went so that others could be loaded.",
        ),
        Panel(
            "Failures",
            "short",
            tuple(
                (f"sum by (model) (increase({name}{{{_MODEL}}}[{_RANGE}]))", "{{model}} " + words)
                for name, words in (
                    ("puna_failed_loads_total", "did not load"),
                    ("puna_runner_crashes_total", "crashed"),
                )
            ),
        ),
    ),
}

PANELS = tuple(panel for panels in ROWS.values() for panel in panels)


def dashboard() -> dict[str, Any]:
    """The dashboard in Grafana's own form."""
    return {
        "uid": "puna",
        "title": "Puna",
        "description": "Requests, waiting, tokens and models of Puna servers",
        "tags": ["puna", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "annotations": {"list": []},
        "templating": {"list": _variables()},
        "panels": _placed(),
    }


def _variables() -> list[dict[str, Any]]:
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }
    return [
        source,
        _variable("job", "Job", "label_values(puna_loaded_models, job)"),
        _variable("instance", "Server", 'label_values(puna_loaded_models{job=~"$job"}, instance)'),
        _variable("model", "Model", f"label_values(puna_model_requests_total{{{_SERVER}}}, model)"),
        _variable("api", "API", f"label_values(puna_requests_total{{{_SERVER}}}, api)"),
    ]


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "hide": 0,
    }


def _placed() -> list[dict[str, Any]]:
    """Every panel at its place, under the title of its row."""
    placed: list[dict[str, Any]] = []
    top = 0
    for title, panels in ROWS.items():
        place = {"x": 0, "y": top, "w": _WIDTH * _COLUMNS, "h": 1}
        placed.append(
            {
                "id": len(placed) + 1,
                "type": "row",
                "title": title,
                "gridPos": place,
                "collapsed": False,
                "panels": [],
            }
        )
        top += 1
        for number, panel in enumerate(panels):
            row, column = divmod(number, _COLUMNS)
            place = {
                "x": column * _WIDTH,
                "y": top + row * _HEIGHT,
                "w": _WIDTH,
                "h": _HEIGHT,
            }
            placed.append(_graph(len(placed) + 1, panel, place))
        top += -(-len(panels) // _COLUMNS) * _HEIGHT
    return placed


def _graph(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    most = {} if panel.most is None else {"max": panel.most}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                **most,
                "custom": {"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"},
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
                "range": True,
            }
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


def written() -> str:
    """The file's text."""
    return json.dumps(dashboard(), indent=1) + "\n"
