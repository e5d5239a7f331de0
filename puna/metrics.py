"""What the server counts, for Prometheus. Names begin with `puna_`; labels have few values each.

Nothing here knows who calls it. Which API a request came by is a context variable, so that the
layers between need not pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["API", "CONTENT_TYPE", "Level", "Metrics"]

API: ContextVar[str] = ContextVar("API", default="native")
"""The API that the request at hand came by: `native`, `openai` or `anthropic`."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_MOST_MODELS = 200
_OTHER = "other"
_SHORT = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_LONG = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 180, 600)


@dataclass(frozen=True, slots=True)
class Level:
    """One gauge at the moment of a scrape, for one model or (empty) for all."""

    name: str
    value: float
    model: str = ""


class Metrics:
    """Counters, histograms and gauges of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._models: set[str] = set()
        self._levels: Callable[[], Iterable[Level]] = tuple
        registry = self._registry
        of_request = ("model", "api")
        self._requests = Counter(
            "puna_requests", "HTTP requests", ("api", "route", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "puna_request_seconds",
            "From a request's head to the end of its answer",
            ("api", "route"),
            buckets=_LONG,
            registry=registry,
        )
        self._wait_seconds = Histogram(
            "puna_wait_seconds",
            "From a request to its place in a loaded model, loading included",
            ("model", "priority"),
            buckets=_LONG,
            registry=registry,
        )
        self._first_token_seconds = Histogram(
            "puna_time_to_first_token_seconds",
            "From a request to the first piece of its answer",
            of_request,
            buckets=_LONG,
            registry=registry,
        )
        self._token_seconds = Histogram(
            "puna_time_per_output_token_seconds",
            "Mean time between the tokens of an answer",
            of_request,
            buckets=_SHORT,
            registry=registry,
        )
        self._prompt_tokens = Counter(
            "puna_prompt_tokens", "Tokens of prompts", of_request, registry=registry
        )
        self._cached_tokens = Counter(
            "puna_cached_prompt_tokens",
            "Tokens of prompts that were in the cache",
            of_request,
            registry=registry,
        )
        self._output_tokens = Counter(
            "puna_output_tokens", "Tokens of answers", of_request, registry=registry
        )
        self._load_seconds = Histogram(
            "puna_load_seconds", "Loading a model", ("model",), buckets=_LONG, registry=registry
        )
        self._failed_loads = Counter(
            "puna_failed_loads", "Loads that failed", ("model",), registry=registry
        )
        self._evictions = Counter(
            "puna_evictions", "Models that went for others", ("model",), registry=registry
        )
        self._crashes = Counter(
            "puna_runner_crashes", "Runners that ended by themselves", ("model",), registry=registry
        )
        self._gauges = {
            name: Gauge(f"puna_{name}", text, ("model",) if per_model else (), registry=registry)
            for name, text, per_model in (
                ("waiting_requests", "Requests that wait for a model", False),
                ("running_requests", "Requests that a model works for", False),
                ("loading_models", "Models that are being loaded", False),
                ("loaded_models", "Models in memory", False),
                ("model_bytes", "Memory of a loaded model", True),
                ("model_video_bytes", "Of that, on graphics cards", True),
                ("model_cells", "Tokens that a loaded model's pool can hold", True),
            )
        }

    def watch(self, levels: Callable[[], Iterable[Level]]) -> None:
        """Ask `levels` for the gauges at every scrape; what it does not name is gone."""
        self._levels = levels

    def request(self, api: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request is over. `route` is a path of the route table, never a client's own."""
        self._requests.labels(api, route, str(status)).inc()
        self._request_seconds.labels(api, route).observe(seconds)

    def waited(self, model: str, priority: str, seconds: float) -> None:
        """A request got its place in a loaded model."""
        self._wait_seconds.labels(self._known(model), priority).observe(seconds)

    def first_token(self, model: str, seconds: float) -> None:
        """The first piece of an answer went out."""
        self._first_token_seconds.labels(self._known(model), API.get()).observe(seconds)

    def answered(self, model: str, prompt: int, cached: int, output: int, seconds: float) -> None:
        """An answer is complete: counts in tokens, `seconds` from its first token to its last."""
        labels = self._known(model), API.get()
        self._prompt_tokens.labels(*labels).inc(prompt)
        self._cached_tokens.labels(*labels).inc(cached)
        self._output_tokens.labels(*labels).inc(output)
        if output > 1:
            self._token_seconds.labels(*labels).observe(seconds / output)

    def loaded(self, model: str, seconds: float) -> None:
        """A model is ready."""
        self._load_seconds.labels(self._known(model)).observe(seconds)

    def load_failed(self, model: str) -> None:
        """A model could not be loaded."""
        self._failed_loads.labels(self._known(model)).inc()

    def evicted(self, model: str) -> None:
        """A model goes so that another can be loaded."""
        self._evictions.labels(self._known(model)).inc()

    def crashed(self, model: str) -> None:
        """A runner ended by itself."""
        self._crashes.labels(self._known(model)).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text form (CONTENT_TYPE)."""
        for gauge in self._gauges.values():
            gauge.clear()
        for level in self._levels():
            gauge = self._gauges[level.name]
            (gauge.labels(self._known(level.model)) if level.model else gauge).set(level.value)
        return generate_latest(self._registry)

    def _known(self, model: str) -> str:
        """The model's label; beyond so many models they share one, for labels cost memory."""
        if model not in self._models:
            if len(self._models) >= _MOST_MODELS:
                return _OTHER
            self._models.add(model)
        return model
