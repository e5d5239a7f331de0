"""Measuring how fast a model reads prompts and writes answers, also for several users at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median

from puna.client.client import Client
from puna.client.fields import Json
from puna.config import Host

__all__ = ["Bench", "Run", "Speed", "speed_of"]

PROBE_WORDS = 64
PROBE_TOKENS = 8
_TEXT = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book"
)
WORDS = _TEXT.split()


@dataclass(frozen=True, slots=True)
class Speed:
    """One measurement. Rates are tokens a second of all streams together, `stream_rate` is the
    median of one; None where answers ended at their first token.
    """

    prompt_tokens: int
    concurrency: int
    tokens: int
    first_token_seconds: float
    prefill_rate: float
    decode_rate: float | None
    stream_rate: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """One answer; moments in seconds of the monotonic clock."""

    prompt_tokens: int
    tokens: int
    sent: float
    first: float
    last: float


class Bench:
    """Measures a model at `host` with as many connections as `concurrency`; use it with `with`.

    Every method raises ClientError.
    """

    def __init__(self, host: Host, model: str, tokens: int, concurrency: int) -> None:
        self.model = model
        self.tokens = tokens
        self._closing = ExitStack()
        self._clients = [self._closing.enter_context(Client(host)) for _ in range(concurrency)]
        # No two prompts may begin alike, not those of an earlier call either: the server would
        # remember them.
        self._random = random.SystemRandom()
        self._tokens_a_word = 1.0

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def prepare(self) -> int:
        """Load the model, open the connections, and learn how long its words are.

        Returns the length of its context in tokens, 0 if the server does not tell.
        """
        for client in self._clients:
            client.load({"model": self.model})
        run = self._answer(self._clients[0], self._words(PROBE_WORDS), PROBE_TOKENS)
        self._tokens_a_word = max(1, run.prompt_tokens) / PROBE_WORDS
        return self._clients[0].loaded_context(self.model)

    def measure(self, prompt_tokens: int, concurrency: int) -> Speed:
        """Send so many prompts of about so many tokens at the same time."""
        count = max(1, round(prompt_tokens / self._tokens_a_word))
        runs: list[Run] = []
        errors: list[Exception] = []

        def work(client: Client, prompt: str) -> None:
            try:
                runs.append(self._answer(client, prompt, self.tokens))
            except Exception as error:  # noqa: BLE001 - raised again where it can be seen
                errors.append(error)

        # Daemons, so that Ctrl+C does not wait for the answers.
        threads = [
            threading.Thread(target=work, args=(client, self._words(count)), daemon=True)
            for client in self._clients[:concurrency]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return speed_of(runs)

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(WORDS, k=count))

    def _answer(self, client: Client, prompt: str, tokens: int) -> Run:
        request: Json = {
            "model": self.model,
            "prompt": prompt,
            "raw": True,
            # An answer that repeats itself would be guessed, and look faster than any real one.
            "options": {"num_predict": tokens, "temperature": 1},
        }
        sent = time.monotonic()
        first = last = 0.0
        prompt_tokens = written = 0
        with closing(client.generate(request)) as pieces:
            for piece in pieces:
                last = time.monotonic()
                first = first or last
                if piece.done:
                    prompt_tokens = piece.metrics.prompt_eval_count
                    written = piece.metrics.eval_count
        return Run(prompt_tokens, written, sent, first, last)


def speed_of(runs: Sequence[Run]) -> Speed:
    """What answers that ran at the same time say together."""
    first = min(run.first for run in runs)
    reading = max(run.first for run in runs) - min(run.sent for run in runs)
    writing = max(run.last for run in runs) - first
    later = sum(max(0, run.tokens - 1) for run in runs)
    rates = [
        (run.tokens - 1) / (run.last - run.first)
        for run in runs
        if run.tokens > 1 and run.last > run.first
    ]
    return Speed(
        prompt_tokens=int(median(run.prompt_tokens for run in runs)),
        concurrency=len(runs),
        tokens=sum(run.tokens for run in runs),
        first_token_seconds=median(run.first - run.sent for run in runs),
        prefill_rate=sum(run.prompt_tokens for run in runs) / max(reading, 1e-9),
        decode_rate=later / writing if later and writing > 0 else None,
        stream_rate=median(rates) if rates else None,
    )
