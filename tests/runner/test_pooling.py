"""Vectors from a real runner child: what the raw engine gives, alone and in company."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from gguf import PoolingType

from puna.errors import BadRequest, EngineDied, StartFailed
from puna.runner.handle import ProcessEngine
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.protocol import Embedding, Finished, LoadPlan, Piece
from tests.fakes.encoders import BERT_WIDTH, make_tiny_bert, make_tiny_reranker
from tests.fakes.ggufs import EMBD, make_tiny_adapter, make_tiny_llama
from tests.fakes.shapes import make_tiny_experts, make_tiny_mamba, make_tiny_window
from tests.runner.test_engine import answer, loaded, order, with_engine

Vectors = list[npt.NDArray[np.float32]]
Make = Callable[[Path], Path]

# the pooling that must come of it, and how to make the file
SHAPES: dict[str, tuple[PoolingType, Make]] = {
    "BERT, mean": (PoolingType.MEAN, make_tiny_bert),
    "BERT, first": (PoolingType.CLS, partial(make_tiny_bert, pooling=PoolingType.CLS)),
    "BERT that does not say": (PoolingType.LAST, partial(make_tiny_bert, pooling=None)),
    "Llama, last": (PoolingType.LAST, partial(make_tiny_llama, pooling=PoolingType.LAST)),
    "Llama, mean": (PoolingType.MEAN, partial(make_tiny_llama, pooling=PoolingType.MEAN)),
    "generating Llama": (PoolingType.LAST, make_tiny_llama),
    "experts": (PoolingType.LAST, make_tiny_experts),
    "sliding window": (PoolingType.LAST, make_tiny_window),
    "recurrent": (PoolingType.LAST, make_tiny_mamba),
}
STORY = "the cat saw a big red ball and the happy dog ran home"
WORDS = STORY.split()
TEXTS = (*(" ".join((WORDS * 9)[start : 4 * start + 1]) for start in range(13)), "")
TABLE = 1e-2
"""BERT's GELU goes through the engine's table in half precision: rounding can fall either way."""


def plan_for(path: Path, **fields: object) -> LoadPlan:
    whole = {"n_ctx": 128, "kv_type": "f32", "flash_attention": False, **fields}
    return LoadPlan(model=str(path), **whole)  # type: ignore[arg-type]


async def vectors_of(engine: ProcessEngine, texts: Sequence[str], **fields: object) -> Vectors:
    whole = {"n_ctx": 512, **fields}
    result = await engine.embed(Embedding(inputs=tuple(texts), **whole))  # type: ignore[arg-type]
    return [np.frombuffer(raw, np.float32) for raw in result.vectors]


def assert_alike(some: Vectors, others: Vectors, tolerance: float = 1e-4) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=1e-4)


def assert_different(vectors: Vectors) -> None:
    """No two of them could be taken for each other."""
    for number, one in enumerate(vectors):
        for other in vectors[:number]:
            assert np.abs(one - other).max() > 2 * TABLE


class RawEngine:
    """libllama without anything of ours but the loading: one input a decode, in a new context."""

    def __init__(self, path: Path, pooling: PoolingType) -> None:
        LOG.attach(lambda level, line: None)
        self._model = Model(LoadPlan(model=str(path)), lambda fraction: None)
        self._pooling = pooling

    def vector(self, tokens: list[int], size: int) -> npt.NDArray[np.float32]:
        params = lib.llama_context_default_params()
        params.embeddings, params.pooling_type = True, int(self._pooling)
        params.n_ctx = params.n_batch = params.n_ubatch = 512
        params.type_k = params.type_v = 0
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context = lib.llama_init_from_model(self._model.handle, params)
        ids = (lib.llama_token * len(tokens))(*tokens)
        assert lib.llama_decode(context, lib.llama_batch_get_one(ids, len(tokens))) == 0
        pointer = lib.llama_get_embeddings_seq(context, 0)
        found: npt.NDArray[np.float32] = np.ctypeslib.as_array(pointer, shape=(size,)).copy()
        lib.llama_free(context)
        return found

    def tokens(self, text: str, *, add_special: bool = True) -> list[int]:
        return self._model.tokenize(text, add_special=add_special, parse_special=True)

    def close(self) -> None:
        self._model.close()


@pytest.mark.parametrize(("pooling", "make"), SHAPES.values(), ids=SHAPES)
def test_each_vector_is_the_raw_engines(pooling: PoolingType, make: Make, tmp_path: Path) -> None:
    path = make(tmp_path / "model.gguf")
    raw = RawEngine(path, pooling)
    size, tolerance = (BERT_WIDTH, TABLE) if "bert" in repr(make) else (EMBD, 1e-4)
    expected = [raw.vector(raw.tokens(text), size) for text in TEXTS]
    raw.close()
    assert_different(expected)

    async def use(engine: ProcessEngine) -> None:
        alone = [(await vectors_of(engine, [text]))[0] for text in TEXTS]
        assert_alike(alone, expected)
        together = await vectors_of(engine, TEXTS)
        assert_alike(together, expected, tolerance)
        for vectors in await asyncio.gather(*(vectors_of(engine, TEXTS) for _ in range(3))):
            assert_alike(vectors, expected, tolerance)

    with_engine(plan_for(path), use)


def test_automatic_attention_changes_little(tmp_path: Path) -> None:
    path = make_tiny_bert(tmp_path / "model.gguf")

    async def use(engine: ProcessEngine) -> None:
        together = await vectors_of(engine, TEXTS)
        for text, vector in zip(TEXTS, together, strict=True):
            (alone,) = await vectors_of(engine, [text])
            assert_alike([vector], [alone], 2 * TABLE)

    with_engine(LoadPlan(model=str(path), n_ctx=128), use)


SPLIT = ["Llama, mean", "Llama, last", "experts", "sliding window", "recurrent"]


@pytest.mark.parametrize("shape", SPLIT)
def test_an_input_of_several_decodes(shape: str, tmp_path: Path) -> None:
    path = SHAPES[shape][1](tmp_path / "model.gguf")
    texts = [" ".join(WORDS * 8), "the cat", " ".join(WORDS * 6)]
    found: list[Vectors] = []

    async def use(engine: ProcessEngine) -> None:
        found.append(await vectors_of(engine, texts))

    with_engine(plan_for(path, n_batch=32), use)
    with_engine(plan_for(path, n_batch=128), use)
    in_parts, whole = found
    assert_alike(in_parts, whole)


def test_vectors_beside_answers(tmp_path: Path) -> None:
    """Neither changes the other, and words keep coming while inputs are read."""
    path = make_tiny_llama(tmp_path / "model.gguf")
    texts = [" ".join(WORDS * 8)] * 40
    long = order("Once", 400, n_ctx=512)

    async def use(engine: ProcessEngine) -> None:
        (vector,), (text, _) = await vectors_of(engine, texts[:1]), await answer(engine, long)
        events: list[str] = []

        async def tell() -> str:
            said = ""
            async with engine.generate(long) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Piece):
                        said += piece.text
                        events.append("piece")
            return said

        async def embed() -> Vectors:
            events.append("asked")
            vectors = await vectors_of(engine, texts)
            events.append("answered")
            return vectors

        again, vectors = await asyncio.gather(tell(), embed())
        assert again == text
        assert_alike(vectors, [vector] * len(texts))
        assert events[events.index("asked") : events.index("answered")].count("piece") > 20

    with_engine(plan_for(path, n_ctx=512, n_parallel=2), use)


def test_who_left_is_not_worked_for(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "model.gguf", n_ctx=2048)

    async def use(engine: ProcessEngine) -> None:
        texts = [" ".join(WORDS * 60)] * 2000
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await vectors_of(engine, texts)
        async with asyncio.timeout(10):  # all of them would take minutes
            await vectors_of(engine, ["the cat"])

    with_engine(plan_for(path, n_ctx=2048), use)


def test_a_thousand_inputs_come_back_in_order(tmp_path: Path) -> None:
    path = make_tiny_bert(tmp_path / "model.gguf")
    texts = [" ".join(WORDS[: 1 + number % 13]) for number in range(1000)]

    async def use(engine: ProcessEngine) -> None:
        vectors = await vectors_of(engine, texts)
        assert_alike(vectors, [vectors[number % 13] for number in range(1000)], TABLE)
        assert_different(vectors[:13])
        assert (await engine.embed(Embedding(inputs=()))).vectors == []

    with_engine(plan_for(path), use)


def test_long_inputs_are_cut_between_their_frame_tokens_or_refused(tmp_path: Path) -> None:
    path = make_tiny_bert(tmp_path / "model.gguf", n_ctx=64)
    raw = RawEngine(path, PoolingType.MEAN)
    tokens = raw.tokens(" ".join(WORDS * 30))
    expected = raw.vector(tokens[:31] + tokens[-1:], BERT_WIDTH)
    raw.close()

    async def use(engine: ProcessEngine) -> None:
        long = [" ".join(WORDS * 30)]
        result = await engine.embed(Embedding(inputs=tuple(long), n_ctx=32))
        assert result.tokens == [32]
        assert_alike([np.frombuffer(result.vectors[0], np.float32)], [expected], TABLE)
        assert (await engine.embed(Embedding(inputs=tuple(long)))).tokens == [64]
        with pytest.raises(BadRequest, match=r"^the input length exceeds the context length$"):
            await vectors_of(engine, ["the cat", *long], truncate=False)
        with pytest.raises(BadRequest, match=r"^input after truncation exceeds maximum context"):
            await vectors_of(engine, ["the cat"], n_ctx=2)

    with_engine(plan_for(path, n_ctx=4096), use)


def test_a_model_for_embeddings_only_generates_nothing(tmp_path: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(BadRequest, match="cannot generate text"):
            await answer(engine, order("Once"))
        assert len(await vectors_of(engine, ["the cat"])) == 1
        assert await engine.detokenize(await engine.tokenize("the cat"))

    with_engine(plan_for(make_tiny_bert(tmp_path / "bert.gguf")), use)
    path = make_tiny_llama(tmp_path / "llama.gguf", pooling=PoolingType.LAST)
    with_engine(plan_for(path, embedding_only=True), use)


def test_a_model_with_a_pooling_generates_where_it_may(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "llama.gguf", pooling=PoolingType.LAST)

    async def use(engine: ProcessEngine) -> None:
        assert len(await vectors_of(engine, ["the cat"])) == 1
        assert (await answer(engine, order("Once", 5)))[1].eval_tokens == 5

    with_engine(plan_for(path), use)


def test_an_adapter_changes_the_vectors(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "model.gguf")
    adapter = make_tiny_adapter(tmp_path / "adapter.gguf")
    found: list[Vectors] = []

    async def use(engine: ProcessEngine) -> None:
        found.append(await vectors_of(engine, ["the cat"]))

    with_engine(plan_for(path), use)
    with_engine(plan_for(path, adapters=(str(adapter),)), use)
    assert not np.allclose(found[0][0], found[1][0], atol=1e-2)


@pytest.mark.parametrize("labels", [1, 3])
def test_a_reranker_scores_pairs(labels: int, tmp_path: Path) -> None:
    path = make_tiny_reranker(tmp_path / "rank.gguf", labels=labels)
    query = "where was the cat"
    raw = RawEngine(path, PoolingType.RANK)
    start, end = raw.tokens("")
    expected = []
    for text in TEXTS:
        pair = [raw.tokens(each, add_special=False) for each in (query, text)]
        tokens = [start, *pair[0], end, *pair[1]]
        expected.append(raw.vector(tokens, labels))
    raw.close()

    async def use(engine: ProcessEngine) -> None:
        scores = await vectors_of(engine, TEXTS, query=query)
        assert_alike(scores, expected, TABLE)
        alone = [(await vectors_of(engine, [text], query=query))[0] for text in TEXTS]
        assert_alike(alone, expected)
        (cut,) = await vectors_of(engine, [" ".join(WORDS * 30)], query=query)
        assert np.isfinite(cut).all()
        with pytest.raises(BadRequest, match="exceeds maximum context length"):
            await vectors_of(engine, ["the cat"], query=" ".join(WORDS * 30))

    with_engine(plan_for(path), use)


def test_a_reranker_with_a_template(tmp_path: Path) -> None:
    """A decoder, as large rerankers are: the score is read at the last token. It has no head, which
    must not mix up the texts that it reads.
    """
    template = "<s> said {query} and {document} . home</s>"
    path = make_tiny_llama(
        tmp_path / "model.gguf", pooling=PoolingType.RANK, rerank_template=template
    )
    raw = RawEngine(path, PoolingType.RANK)
    texts = [template.format(query="the cat", document=text) for text in TEXTS]
    expected = [raw.vector(raw.tokens(text, add_special=False), 1) for text in texts]
    long = raw.tokens(
        template.format(query="the cat", document=" ".join(WORDS * 9)), add_special=False
    )
    tail = len(raw.tokens(" . home</s>", add_special=False))
    cut = raw.vector(long[: 32 - tail] + long[-tail:], 1)
    raw.close()

    async def use(engine: ProcessEngine) -> None:
        assert_alike(await vectors_of(engine, TEXTS, query="the cat"), expected)
        asked = Embedding(inputs=(" ".join(WORDS * 9),), query="the cat", n_ctx=32)
        result = await engine.embed(asked)
        assert result.tokens == [32]
        assert_alike([np.frombuffer(result.vectors[0], np.float32)], [cut])

    with_engine(plan_for(path), use)


def test_other_models_do_not_rank(tmp_path: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(BadRequest, match="does not support reranking"):
            await vectors_of(engine, ["the cat"], query="where")

    with_engine(plan_for(make_tiny_bert(tmp_path / "model.gguf")), use)


def test_an_unknown_pooling_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "model.gguf", pooling=77)

    async def use(engine: ProcessEngine) -> None:
        for _ in range(2):
            with pytest.raises(BadRequest, match="unknown pooling type: 77"):
                await vectors_of(engine, ["the cat"])
        assert isinstance((await answer(engine, order("Once", 3)))[1], Finished)

    with_engine(plan_for(path), use)

    async def load() -> None:
        async with asyncio.timeout(60), loaded(plan_for(path, embedding_only=True)):
            pass

    with pytest.raises(StartFailed, match="unknown pooling type: 77"):
        asyncio.run(load())


def test_a_killed_runner_fails_its_jobs(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "model.gguf", n_ctx=2048)

    async def run() -> None:
        async with asyncio.timeout(60), loaded(plan_for(path, n_ctx=2048)) as engine:

            async def end() -> None:
                await asyncio.sleep(0.3)
                await engine.close()

            async with asyncio.TaskGroup() as group:
                group.create_task(end())
                with pytest.raises(EngineDied):
                    await vectors_of(engine, [" ".join(WORDS * 60)] * 2000)

    asyncio.run(run())
