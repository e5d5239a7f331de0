"""What is counted reads as Prometheus expects, and labels stay few."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from puna.metrics import API, Level, Metrics


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
    metrics.first_token("m", 0.25)
    metrics.answered("m", prompt=100, cached=60, output=5, seconds=1.0)
    API.reset(token)
    found = samples(metrics)
    assert found["puna_prompt_tokens_total", ("openai", "m")] == 100
    assert found["puna_cached_prompt_tokens_total", ("openai", "m")] == 60
    assert found["puna_output_tokens_total", ("openai", "m")] == 5
    assert found["puna_time_to_first_token_seconds_sum", ("openai", "m")] == 0.25
    assert found["puna_time_per_output_token_seconds_sum", ("openai", "m")] == 0.2


def test_an_answer_of_one_token_has_no_time_between_tokens() -> None:
    metrics = Metrics()
    metrics.answered("m", prompt=1, cached=0, output=1, seconds=1.0)
    assert ("puna_time_per_output_token_seconds_sum", ("native", "m")) not in samples(metrics)


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
