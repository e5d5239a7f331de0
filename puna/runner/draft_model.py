"""Loading the draft model of a plan, where it fits the large one. What does not fit stops nothing:
the log says why, and text is generated without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from puna.errors import BadModelFile, EngineError
from puna.runner.cells import Memory, memory_of
from puna.runner.drafter import Drafter
from puna.runner.llama.context import Context
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.llama.vocabulary import vocabulary_difference
from puna.runner.protocol import LoadPlan

__all__ = ["open_drafter"]

log = logging.getLogger(__name__)


def open_drafter(
    plan: LoadPlan, target: Model, n_threads: int, progress: Callable[[float], None]
) -> Drafter | None:
    """The draft model of a plan, ready; None where there is none, or none that fits `target`."""
    if not plan.draft or plan.speculation != "on":
        return None
    try:
        _check_target(plan, target)
        with LOG.part("draft"):
            drafter = _load(plan, target, n_threads, progress)
        log.info("guessing tokens with the draft model %s", Path(plan.draft).name)
        return drafter
    except (EngineError, BadModelFile, OSError) as cause:
        log.warning("the draft model %s is not used: %s", Path(plan.draft).name, cause)
        return None


def _check_target(plan: LoadPlan, target: Model) -> None:
    if memory_of(target) is Memory.STATE:
        raise EngineError("the model keeps a state, which cannot go back behind a wrong guess")
    size = sum(Path(path).stat().st_size for path in plan.weights)
    if Path(plan.draft).stat().st_size > size:
        raise EngineError("it is larger than the model")


def _load(
    plan: LoadPlan, target: Model, n_threads: int, progress: Callable[[float], None]
) -> Drafter:
    own = msgspec.structs.replace(plan, model=plan.draft, parts=(), draft="", adapters=())
    model = Model(own, progress)
    try:
        _check_fit(model, target)
        context = Context(model, own, n_threads)
    except EngineError:
        model.close()
        raise
    if not context.has_memory:
        context.close()
        model.close()
        raise EngineError("it keeps nothing between decodes")
    return Drafter(model, context, memory_of(model))


def _check_fit(model: Model, target: Model) -> None:
    difference = vocabulary_difference(target, model)
    if difference:
        raise EngineError(f"its vocabulary is not the model's: {difference}")
    if model.has_encoder or not model.has_decoder:
        raise EngineError("it does not generate")
    if memory_of(model) is Memory.STATE:
        raise EngineError("it keeps a state, which cannot go back behind a wrong guess")
