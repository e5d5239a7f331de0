"""The contract of a runner: what a loaded model is asked and what it answers.

The same values travel between the server and the runner child (wire.py frames them).
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from puna.api.events import Logprob
from puna.discover.hardware import Card

__all__ = [
    "Embedding",
    "Embeddings",
    "Engine",
    "EngineDevices",
    "EngineInfo",
    "Finished",
    "Generation",
    "LoadPlan",
    "Piece",
    "Priority",
    "Sampling",
    "SpeculationKind",
    "StopReason",
    "TokenEvent",
    "WarmPlan",
]

StopReason = Literal["stop", "length"]
Priority = Literal["high", "normal", "low"]
SpeculationKind = Literal["off", "lookup", "on"]


class LoadPlan(Struct, frozen=True, kw_only=True):
    """What to load and how. Equal plans make interchangeable runners.

    `n_ctx` is the most that one sequence may hold; the pool of KV cells is `n_ctx * n_parallel`.
    With `n_ctx_auto` nobody asked for it: a model that was so loaded with less will do. `n_batch` 0
    leaves the choice to the runner. `speculation` says what guesses tokens that are checked
    together with the next one: the text itself, or with "on" also the model in the file `draft`,
    where there is one and it fits. `projector` is the file by which the model sees or hears. With
    `embedding_only` no text will be asked for, and nothing is set aside for it. `parts` are the
    further files of a model that is split, in order.
    `n_parallel` 0 leaves the pool's size, negative `n_gpu_layers` the layers on cards to the
    scheduler: it says in `cards` which cards (by the engine's number) get how many (`card_layers`),
    the first of them the first. Without `cards` the engine decides.
    """

    model: str
    parts: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    draft: str = ""
    projector: str = ""
    n_ctx: int = 4096
    n_ctx_auto: bool = False
    n_parallel: int = 1
    max_sequences: int = 32
    n_batch: int = 512
    n_threads: int = 0
    n_gpu_layers: int = -1
    main_gpu: int | None = None
    cards: tuple[int, ...] = ()
    card_layers: tuple[int, ...] = ()
    use_mmap: bool | None = None
    flash_attention: bool | None = None
    kv_type: str = "f16"
    speculation: SpeculationKind = "on"
    embedding_only: bool = False

    @property
    def weights(self) -> tuple[str, ...]:
        """The files of the model itself."""
        return (self.model, *self.parts)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is loaded."""
        return (*self.weights, *self.adapters, *filter(None, [self.draft, self.projector]))


class WarmPlan(Struct, frozen=True, kw_only=True):
    """Where prefixes are kept while their model is not loaded; an empty path is nowhere.

    Limits in bytes. `memory` is a folder that lies in memory and ends with the server.
    """

    memory: str = ""
    memory_limit: int = 0
    disk: str = ""
    disk_limit: int = 0


class EngineDevices(Struct, frozen=True, kw_only=True):
    """What the engine as it was built can compute on. `features` are instruction sets."""

    cards: tuple[Card, ...] = ()
    backends: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


class EngineInfo(Struct, frozen=True, kw_only=True):
    """What a loaded model says about itself. Sizes in bytes.

    `cells_used` of the `n_cells` are those of requests under way, `cells_held` are kept for prompts
    to come; both as of about a second ago.
    """

    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_cells: int
    size: int
    size_vram: int
    cells_used: int = 0
    cells_held: int = 0
    bos: str = ""
    eos: str = ""
    adds_bos: bool = False
    can_shift: bool = True
    pid: int = 0


class Sampling(Struct, frozen=True, kw_only=True):
    """How the next token is drawn (serving spec, section 7.1). `seed` -1 is random.

    With `mirostat` 1 or 2 the stages between bias and temperature are left out. `logit_bias` holds
    tokens' ids, or texts whose tokens are meant, and what is added to their logits: -100 forbids.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[int | str, float], ...] = ()
    seed: int = -1


class Generation(Struct, frozen=True, kw_only=True):
    """One request to continue a prompt.

    `images` are files of images and recordings, which stand where the prompt says `[img-0]`,
    `[img-1]` and so on. `prefix` are tokens put before the prompt's (the `context` of generate).
    `max_tokens` -1 is no limit but ten times the context. `format` is the JSON text of the
    request's format, "json" in quotes or a schema; `grammar` is GBNF or Lark, `regex` a regular
    expression; at most one of the three is not empty. `outline` is Lark for the whole answer, tags
    included, in which `@answer` is what those three hold to; control tokens of `visible` are text
    in it. `top_logprobs` None asks for no log probabilities.
    With `truncate` an over-long prompt loses its middle; without, or with `shift` off, it is
    refused. `shift` lets a full context drop its oldest half beyond `n_keep`.
    At most `most_drafted` tokens are guessed at a time; -1 leaves that to what is measured.
    Control tokens are silent in answers but for those that are spelled like a text of `visible`.
    What `client` asked for shares the engine with what others did, client by client.
    """

    prompt: str
    images: tuple[bytes, ...] = ()
    prefix: tuple[int, ...] = ()
    n_ctx: int = 4096
    n_keep: int = 4
    max_tokens: int = -1
    stop: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    format: str = ""
    grammar: str = ""
    regex: str = ""
    outline: str = ""
    truncate: bool = True
    shift: bool = True
    most_drafted: int = -1
    top_logprobs: int | None = None
    want_tokens: bool = False
    priority: Priority = "normal"
    client: str = ""


class Embedding(Struct, frozen=True, kw_only=True):
    """One request for vectors, one for each input.

    With a `query` every input is a document to compare with it, and its vector holds the scores of
    a reranker. Inputs longer than `n_ctx` tokens are cut with `truncate`, else refused. What
    `client` asked for takes turns with what others did, by `priority` and by tokens.
    """

    inputs: tuple[str, ...]
    query: str | None = None
    n_ctx: int = 4096
    truncate: bool = True
    priority: Priority = "normal"
    client: str = ""


class Embeddings(Struct, frozen=True):
    """Vectors of float32 in the machine's byte order, and how many tokens each input had."""

    vectors: list[bytes]
    tokens: list[int]


class Piece(Struct, frozen=True, array_like=True):
    """Text that can be shown: whole characters, no part of a stop word."""

    text: str
    logprobs: tuple[Logprob, ...] = ()


class Finished(Struct, frozen=True, kw_only=True):
    """The end of a generation. Durations in nanoseconds.

    `cached_tokens` of the `prompt_tokens` were in the cache and not computed again. Of
    `drafted_tokens` that were guessed, `accepted_tokens` are part of the answer. `stop` is the stop
    word that ended the text. `gaps` are the times between tokens, how many of each class
    (gaps.py); together they are `eval_ns`.
    """

    reason: StopReason
    prompt_tokens: int
    cached_tokens: int = 0
    prompt_ns: int
    eval_tokens: int
    eval_ns: int
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    truncated: bool = False
    stop: str = ""
    tokens: tuple[int, ...] | None = None
    gaps: tuple[int, ...] = ()


TokenEvent = Piece | Finished


class TokenEvents(Protocol):
    """The events of one generation, in order; the last is Finished."""

    def __aiter__(self) -> Self: ...

    def __anext__(self) -> Coroutine[Any, Any, TokenEvent]: ...

    def finish(self) -> None:
        """End the generation as if the model had ended it: Finished comes after what is on its way.
        Does nothing where it has ended.
        """


class Engine(Protocol):
    """One loaded model: the first of the six seams.

    runner/handle.py drives a child process, runner/fake.py says what it is told.
    """

    @property
    def info(self) -> EngineInfo: ...

    @property
    def alive(self) -> bool:
        """False once the runner died; requests then fail with EngineDied."""

    def generate(self, order: Generation) -> AbstractAsyncContextManager[TokenEvents]:
        """Admit an order; iterate over its pieces, the last event is Finished.

        Leaving the context early cancels the sequence within one decode step. The iterator raises
        EngineDied when the runner dies, BadRequest when the order itself is refused.
        """

    async def embed(self, order: Embedding) -> Embeddings:
        """The inputs' vectors, in their order.

        Cancelling the caller drops what was not computed. Raises EngineDied when the runner dies,
        BadRequest when an input is refused.
        """

    async def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        """Token ids of a text, without BOS; `special` reads control tokens written as text."""

    async def count(self, text: str) -> int:
        """How many tokens that would be."""

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids, control tokens included. Raises BadRequest for unknown ids."""

    async def measure(self, images: Sequence[bytes]) -> list[int]:
        """How many tokens each image or recording has in a prompt, the marks around it included.
        Raises BadRequest for what is neither, and where the model cannot see or hear it.
        """

    async def close(self) -> None:
        """End the runner. Running generations fail with EngineDied. Idempotent."""


class Launcher(Protocol):
    """Starts runners: the seam where processes (and later machines) are replaced."""

    async def launch(self, plan: LoadPlan) -> Engine:
        """Load a model. Raises StartFailed, OutOfMemory or BadModelFile with the cause in words."""
