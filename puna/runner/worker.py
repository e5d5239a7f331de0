"""The main of a runner child: one thread reads frames, one thread owns the engine.

Started by handle.py as `python -m puna.runner.worker FD`, where FD is its end of a socket pair.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from puna.child import die_with_parent
from puna.discover.cpu import worker_threads
from puna.errors import BadModelFile, BadRequest, OutOfMemory, PunaError, StartFailed
from puna.runner.channel import Channel
from puna.runner.draft_model import open_drafter
from puna.runner.drafting import Drafting
from puna.runner.embedding import Embedder, Job
from puna.runner.inputs import read_texts
from puna.runner.later import Later, has_grammar, has_long_text
from puna.runner.llama.context import Context
from puna.runner.llama.library import INFO, LEVELS, LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.pooling import PooledContext
from puna.runner.llama.projector import Projector
from puna.runner.llama.state import engine_build
from puna.runner.loop import Loop
from puna.runner.media import Encoder, Seen
from puna.runner.preparing import Preparation
from puna.runner.protocol import EngineInfo, Generation, LoadPlan, WarmPlan
from puna.runner.running import Running
from puna.runner.senses import Senses
from puna.runner.speculate import Speculation
from puna.runner.warm.fingerprint import fingerprint
from puna.runner.warm.keeper import Keeper, open_keeper
from puna.runner.wire import (
    Admit,
    Beat,
    Cancel,
    Close,
    Detokenize,
    Embed,
    Failed,
    Finish,
    Loading,
    Measure,
    Open,
    Ready,
    Refused,
    Resized,
    Text,
    Tokenize,
    Tokens,
)

log = logging.getLogger(__name__)

NO_TEXT = "this model gives embeddings and cannot generate text"
_BEAT_NS = 1_000_000_000  # between two signs of life, at least
_QUIET_SECONDS = 1.0  # without requests, after which there is time for what will be needed


_Arrived = Running | Seen | Job | Cancel | Finish | Close
_Asked = Admit | Embed | Tokenize
_Read = Running | Job | Tokens


class Worker:
    """A loaded model that serves one parent."""

    def __init__(self, wire: Channel, plan: LoadPlan, warm: WarmPlan | None = None) -> None:
        self._wire = wire
        self._plan = plan
        threads = plan.n_threads or worker_threads()
        self._model = Model(plan, _reporter(wire))
        self._loop: Loop | None = None
        self._inbox: queue.SimpleQueue[_Arrived] = queue.SimpleQueue()
        self._senses: Senses | None = None
        self._why_blind = "it was loaded without a projector"
        projector = self._projector(threads)  # first: its file may be in memory while it loads
        self._context = _generating(self._model, plan, threads)
        self._embedder = Embedder(partial(PooledContext, self._model, plan, threads), wire.send)
        if self._context is None:  # then this is what it is for: it should be there, or fail, now
            self._n_ctx = self._n_cells = self._embedder.context.n_ctx
        else:
            speculation = None if plan.speculation == "off" else self._speculation(threads)
            keeper = _keeper(warm, plan, self._model) if warm else None
            self._loop = Loop(
                self._model,
                self._context,
                wire.send,
                speculation=speculation,
                keeper=keeper,
                encoder=self._encoder(projector, self._context.n_whole) if projector else None,
            )
            self._n_cells = self._context.n_cells
            self._n_ctx = min(plan.n_ctx, self._n_cells)
        self._n_allocations = LOG.n_allocations
        self._beat_at_ns = 0
        self._was_idle = True
        self._is_prepared = self._context is None
        self._preparation = Preparation(self._model, self._n_ctx, self._seeing)
        self._measuring = ThreadPoolExecutor(1, "media")
        self._later = Later(self._prepare, self._inbox.put, self._refuse, _drop)
        self._later_seen = Later(self._prepare, self._inbox.put, self._refuse, _drop, "media")
        self._later_long = Later(self._read, self._give, self._refuse, _drop, "long texts")

    def _speculation(self, n_threads: int) -> Speculation:
        report = _reporter(self._wire)
        drafter = open_drafter(self._plan, self._model, n_threads, report)
        return Speculation(Drafting(drafter) if drafter else None)

    def _projector(self, n_threads: int) -> Projector | None:
        """The projector, None where the model takes only texts, whatever it could take.

        Raises OutOfMemory.
        """
        if not self._plan.projector:
            return None
        on_card = self._plan.n_gpu_layers != 0
        try:
            return Projector(self._plan.projector, self._model, n_threads, on_card=on_card)
        except (StartFailed, BadModelFile, OSError) as error:
            log.warning("the model takes only texts: %s", error)
            self._why_blind = str(error)
            return None

    def _encoder(self, projector: Projector, n_whole: int) -> Encoder:
        """What encodes images and recordings."""
        self._senses = Senses(projector, n_whole)
        return Encoder(projector, self._inbox.put)

    def info(self) -> EngineInfo:
        """What the parent may know."""
        size, on_cards = LOG.allocated()
        return EngineInfo(
            n_ctx=self._n_ctx,
            n_ctx_train=self._model.n_ctx_train,
            n_vocab=self._model.n_vocab,
            n_cells=self._n_cells,
            size=size or self._model.size,
            size_vram=on_cards,
            bos=self._model.bos,
            eos=self._model.eos,
            adds_bos=self._model.adds_bos,
            can_shift=self._context is not None and self._context.can_shift,
            pid=os.getpid(),
        )

    def decode_forever(self) -> None:
        """The engine's thread: take what arrived, decode, deliver; sleep when there is nothing.

        Vectors and generations take turns, and the former's are about as long as the latter's.
        """
        while True:
            if LOG.n_allocations != self._n_allocations:
                self._tell_size()
            self._take(wait=self._is_idle)
            while not self._inbox.empty():
                self._take(wait=False)
            taken_ns = 0
            if self._loop is not None and not self._loop.idle:
                started = time.perf_counter_ns()
                self._loop.step()
                taken_ns = time.perf_counter_ns() - started
            self._embedder.step(beside_ns=taken_ns)
            self._beat()

    def _beat(self) -> None:
        now, is_idle = time.perf_counter_ns(), self._is_idle
        if now - self._beat_at_ns >= _BEAT_NS or (is_idle and not self._was_idle):
            self._beat_at_ns = now
            held = self._loop.n_held if self._loop else 0
            self._wire.send(Beat(self._loop.n_used - held if self._loop else 0, held))
        self._was_idle = is_idle

    def _tell_size(self) -> None:
        self._n_allocations = LOG.n_allocations
        self._wire.send(Resized(*LOG.allocated()))

    @property
    def _is_idle(self) -> bool:
        loop = self._loop
        return self._embedder.idle and (loop is None or loop.idle or loop.is_blind)

    def _take(self, *, wait: bool) -> None:
        seconds = _QUIET_SECONDS if wait and not self._is_prepared else None
        try:
            arrived = self._inbox.get(block=wait, timeout=seconds)
        except queue.Empty:
            if wait:
                self._prepare_context()
            return
        match arrived:
            case Job():
                self._embedder.admit(arrived)
            case Cancel(id):
                self._embedder.cancel(id)
                if self._loop is not None:
                    self._loop.cancel(id)
            case Finish(id) if self._loop is not None:
                self._loop.finish(id)
            case Running() if self._loop is not None:
                self._loop.admit(arrived)
            case Seen() if self._loop is not None:
                self._loop.see(arrived)
            case Close(seconds):
                if self._loop is not None:
                    self._loop.close(seconds)
                os._exit(0)

    def _prepare_context(self) -> None:
        """Make what users would have to wait for in the middle of their answers. One thing at a
        time: who comes meanwhile waits for its end, as it would later."""
        if self._context is not None and self._loop is not None and self._loop.idle:
            self._is_prepared = not self._context.prepare()

    def listen(self) -> None:
        """The reader's thread: prepare requests so that the engine never waits for a tokenizer."""
        while (message := self._wire.receive()) is not None:
            match message:
                case Admit(id=id, order=order) if order.images:
                    self._later_seen.take(id, order)
                case Admit(id=id, order=order) if has_grammar(order):
                    self._later.take(id, order)
                case Admit(id=id) | Embed(id=id) | Tokenize(id=id) if has_long_text(message):
                    self._later_long.take(id, message)
                case Admit(id=id) | Embed(id=id) | Tokenize(id=id):
                    self._answer(id, partial(self._read_and_give, id, message))
                case Cancel(id=id):
                    for later in (self._later, self._later_seen, self._later_long):
                        later.cancel(id)
                    self._inbox.put(message)
                case Close() | Finish():
                    self._inbox.put(message)
                case Measure(id=id, images=images):
                    self._answer(id, partial(self._measure, id, images))
                case Detokenize(id=id, tokens=ids):
                    self._answer(id, partial(self._detokenize, id, ids))
                case Open():
                    break
        os._exit(0)

    def _answer(self, id: int, action: Callable[[], None]) -> None:
        try:
            action()
        except PunaError as error:
            self._refuse(id, error)

    def _refuse(self, id: int, error: PunaError) -> None:
        self._wire.send(Refused(id, error.status, str(error), error.code))

    def _detokenize(self, id: int, tokens: tuple[int, ...]) -> None:
        self._wire.send(Text(id, self._model.detokenize(tokens)))

    def _read_and_give(self, id: int, message: _Asked) -> None:
        self._give(self._read(id, message))

    def _read(self, id: int, message: _Asked) -> _Read:
        """Cut the texts of a request into tokens."""
        match message:
            case Admit(order=order):
                return self._prepare(id, order)
            case Embed(order=order):
                return Job(id, order, read_texts(self._model, order))
            case Tokenize(text=text, special=special, counts=counts):
                tokens = self._model.tokenize(text, add_special=False, parse_special=special)
                return Tokens(id, (len(tokens),) if counts else tuple(tokens))

    def _give(self, read: _Read) -> None:
        if isinstance(read, Tokens):
            self._wire.send(read)
        else:
            self._inbox.put(read)

    def _prepare(self, id: int, order: Generation) -> Running:
        if self._loop is None:
            raise BadRequest(NO_TEXT)
        return self._preparation.prepare(id, order)

    def _seeing(self) -> Senses:
        if self._senses is None:
            raise BadRequest(f"this model cannot see or hear: {self._why_blind}")
        return self._senses

    def _measure(self, id: int, images: tuple[bytes, ...]) -> None:
        def measure() -> None:
            self._wire.send(Tokens(id, tuple(self._preparation.measure(images))))

        self._measuring.submit(self._answer, id, measure)


def _drop(read: _Read) -> None:
    """What nobody wants any more."""
    if isinstance(read, Running):
        read.sampler.close()


def _generating(model: Model, plan: LoadPlan, n_threads: int) -> Context | None:
    """The context to generate in, None for a model that is for embeddings."""
    if plan.embedding_only or not model.has_decoder:
        return None
    context = Context(model, plan, n_threads)
    if context.has_memory:
        return context
    context.close()
    return None


def _reporter(wire: Channel) -> Callable[[float], None]:
    """Progress in whole percents: the parent only needs to see that something moves."""
    last = -1

    def report(fraction: float) -> None:
        nonlocal last
        if int(fraction * 100) != last:
            last = int(fraction * 100)
            wire.send(Loading(fraction))

    return report


def _keeper(warm: WarmPlan, plan: LoadPlan, model: Model) -> Keeper:
    return open_keeper(warm, fingerprint(plan, engine_build(), model.variant(plan)))


def _end_with_traceback(failure: threading.ExceptHookArgs) -> None:
    """A reader that failed must not leave a runner that listens to nobody."""
    threading.__excepthook__(failure)
    os._exit(1)


def _log_line(level: int, line: str) -> None:
    if level >= INFO and line.strip():
        sys.stderr.write(f"{LEVELS[level]} {line.rstrip()}\n")
        sys.stderr.flush()


class _Marked(logging.Formatter):
    """Puts the mark of its level before a line; handle.py reads it."""

    def format(self, record: logging.LogRecord) -> str:
        mark = {logging.INFO: "W ", logging.DEBUG: "I "}.get(record.levelno, "")
        return mark + super().format(record)


def _log_to_parent() -> None:
    LOG.attach(_log_line)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Marked())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def main() -> None:
    """Serve the parent at the other end of the given file descriptor until it goes away."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends us
    wire = Channel(socket.socket(fileno=int(sys.argv[1])))
    _log_to_parent()
    lib.llama_backend_init()
    opened = wire.receive()
    if not isinstance(opened, Open):
        return
    try:
        worker = Worker(wire, opened.plan, opened.warm)
    except PunaError as error:
        wire.send(Failed(str(error), isinstance(error, OutOfMemory)))
        return
    wire.send(Ready(worker.info()))
    threading.excepthook = _end_with_traceback
    threading.Thread(target=worker.listen, name="reader", daemon=True).start()
    worker.decode_forever()


if __name__ == "__main__":
    main()
