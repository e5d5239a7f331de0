"""Contexts that are full go on without what comes after the kept tokens."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.runner.batch import discard_count
from tests.fakes.cells import never_end
from tests.runner.test_loop import MEMORIES, N_CTX, PROMPTS, World


def shifted(prompt: list[int], max_tokens: int, n_keep: int) -> tuple[str, bool]:
    """The endless answer that goes on where a context is full, and whether it was."""
    tokens, said, is_cut = list(prompt), [0] * 0, False
    while len(said) < max_tokens:
        if len(tokens) > N_CTX:
            count = discard_count(N_CTX, n_keep, len(tokens) - 1)
            del tokens[n_keep : n_keep + count]
            is_cut = True
        token = never_end(tokens)
        said.append(token)
        tokens.append(token)
    return "".join(f"{token} " for token in said), is_cut


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
@settings(max_examples=25, deadline=None)
@given(
    asked=st.lists(
        st.tuples(PROMPTS, st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=6
    ),
    can_shift=st.booleans(),
    n_cells=st.integers(N_CTX + 2, 90),
    drafts=st.none() | st.randoms(use_true_random=False),
)
def test_a_full_context_drops_what_comes_after_the_kept(
    memory: dict[str, Any],
    asked: list[Any],
    can_shift: bool,
    n_cells: int,
    drafts: random.Random | None,
) -> None:
    world = World(n_cells, drafts=drafts, **memory)
    world.context.can_shift = can_shift and not world.context.has_state
    world.context._says = never_end
    if world.drafts is not None:
        world.drafts._oracle = lambda _, seen: never_end(seen)
    for prompt, n_keep, steps in asked:
        world.admit(prompt, 40, n_keep=min(n_keep, len(prompt)))
        for _ in range(steps):
            world.loop.step()
            world.check()
    world.run()
    for told, (prompt, n_keep, _) in zip(world.told.values(), asked, strict=True):
        (end,) = told.ends
        expected = shifted(prompt, 40, min(n_keep, len(prompt)))
        assert (told.text, end.truncated) == expected


def test_what_was_shifted_is_nobody_else_s_beginning() -> None:
    """Its cells still know of what was dropped."""
    world = World(n_cells=90)
    world.context.can_shift = True
    world.context._says = never_end
    world.admit([1] * 8, 40, n_keep=4)
    for _ in range(25):
        world.loop.step()
    (each,) = world.loop._running
    assert each.truncated
    other = world.admit(each.tokens[:12], 1)
    world.run()
    assert world.told[other].ends[0].cached_tokens == 4
