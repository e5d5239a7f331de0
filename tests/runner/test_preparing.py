"""Orders are prepared, or fail by themselves: also where nobody expected it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from puna.errors import BadRequest, EngineError, PunaError
from puna.runner.llama.model import Model
from puna.runner.preparing import Preparation
from puna.runner.protocol import Generation, LoadPlan
from puna.runner.senses import Senses
from tests.fakes.ggufs import make_tiny_llama

ORDER = Generation(prompt="Once", images=(b"a picture",), n_ctx=64)
ERRORS: dict[str, tuple[Exception, type[PunaError], str]] = {
    "its own fault": (BadRequest("it cannot see"), BadRequest, "it cannot see"),
    "a fault of ours": (KeyError("pixels"), EngineError, "KeyError('pixels"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    path = make_tiny_llama(tmp_path_factory.mktemp("m") / "m.gguf")
    model = Model(LoadPlan(model=str(path)), lambda _: None)
    yield model
    model.close()


@pytest.mark.parametrize(("error", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_one_that_fails_has_an_error_for_its_client(
    model: Model, error: Exception, kind: type[PunaError], message: str
) -> None:
    def seeing() -> Senses:
        raise error

    preparation = Preparation(model, 64, seeing)
    with pytest.raises(PunaError) as failed:
        preparation.prepare(1, ORDER)
    with pytest.raises(PunaError) as unmeasured:
        preparation.measure([b"a picture"])
    for told in (failed.value, unmeasured.value):
        assert type(told) is kind
        assert message in str(told)


def test_an_order_has_its_tokens_and_limits(model: Model) -> None:
    def seeing() -> Senses:
        raise AssertionError

    running = Preparation(model, 64, seeing).prepare(
        7, Generation(prompt="Once upon", n_ctx=1000, n_keep=500)
    )
    try:
        assert running.id == 7
        assert running.tokens == model.tokenize_prompt("Once upon")
        assert (running.n_ctx, running.n_keep, running.max_tokens) == (64, 63, 640)
    finally:
        running.sampler.close()
