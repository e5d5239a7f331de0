"""The memory estimate against what the engine really allocates, on real models of each shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.models import SMALL, TINY, make_model
from puna.gguf.encoders import encoder_graph
from puna.gguf.footprint import footprint_of
from puna.gguf.reader import read_header
from puna.runner.llama.buffers import Buffers
from puna.runner.llama.context import Context
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.llama.projector import Projector
from puna.runner.protocol import LoadPlan
from puna.scheduler.memory import estimate
from tests.fakes.ears import make_ear
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.projectors import GEMMA, LLAVA, QWEN, Eye, Tower, make_projector
from tests.fakes.shapes import (
    make_tiny_experts,
    make_tiny_hybrid,
    make_tiny_latent,
    make_tiny_mamba,
    make_tiny_window,
)

MAKERS: dict[str, Callable[[Path], Path]] = {
    "llama": make_tiny_llama,
    "window": make_tiny_window,
    "state": make_tiny_mamba,
    "hybrid": make_tiny_hybrid,
    "experts": make_tiny_experts,
    "compressed": make_tiny_latent,
    "large vocabulary": lambda path: make_model(path, TINY),
    "100M": lambda path: make_model(path, SMALL),
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("shapes")
    return {name: make(folder / f"{name}.gguf") for name, make in MAKERS.items()}


def allocated(plan: LoadPlan, *, apart: bool = False) -> int:
    """Bytes of all buffers that the engine makes for a plan; `apart`, with the context in which a
    sequence is computed apart."""
    told, part = Buffers(), ""
    LOG.attach(lambda level, line: told.read(line, part))
    model = Model(plan, lambda fraction: None)
    context = Context(model, plan, 1)
    part = "private"
    if apart:
        context.prepare()
    context.close()
    return told.sizes().total


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "options",
    [
        {"n_ctx": 2048},
        {"n_ctx": 8192, "n_parallel": 1},
        {"n_ctx": 1024, "n_parallel": 4, "n_batch": 128},
        {"n_ctx": 2048, "flash_attention": False},
    ],
    ids=["plain", "long", "parallel", "no flash attention"],
)
def test_the_estimate_is_within_five_percent(
    shapes: dict[str, Path], name: str, options: dict[str, int | bool]
) -> None:
    plan = LoadPlan(model=str(shapes[name]), **options)  # type: ignore[arg-type]
    expected = estimate(footprint_of(read_header(shapes[name])), plan).on_host
    assert expected == pytest.approx(allocated(plan), rel=0.05)


@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_a_quantised_cache_is_counted_with_its_scales(shapes: dict[str, Path], kind: str) -> None:
    plan = LoadPlan(model=str(shapes["100M"]), n_ctx=8192, kv_type=kind)
    expected = estimate(footprint_of(read_header(shapes["100M"])), plan).on_host
    assert expected == pytest.approx(allocated(plan), rel=0.05)


def test_other_files_are_counted_as_they_are(shapes: dict[str, Path]) -> None:
    footprint = footprint_of(read_header(shapes["llama"]))
    plan = LoadPlan(model="llama")
    without = estimate(footprint, plan)
    assert estimate(footprint, plan, extra=1000).on_host == without.on_host + 1000


EARS = {"a large encoder": Tower(192, 2, 768, 2), "a small one of many bands": Tower(32, 2, 64, 1)}
EYES: dict[str, tuple[Eye, int, Tower]] = {
    "a fixed size": (GEMMA, 448, Tower(192, 2, 768, 2)),
    "a size that tokens follow": (QWEN, 56, Tower(128, 2, 512, 2)),
    "a small encoder of large patches": (LLAVA, 336, Tower(32, 2, 64, 2)),
}


@pytest.mark.parametrize(("eye", "size", "tower"), EYES.values(), ids=EYES)
def test_a_projector_takes_more_than_its_file(
    shapes: dict[str, Path], tmp_path: Path, eye: Eye, size: int, tower: Tower
) -> None:
    path = make_projector(tmp_path / "eye.gguf", eye, image_size=size, tower=tower)
    assert encoder_graph(read_header(path)) == pytest.approx(
        computed(shapes["llama"], path), rel=0.05
    )


@pytest.mark.parametrize("tower", EARS.values(), ids=EARS)
def test_so_does_one_that_hears(shapes: dict[str, Path], tmp_path: Path, tower: Tower) -> None:
    path = make_ear(tmp_path / "ear.gguf", tower=tower)
    assert encoder_graph(read_header(path)) == pytest.approx(
        computed(shapes["llama"], path), rel=0.05
    )


def computed(model_path: Path, path: Path) -> int:
    """What the engine says that a projector takes beside its file."""
    plan = LoadPlan(model=str(model_path), n_ctx=2048)
    told = Buffers()
    LOG.attach(lambda level, line: told.read(line, "eye"))
    model = Model(plan, lambda fraction: None)
    without = told.sizes().total
    Projector(str(path), model, 1, on_card=False).close()
    return told.sizes().total - without


def test_a_runner_on_a_processor_may_need_a_second_context_later(shapes: dict[str, Path]) -> None:
    plan = LoadPlan(model="m", n_ctx=2048, n_parallel=4)
    llama = estimate(footprint_of(read_header(shapes["100M"])), plan)
    assert llama.cells // 4 < llama.later < llama.cells
    plan = LoadPlan(model=str(shapes["100M"]), n_ctx=2048, n_parallel=4)
    assert llama.on_host + llama.later == pytest.approx(allocated(plan, apart=True), rel=0.05)
    state = estimate(footprint_of(read_header(shapes["state"])), plan)
    assert state.later == 0
