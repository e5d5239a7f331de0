"""What is counted reads as Prometheus expects, and labels stay few."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from puna.gaps import GAP_SECONDS, gap_place, no_gaps
from puna.metrics import API, FAMILIES, Level, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Samples by name and labels' values, in the order of the labels' names; without buckets."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def test_an_answer_is_counted_under_its_model_and_api() -> None:
    metrics = Metrics()
    token = API.set("openai")
    metrics.first_token("m", "chat", 0.25)
    metrics.tokens("m", "chat", prompt=100, cached=60, output=5)
    API.reset(token)
    found = samples(metrics)
    labels = ("openai", "m", "chat")
    assert found["puna_prompt_tokens_total", labels] == 100
    assert found["puna_cached_prompt_tokens_total", labels] == 60
    assert found["puna_output_tokens_total", labels] == 5
    assert found["puna_time_to_first_token_seconds_sum", labels] == 0.25


def test_times_between_tokens_are_a_histogram() -> None:
    metrics, counts = Metrics(), no_gaps()
    for nanoseconds in (0, 1_000_000, 1_000_001, 30_000_000, 60_000_000_000):
        counts[gap_place(nanoseconds)] += 1
    for _ in range(2):
        metrics.gaps("m", "chat", tuple(counts), 60.5)
    metrics.gaps("m", "generate", (), 0.0)
    families = text_string_to_metric_families(metrics.text().decode())
    (family,) = [each for each in families if each.name == "puna_inter_token_seconds"]
    buckets = {
        float(sample.labels["le"]): sample.value
        for sample in family.samples
        if sample.name.endswith("_bucket")
    }
    assert list(buckets) == [*GAP_SECONDS, float("inf")]
    assert (buckets[0.001], buckets[0.002], buckets[0.02], buckets[0.05]) == (4, 6, 6, 8)
    assert (buckets[5.0], buckets[float("inf")]) == (8, 10)
    found = samples(metrics)
    assert found["puna_inter_token_seconds_count", ("native", "m", "chat")] == 10
    assert found["puna_inter_token_seconds_sum", ("native", "m", "chat")] == 121
    assert ("puna_inter_token_seconds_count", ("native", "m", "generate")) not in found


def test_everything_is_told_of_under_one_beginning_with_a_help_text() -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(Metrics().text().decode())
    }
    assert set(families) == {f"puna_{each.name}" for each in FAMILIES}
    for each in FAMILIES:
        shown = families[f"puna_{each.name}"]
        assert (shown.type, shown.documentation) == (each.kind, each.about)


def test_models_beyond_the_limit_share_a_label() -> None:
    metrics = Metrics()
    for number in range(300):
        metrics.crashed(f"m{number}")
    found = samples(metrics)
    assert found["puna_runner_crashes_total", ("other",)] == 100
    assert sum(name == "puna_runner_crashes_total" for name, _ in found) == 201


def test_gauges_are_those_of_the_moment() -> None:
    metrics = Metrics()
    levels = [Level("loaded_models", 1), Level("model_bytes", 7, "a")]
    metrics.watch(lambda: levels)
    found = samples(metrics)
    assert found["puna_loaded_models", ()] == 1
    assert found["puna_model_bytes", ("a",)] == 7
    levels[:] = [Level("loaded_models", 0)]
    found = samples(metrics)
    assert found["puna_loaded_models", ()] == 0
    assert ("puna_model_bytes", ("a",)) not in found, "a model that is gone is not shown"


def test_two_servers_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.evicted("m")
    assert ("puna_evictions_total", ("m",)) not in samples(second)
