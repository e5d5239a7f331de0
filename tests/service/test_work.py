"""What the metrics say of requests for a model: which, how long they waited and why, how they
ended."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from puna.api.decode import read_value
from puna.api.texts import RerankRequest, TokenizeRequest
from puna.errors import BadRequest, Busy, EngineError, ModelNotFound, PunaError
from puna.gaps import gap_place, no_gaps
from puna.log import TRACE
from puna.runner.fake import Hold
from puna.runner.protocol import Finished
from puna.service.texts import Texts
from puna.tracing import LISTENER, Listener, Story
from tests.fakes.clock import settle
from tests.service.world import HI, JINJA, World, first, play, tiny

OTHER = tiny(template=JINJA, n_ctx=4096)


def sample(w: World, name: str, **labels: str) -> float:
    """The sum of the samples `puna_NAME` that have these labels."""
    families = text_string_to_metric_families(w.scheduler.metrics.text().decode())
    found = [each for family in families for each in family.samples]
    return sum(
        each.value
        for each in found
        if each.name == f"puna_{name}" and labels.items() <= each.labels.items()
    )


def ended(w: World, operation: str, outcome: str) -> float:
    labels = {"model": "m:latest", "api": "native", "operation": operation, "outcome": outcome}
    return sample(w, "model_requests_total", **labels)


def test_waiting_for_a_load_is_told_from_waiting_in_the_queue(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("n", OTHER)
        loading, speaking = Hold(), Hold()
        w.launcher.will_launch(loading)
        w.launcher.will_say("a", speaking)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(w.chat("n", messages=HI))
            await loading.reached()
            await w.clock.advance(5)
            loading.release()
            await speaking.reached()
            assert sample(w, "load_wait_seconds_sum", model="n:latest") == 5
            assert sample(w, "queue_seconds_sum", model="n:latest", priority="normal") == 0
            tasks.create_task(w.chat("m", messages=HI, priority="high"))
            while not w.scheduler.stats().waiting:
                await settle()
            await w.clock.advance(3)
            speaking.release()
        assert sample(w, "queue_seconds_sum", model="m:latest", priority="high") == 3
        assert sample(w, "load_wait_seconds_count", model="m:latest") == 0, "it loads at once"
        assert sample(w, "time_to_first_token_seconds_sum", model="m:latest") == 3
        assert sample(w, "model_request_seconds_sum", model="n:latest") == 8

    play(tmp_path, scene, max_loaded_models=1)


def test_tokens_and_the_times_between_them(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        gaps = no_gaps()
        gaps[gap_place(40_000_000)] = 2
        end = Finished(
            reason="stop",
            prompt_tokens=10,
            cached_tokens=4,
            prompt_ns=1,
            eval_tokens=3,
            eval_ns=80_000_000,
            gaps=tuple(gaps),
        )
        w.launcher.will_say("a", "b", end)
        await w.generate(prompt="x")
        for name, value in {"prompt": 10, "cached_prompt": 4, "output": 3}.items():
            assert sample(w, f"{name}_tokens_total", operation="generate") == value
        assert sample(w, "inter_token_seconds_sum", operation="generate") == 0.08
        assert sample(w, "inter_token_seconds_bucket", le="0.05") == 2
        assert sample(w, "inter_token_seconds_bucket", le="0.02") == 0

    play(tmp_path, scene)


def test_every_operation_is_counted(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        texts = Texts(w.catalog, w.scheduler, w.clock, w.settings)
        await w.chat(messages=HI)
        await w.chat()
        await w.generate(prompt="x")
        await w.embed(input=["ab", "abc"])
        await w.embeddings(prompt="abcd")
        await w.embed()
        order: dict[str, Any] = {"model": "m", "query": "q", "documents": ["abcde"]}
        await texts.rerank(read_value(RerankRequest, order))
        await texts.tokenize(read_value(TokenizeRequest, {"model": "m", "text": "x"}))
        operations = {"chat": 1, "load": 2, "generate": 1, "embed": 2, "rerank": 1, "tokenize": 1}
        assert {name: ended(w, name, "ok") for name in operations} == operations
        assert sample(w, "prompt_tokens_total", operation="embed") == 2 + 3 + 4
        assert sample(w, "prompt_tokens_total", operation="rerank") == 5

    play(tmp_path, scene)


ERRORS: dict[str, tuple[PunaError, str]] = {
    "the request's": (BadRequest("no"), "refused"),
    "ours": (EngineError("oh"), "failed"),
}


@pytest.mark.parametrize(("error", "outcome"), ERRORS.values(), ids=ERRORS)
def test_errors_have_an_outcome(tmp_path: Path, error: PunaError, outcome: str) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say(error)
        with pytest.raises(type(error)):
            await w.chat(messages=HI)
        w.launcher.will_embed("x", error)
        with pytest.raises(type(error)):
            await w.embed(input="x")
        assert (ended(w, "chat", outcome), ended(w, "embed", outcome)) == (1, 1)

    play(tmp_path, scene)


def test_a_full_queue_and_a_client_that_leaves(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say("a", "b", Hold())
        assert await first(w.chatting(messages=HI))
        assert ended(w, "chat", "cancelled") == 1
        assert sample(w, "output_tokens_total", operation="chat") == 1, "it was said all the same"
        await w.install("n", OTHER)
        loading = Hold()
        w.launcher.will_launch(loading)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(w.generate("n", prompt="x"))
            await loading.reached()
            with pytest.raises(Busy):
                await w.embed("n", input="x")
            loading.release()
        assert sample(w, "model_requests_total", model="n:latest", outcome="busy") == 1

    play(tmp_path, scene, max_queue=1)


def test_a_name_that_is_not_installed_is_no_label(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for work in (w.chat("nobody", messages=HI), w.embed("nobody", input="x")):
            with pytest.raises(ModelNotFound):
                await work
        await w.chat("M", messages=HI)
        text = w.scheduler.metrics.text().decode()
        assert "nobody" not in text
        assert 'model="M' not in text, "names are those of the store"

    play(tmp_path, scene)


def test_prompts_are_logged_where_that_is_asked_for_and_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(w: World) -> None:
        await w.chat(messages=[{"role": "user", "content": "a secret"}])

    def told(level: int) -> str:
        caplog.clear()
        with caplog.at_level(level):
            play(tmp_path / str(level), scene)
        return "".join(str(vars(record)) for record in caplog.records)

    debug, trace = told(logging.DEBUG), told(TRACE)
    assert "admitted" in debug
    assert "secret" not in debug
    assert "a secret" in trace


@pytest.mark.parametrize("wants_text", [True, False])
def test_a_trace_holds_texts_where_they_are_asked_for(tmp_path: Path, wants_text: bool) -> None:
    async def scene(w: World) -> list[Story]:
        stories: list[Story] = []
        LISTENER.set(Listener(stories.append, wants_text))
        w.launcher.will_say("a ", "secret")
        await w.chat(messages=[{"role": "user", "content": "another secret"}])
        return stories

    (story,) = play(tmp_path, scene)
    assert ("secret" in str(story)) is wants_text
    if wants_text:
        (asked,) = json.loads(str(story.facts["gen_ai.input.messages"]))
        (said,) = json.loads(str(story.facts["gen_ai.output.messages"]))
        assert asked["parts"] == [{"type": "text", "content": "another secret"}]
        assert (said["parts"], said["finish_reason"]) == (
            [{"type": "text", "content": "a secret"}],
            "stop",
        )


def test_a_trace_tells_how_far_it_came(tmp_path: Path) -> None:
    async def scene(w: World) -> list[Story]:
        stories: list[Story] = []
        LISTENER.set(Listener(stories.append))
        w.launcher.will_say("a", "b", Hold())
        assert await first(w.chatting(messages=HI))
        w.launcher.will_say(EngineError("a secret"))
        with pytest.raises(EngineError):
            await w.generate(prompt="x")
        await w.embed(input="abc")
        return stories

    left, failed, read = play(tmp_path, scene)
    assert (left.error, [phase.name for phase in left.phases]) == (
        "Cancelled",
        ["queue", "prefill", "decode"],
    )
    assert (failed.error, [phase.name for phase in failed.phases]) == (
        "EngineError",
        ["queue", "prefill"],
    )
    assert "secret" not in str(failed), "what errors say may be the user's"
    assert (read.operation, read.facts["gen_ai.usage.input_tokens"]) == ("embed", 3)
