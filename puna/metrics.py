"""What the server counts, for Prometheus. Names begin with `puna_`; labels have few values each.

Nothing here knows who calls it. Which API a request came by is a context variable, so that the
layers between need not pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from puna.gaps import GAP_SECONDS, added

__all__ = ["API", "CONTENT_TYPE", "FAMILIES", "Family", "Level", "Metrics", "Operation", "Outcome"]

API: ContextVar[str] = ContextVar("API", default="native")
"""The API that the request at hand came by: `native`, `openai` or `anthropic`."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Operation = Literal[
    "chat", "generate", "load", "embed", "rerank", "count_tokens", "tokenize", "detokenize"
]
"""What a model was asked for, by whichever API."""

Outcome = Literal["ok", "cancelled", "refused", "busy", "failed"]
"""How a request of a model ended: answered; left by its client; an error of its own; no place in
the queue, or none in time; an error of ours."""

_MOST_MODELS = 200
_OTHER = "other"
_LONG = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 180, 600)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Counters are shown with `_total` after their name; `buckets` in seconds."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full(self) -> str:
        """The name as it is shown."""
        return f"puna_{self.name}" + ("_total" if self.kind == "counter" else "")


_OF_HTTP = ("api", "route")
_OF_WORK = ("model", "api", "operation")
_OF_MODEL = ("model",)


def _counter(name: str, about: str, labels: tuple[str, ...]) -> Family:
    return Family(name, "counter", about, labels)


def _seconds(name: str, about: str, labels: tuple[str, ...]) -> Family:
    return Family(name, "histogram", about, labels, _LONG)


def _gauge(name: str, about: str, labels: tuple[str, ...] = ()) -> Family:
    return Family(name, "gauge", about, labels)


_GAPS = Family(
    "inter_token_seconds",
    "histogram",
    "Time from one token of an answer to the next, measured where they are drawn",
    _OF_WORK,
    GAP_SECONDS,
)

FAMILIES = (
    _counter("requests", "HTTP requests", (*_OF_HTTP, "status")),
    _seconds("request_seconds", "From a request's head to the end of its answer", _OF_HTTP),
    _counter("model_requests", "Requests that a model was needed for", (*_OF_WORK, "outcome")),
    _seconds("model_request_seconds", "How long those took, all in all", _OF_WORK),
    _seconds(
        "queue_seconds",
        "From a request to its place in a model, without the time in which that was loaded",
        ("model", "api", "priority"),
    ),
    _seconds(
        "load_wait_seconds", "How long requests waited for their model to load", ("model", "api")
    ),
    _seconds(
        "time_to_first_token_seconds", "From a request to the first piece of its answer", _OF_WORK
    ),
    _GAPS,
    _counter("prompt_tokens", "Tokens of prompts and of other inputs", _OF_WORK),
    _counter("cached_prompt_tokens", "Those of them that were in the KV cache", _OF_WORK),
    _counter("output_tokens", "Tokens of answers", _OF_WORK),
    _seconds("load_seconds", "Loading a model", _OF_MODEL),
    _counter("failed_loads", "Loads that failed", _OF_MODEL),
    _counter("evictions", "Models that went for others", _OF_MODEL),
    _counter("runner_crashes", "Runners that ended by themselves or hung", _OF_MODEL),
    _gauge("waiting_requests", "Requests that wait for a model"),
    _gauge("running_requests", "Requests that a model works for"),
    _gauge("loading_models", "Models that are being loaded"),
    _gauge("loaded_models", "Models in memory"),
    _gauge("model_bytes", "Memory of a loaded model", _OF_MODEL),
    _gauge("model_video_bytes", "Of that, on graphics cards", _OF_MODEL),
    _gauge("kv_cells", "KV cells of a loaded model: tokens that its pool can hold", _OF_MODEL),
    _gauge("kv_cells_used", "Those of requests under way", _OF_MODEL),
    _gauge(
        "kv_cells_held",
        "Those kept for prompts to come, which go when there is need",
        _OF_MODEL,
    ),
)
"""Every metric there is. The manual's table is made from this."""


@dataclass(frozen=True, slots=True)
class Level:
    """One gauge at the moment of a scrape, for one model or (empty) for all."""

    name: str
    value: float
    model: str = ""


class Metrics:
    """Counters, histograms and gauges of one server."""

    def __init__(self) -> None:
        # else every series has a second one beside it that says when it began
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._models: set[str] = set()
        self._levels: Callable[[], Iterable[Level]] = tuple
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._gauges: dict[str, Gauge] = {}
        self._gaps = _Gaps()
        for family in FAMILIES:
            self._register(family)

    def _register(self, family: Family) -> None:
        name, about, labels = f"puna_{family.name}", family.about, family.labels
        if family is _GAPS:
            self._registry.register(self._gaps)
        elif family.kind == "counter":
            counter = Counter(name, about, labels, registry=self._registry)
            self._counters[family.name] = counter
        elif family.kind == "gauge":
            self._gauges[family.name] = Gauge(name, about, labels, registry=self._registry)
        else:
            self._histograms[family.name] = Histogram(
                name, about, labels, registry=self._registry, buckets=family.buckets
            )

    def watch(self, levels: Callable[[], Iterable[Level]]) -> None:
        """Ask `levels` for the gauges at every scrape; what it does not name is gone."""
        self._levels = levels

    def request(self, api: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request is over. `route` is a path of the route table, never a client's own."""
        self._counters["requests"].labels(api, route, str(status)).inc()
        self._histograms["request_seconds"].labels(api, route).observe(seconds)

    def waited(self, model: str, priority: str, queue_seconds: float, load_seconds: float) -> None:
        """A request got its place in a loaded model."""
        name, api = self._known(model), API.get()
        self._histograms["queue_seconds"].labels(name, api, priority).observe(queue_seconds)
        if load_seconds > 0:
            self._histograms["load_wait_seconds"].labels(name, api).observe(load_seconds)

    def first_token(self, model: str, operation: Operation, seconds: float) -> None:
        """The first piece of an answer went out."""
        labels = self._of_work(model, operation)
        self._histograms["time_to_first_token_seconds"].labels(*labels).observe(seconds)

    def tokens(
        self, model: str, operation: Operation, prompt: int, cached: int = 0, output: int = 0
    ) -> None:
        """What was read and written for a request."""
        labels = self._of_work(model, operation)
        self._counters["prompt_tokens"].labels(*labels).inc(prompt)
        self._counters["cached_prompt_tokens"].labels(*labels).inc(cached)
        self._counters["output_tokens"].labels(*labels).inc(output)

    def gaps(self, model: str, operation: Operation, counts: Sequence[int], seconds: float) -> None:
        """The times between the tokens of an answer: how many of each class, and their sum."""
        self._gaps.add(self._of_work(model, operation), counts, seconds)

    def worked(self, model: str, operation: Operation, outcome: Outcome, seconds: float) -> None:
        """A request that a model was needed for is over."""
        labels = self._of_work(model, operation)
        self._counters["model_requests"].labels(*labels, outcome).inc()
        self._histograms["model_request_seconds"].labels(*labels).observe(seconds)

    def loaded(self, model: str, seconds: float) -> None:
        """A model is ready."""
        self._histograms["load_seconds"].labels(self._known(model)).observe(seconds)

    def load_failed(self, model: str) -> None:
        """A model could not be loaded."""
        self._counters["failed_loads"].labels(self._known(model)).inc()

    def evicted(self, model: str) -> None:
        """A model goes so that another can be loaded."""
        self._counters["evictions"].labels(self._known(model)).inc()

    def crashed(self, model: str) -> None:
        """A runner ended by itself."""
        self._counters["runner_crashes"].labels(self._known(model)).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text form (CONTENT_TYPE)."""
        for gauge in self._gauges.values():
            gauge.clear()
        for level in self._levels():
            gauge = self._gauges[level.name]
            (gauge.labels(self._known(level.model)) if level.model else gauge).set(level.value)
        return generate_latest(self._registry)

    def _of_work(self, model: str, operation: Operation) -> tuple[str, str, str]:
        return self._known(model), API.get(), operation

    def _known(self, model: str) -> str:
        """The model's label; beyond so many models they share one, for labels cost memory."""
        if model not in self._models:
            if len(self._models) >= _MOST_MODELS:
                return _OTHER
            self._models.add(model)
        return model


class _Gaps(Collector):
    """A histogram whose values come counted already."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._seconds: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], counts: Sequence[int], seconds: float) -> None:
        if any(counts):
            self._counts[labels] = added(self._counts.get(labels, ()), counts)
            self._seconds[labels] = self._seconds.get(labels, 0.0) + seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(f"puna_{_GAPS.name}", _GAPS.about, labels=_GAPS.labels)
        for labels, counts in self._counts.items():
            family.add_metric(labels, list(_cumulated(counts)), self._seconds[labels])
        yield family


def _cumulated(counts: Sequence[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for end, count in zip([*map(str, GAP_SECONDS), "+Inf"], counts, strict=True):
        total += count
        yield end, total
