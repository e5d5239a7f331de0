"""Prompts that come together begin together, though one was read before the others were there."""

from __future__ import annotations

import pytest

from tests.runner.test_loop import World, alone

FIRST = [1, 3, 1, 1, 3, 3, 2, 4, 3, 2]
OTHERS = [[1, 1, 1, 1, 4, 2, 4, 1, 2, 4], [2, 2, 2, 1, 2, 2, 4, 3, 3, 4]]
N_TOKENS = 4


def burst(*late: list[int]) -> tuple[World, list[int]]:
    """A world in which FIRST was read before `late` came."""
    world = World(n_cells=300, n_batch=32)
    numbers = [world.admit(FIRST, N_TOKENS)]
    world.loop.step()
    world.check()
    assert not world.told[1].text
    return world, numbers + [world.admit(prompt, N_TOKENS) for prompt in late]


def test_who_is_alone_speaks_at_the_next_step() -> None:
    world, (first,) = burst()
    world.loop.step()
    assert world.told[first].text.startswith(alone(FIRST, 1))


def test_who_was_read_alone_waits_for_others_that_came_meanwhile() -> None:
    world, numbers = burst(*OTHERS)
    n_steps = 0
    while not all(world.told[number].text for number in numbers):
        world.loop.step()
        world.check()
        n_steps += 1
        spoke = [number for number in numbers if world.told[number].text]
        assert spoke in ([], numbers), "all speak first in one step"
    assert n_steps <= 3
    world.run()
    for number, prompt in zip(numbers, [FIRST, *OTHERS], strict=True):
        assert world.told[number].text == alone(prompt, N_TOKENS)


def test_nobody_waits_for_a_longer_prompt_or_where_cells_cannot_be_given_up() -> None:
    longer, (first, *_) = burst([*OTHERS[0], 1])
    longer.loop.step()
    assert longer.told[first].text
    longer.run()
    world = World(n_cells=300, n_batch=32, is_recurrent=True)
    first = world.admit(FIRST, N_TOKENS)
    world.loop.step()
    assert world.told[first].text, "as nothing can be read again"


def test_nobody_waits_twice() -> None:
    world, (first, *_) = burst(OTHERS[0])
    for turn in range(3):
        world.loop.step()
        if world.told[first].text:
            break
        world.admit([*OTHERS[1], *[1] * turn], N_TOKENS)
    else:
        pytest.fail("whoever keeps coming holds up the first")
    world.run()
    assert world.told[first].text == alone(FIRST, N_TOKENS)


def test_who_leaves_before_the_first_word_says_none() -> None:
    world, (first, other) = burst(OTHERS[0])
    world.loop.cancel(first)
    world.run()
    assert not world.told[first].text
    assert world.told[other].text == alone(OTHERS[0], N_TOKENS)
    world, (first,) = burst()
    world.loop.finish(first)
    world.run()
    assert not world.told[first].text
    assert len(world.told[first].ends) == 1
