"""Models made with fewer bits, by the real quantiser in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from puna.api.decode import read_value
from puna.api.events import Progress
from puna.api.requests import CreateRequest
from puna.convert.levels import LEVELS
from puna.convert.working import explain
from puna.errors import ConvertError, QuantError, StoreFull
from puna.gguf.describe import describe
from puna.gguf.reader import read_header
from puna.models.digest import Digest
from puna.service.create import Create
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.matrices import pack_old_matrix
from tests.fakes.monoliths import FORMS, write_monolith
from tests.fakes.projectors import GEMMA, make_projector
from tests.fakes.pulls import nothing_to_pull
from tests.fakes.renamed import RENAMED, write_pair
from tests.fakes.shapes import make_tiny_window
from tests.service.world import World, complaint, play, tiny

NO_DIGEST = "0000000000000000000"


def creating(w: World, **fields: Any) -> AsyncGenerator[Progress, None]:
    order = read_value(CreateRequest, {"model": "new", **fields})
    return Create(w.library, w.settings, nothing_to_pull).create(order)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Rows of 256, which blocks of four bits need."""
    path = tmp_path_factory.mktemp("gguf") / "wide.gguf"
    return make_tiny_llama(path, n_embd=256).read_bytes()


def types(w: World, model: str = "new", layer: str = "model") -> dict[str, str]:
    """The types of the tensors of a model's weights."""
    (digest,) = w.layers(model)[layer]
    header = read_header(w.library.blobs.path(Digest(digest)))
    return {tensor.name: tensor.type_name for tensor in header.tensors}


ASKED: dict[str, tuple[str, str, str, str]] = {
    "eight bits": ("q8_0", "Q8_0", "Q8_0", "Q8_0"),
    "half precision": ("F16", "F16", "F16", "F16"),
    "bfloat": ("bf16", "BF16", "BF16", "BF16"),
    "four bits": ("q4_K_M", "Q4_K_M", "Q4_K", "Q6_K"),
    "four bits, small": ("Q4_K_S", "Q4_K_S", "Q4_K", "Q6_K"),
    "a short name": ("q4_k", "Q4_K_M", "Q4_K", "Q6_K"),
}


@pytest.mark.parametrize(("asked", "level", "query", "output"), ASKED.values(), ids=ASKED)
def test_weights_are_quantised(
    tmp_path: Path, wide: bytes, asked: str, level: str, query: str, output: str
) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(wide)
        events = [step async for step in creating(w, files={"a.gguf": digest}, quantize=asked)]
        assert w.config("new")["file_type"] == level
        found = types(w)
        assert found["blk.0.attn_q.weight"] == query
        assert found["output.weight"] == output
        assert found["blk.0.attn_norm.weight"] == "F32"
        (made,) = w.layers("new")["model"]
        assert describe(w.library.blobs.path(Digest(made))).file_type == level
        bar = [step for step in events if step.digest]
        assert {step.status for step in bar} == {f"quantizing F32 model to {level}"}
        assert {(step.digest, step.total) for step in bar} == {(NO_DIGEST, len(wide))}
        done = [step.completed for step in bar]
        assert done == sorted(done)
        assert done[-1] == len(wide)
        assert len(done) > 10
        rest = [step.status for step in events if not step.digest]
        assert rest == [
            "parsing GGUF",
            "verifying conversion",
            f"creating new layer sha256:{made}",
            "writing manifest",
            "success",
        ]

    play(tmp_path, scene, None)


def test_an_installed_model_is_quantised(tmp_path: Path, weights: bytes) -> None:
    """What else it has is shared with it."""

    async def scene(w: World) -> None:
        await w.install("parent", weights, system="Be kind.")
        await w.create("new", **{"from": "parent", "quantize": "q8_0"})
        assert types(w)["blk.1.ffn_up.weight"] == "Q8_0"
        assert types(w, "parent")["blk.1.ffn_up.weight"] == "F32"
        assert w.layers("new")["system"] == w.layers("parent")["system"]

    play(tmp_path, scene, None)


def test_the_old_spelling_is_read_and_the_new_one_wins(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        await w.install("parent", weights)
        await w.create("new", **{"from": "parent", "quantization": "q8_0"})
        assert w.config("new")["file_type"] == "Q8_0"
        await w.create("new", **{"from": "parent", "quantization": "q8_0", "quantize": "f16"})
        assert w.config("new")["file_type"] == "F16"

    play(tmp_path, scene, None)


def test_the_type_it_has_leaves_it_as_it_is(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        await w.install("parent", weights)
        steps = await w.create("new", **{"from": "parent", "quantize": "f32"})
        assert not any("quantizing" in step for step in steps)
        assert w.layers("new") == w.layers("parent")

    play(tmp_path, scene, None)


def test_a_draft_is_quantised_by_itself(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(weights)
        other = await w.upload(make_tiny_llama(tmp_path / "d.gguf", seed=1).read_bytes())
        files = {"a.gguf": digest}
        await w.create("new", files=files, draft_files={"d.gguf": other}, draft_quantize="q8_0")
        assert types(w)["blk.0.attn_q.weight"] == "F32"
        assert types(w, layer="draft")["blk.0.attn_q.weight"] == "Q8_0"
        quantised = w.layers("new")["draft"]
        drafts = {"d.gguf": f"sha256:{quantised[0]}"}
        wrong = w.create("newer", files=files, draft_files=drafts, draft_quantize="q8_0")
        assert await complaint(wrong) == (
            400,
            "draft quantization requires an unquantized draft model, got Q8_0",
        )

    play(tmp_path, scene, None)


NEEDS_MATRIX = "quantizing to {} needs an importance matrix: give one with --imatrix FILE"

REFUSED: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "an unknown type": (
        {"from": "m", "quantize": "q3_x"},
        (
            400,
            f"unsupported quantization type Q3_X - supported types are {', '.join(LEVELS)}",
        ),
    ),
    "an unknown type for the draft": (
        {"from": "m", "draft_files": {"d": "x"}, "draft_quantize": "q5_x"},
        (
            400,
            f"unsupported quantization type Q5_X - supported types are {', '.join(LEVELS)}",
        ),
    ),
    "a type that needs a matrix": (
        {"from": "m", "quantize": "iq2_xs"},
        (400, NEEDS_MATRIX.format("IQ2_XS")),
    ),
    "a type for the draft that needs one": (
        {"from": "m", "draft_files": {"d": "x"}, "draft_quantize": "iq1_s", "imatrix": "x"},
        (400, NEEDS_MATRIX.format("IQ1_S")),
    ),
    "a matrix for nothing": (
        {"from": "m", "imatrix": "x"},
        (400, "an importance matrix is of use only with quantize"),
    ),
    "a matrix that nobody sent": (
        {"from": "m", "quantize": "q8_0", "imatrix": f"sha256:{'0' * 64}"},
        (
            400,
            f"open sha256-{'0' * 64}: no such file or directory: "
            "upload the blob before creating the model",
        ),
    ),
    "weights that lost bits already": (
        {"from": "small", "quantize": "q4_K_M"},
        (400, "quantization is only supported for F16, BF16 and F32 models"),
    ),
    "nothing that the engine knows": (
        {"from": "odd", "quantize": "q8_0"},
        (400, "cannot quantize: unknown model architecture: 'odd'"),
    ),
    "a bad template beside it": (
        {"from": "m", "quantize": "q8_0", "parameters": {"num_ctx": "many"}},
        (400, 'option "num_ctx" must be of type integer'),
    ),
}


@pytest.mark.parametrize(("fields", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_quantised_leaves_nothing(
    tmp_path: Path, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    async def scene(w: World) -> None:
        await w.install("odd", tiny(arch="odd"))
        await w.install("small", tiny(general__file_type=7))
        before = w.files()
        assert await complaint(w.create("new", **fields)) == expected
        assert w.files() == before

    play(tmp_path, scene)


def test_an_importance_matrix_is_used_for_the_model_and_is_no_part_of_it(
    tmp_path: Path, wide: bytes
) -> None:
    async def scene(w: World) -> None:
        weights = await w.upload(wide)
        path = w.library.blobs.path(Digest.parse(weights))
        columns = {t.name: t.shape[0] for t in read_header(path).tensors if len(t.shape) == 2}
        matrix = await w.upload(pack_old_matrix({name: [1.0] * n for name, n in columns.items()}))
        await w.create("new", files={"a": weights}, quantize="q2_k_s", imatrix=matrix)
        assert types(w)["blk.0.attn_q.weight"] == "Q2_K"
        assert list(w.layers("new")) == ["model"]
        before = w.files()
        bad = await w.upload(b"no matrix")
        wrong = w.create("new", files={"a": weights}, quantize="q2_k_s", imatrix=bad)
        status, text = await complaint(wrong)
        assert status == 400
        assert "the file is no importance matrix that can be used: it does not begin" in text
        assert w.files().keys() - before.keys() == {f"blobs/{bad.replace(':', '-')}"}

    play(tmp_path, scene, None)


def test_a_full_disk_is_named() -> None:
    failure = QuantError("cannot quantize: the file cannot be written in full")
    folder = Path("/models")
    assert explain(failure, folder, 1 << 30) is failure
    gone = ConvertError("cannot convert: model.gguf: No space left on device")
    for told in (explain(failure, folder, 1 << 20), explain(gone, folder, 1 << 30)):
        assert isinstance(told, StoreFull)
        assert str(folder) in str(told)


def test_who_leaves_ends_the_quantiser_and_nothing_stays(tmp_path: Path, wide: bytes) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(wide)
        before = w.files()
        async with aclosing(creating(w, files={"a.gguf": digest}, quantize="q8_0")) as steps:
            async for step in steps:
                if step.digest:
                    break
        assert quantisers() == []
        assert w.files() == before

    play(tmp_path, scene, None)


def test_a_quantiser_that_dies_is_an_error(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(weights)
        before = w.files()
        async with asyncio.TaskGroup() as tasks:
            work = w.create("new", files={"a.gguf": digest}, quantize="q8_0")
            told = tasks.create_task(complaint(work))
            os.kill(await first_quantiser(), signal.SIGKILL)
        assert told.result() == (500, "the quantizer ended: killed by SIGKILL")
        assert w.files() == before

    play(tmp_path, scene, None)


def test_a_cancelled_create_ends_the_quantiser(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(weights)
        before = w.files()
        async with asyncio.TaskGroup() as tasks:
            order = w.create("new", files={"a.gguf": digest}, quantize="q8_0")
            work = tasks.create_task(order)
            os.kill(await first_quantiser(), signal.SIGSTOP)
            work.cancel()
        assert quantisers() == []
        assert w.files() == before

    play(tmp_path, scene, None)


def quantisers() -> list[int]:
    """The quantisers that this process started, ended ones included that it did not wait for."""
    tasks = Path("/proc/self/task").iterdir()
    pids = [int(pid) for task in tasks for pid in task.joinpath("children").read_text().split()]
    return [pid for pid in pids if is_quantiser(pid)]


def is_quantiser(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return not command or b"puna.convert.quantizer" in command


async def first_quantiser() -> int:
    found = quantisers()
    while not found:
        await asyncio.sleep(0.001)
        found = quantisers()
    return found[0]


def test_an_encoder_inside_the_weights_becomes_a_projector(tmp_path: Path) -> None:
    """As if the weights had been two files from the beginning; what was given stays as it is."""
    text = make_tiny_window(tmp_path / "text.gguf")
    eye = make_projector(tmp_path / "eye.gguf", GEMMA)
    whole = write_monolith(tmp_path / "whole.gguf", text, eye, FORMS["gemma3"])

    async def scene(w: World) -> None:
        await w.create(files={"a.gguf": await w.upload(whole.read_bytes())})
        two = {"a": await w.upload(text.read_bytes()), "b": await w.upload(eye.read_bytes())}
        for model, fields in (("one", {"from": "m"}), ("two", {"files": two})):
            async for _ in creating(w, **fields, model=model, quantize="q8_0"):
                pass
        assert types(w, "one") == types(w, "two")
        assert types(w, "one", "projector") == types(w, "two", "projector")
        for model in ("one", "m"):
            assert (await w.catalog.find(model)).capabilities == ("completion", "vision")
        assert not [each for each in w.library.blobs.folder.iterdir() if each.suffix]

    play(tmp_path, scene, gguf=None)


def test_the_family_of_a_model_of_the_library_stays_that_of_its_parent(tmp_path: Path) -> None:
    """As in the reference, whose own files keep their architecture's name: clients know it."""
    _, theirs = write_pair(tmp_path, RENAMED["olmo3"])

    async def scene(w: World) -> None:
        await w.install("parent", theirs.read_bytes())
        await w.create("new", **{"from": "parent", "quantize": "q8_0"})
        (made,) = w.layers("new")["model"]
        assert describe(w.library.blobs.path(Digest(made))).architecture == "olmo2"
        for model in ("parent", "new"):
            assert w.config(model)["model_family"] == "olmo3"
            assert w.config(model)["model_families"] == ["olmo3"]

    play(tmp_path, scene, None)
