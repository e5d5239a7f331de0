"""What is in the pool is shared and kept, and what was used least recently goes first."""

from __future__ import annotations

from tests.runner.test_loop import World, alone


def test_a_prompt_is_computed_once() -> None:
    world = World(n_cells=100)
    prompt = [1, 2, 3, 4] * 4
    first = world.admit(prompt, 2)
    world.run()
    second = world.admit(prompt, 2)
    world.run()
    assert world.told[first].ends[0].cached_tokens == 0
    assert world.told[second].ends[0].cached_tokens == len(prompt) - 1
    assert world.told[first].text == world.told[second].text


def test_the_next_turn_of_a_chat_reads_only_what_is_new() -> None:
    world = World(n_cells=100)
    world.admit([1, 2, 3, 4, 1], 3)
    world.run()
    said = [int(token) for token in world.told[1].text.split()]
    turn = [1, 2, 3, 4, 1, *said, 2, 2]
    world.admit(turn, 1)
    world.run()
    assert world.told[2].ends[0].cached_tokens >= len(turn) - 3


def test_followers_wait_for_the_one_who_reads_their_beginning() -> None:
    world = World(n_cells=200, n_batch=4)
    prompt = [1, 2, 3, 4] * 5
    numbers = [world.admit([*prompt, tail], 1) for tail in (1, 2, 3, 4)]
    world.run()
    cached = [world.told[number].ends[0].cached_tokens for number in numbers]
    assert cached == [0, 20, 20, 20]
    assert world.context.used <= 20 + 4 * 2


def test_followers_go_on_from_what_a_leader_had_read_who_left() -> None:
    world = World(n_cells=200, n_batch=4)
    prompt = [1, 2, 3, 4] * 5
    leader, *others = [world.admit([*prompt, tail], 1) for tail in (1, 2, 3)]
    for _ in range(3):
        world.loop.step()
    world.loop.cancel(leader)
    world.run()
    cached = [world.told[number].ends[0].cached_tokens for number in others]
    assert cached == [12, 20], "the first of them leads now"
    assert not world.told[leader].ends


def test_what_was_used_later_stays_longer() -> None:
    world = World(n_cells=50)
    for prompt in ([1] * 16, [2] * 16, [*[1] * 8, 3, 3], [4] * 22):
        world.admit(prompt, 1)
        world.run()
    cached = []
    for first in (1, 2):
        number = world.admit([first] * 17, 1)
        world.run()
        cached.append(world.told[number].ends[0].cached_tokens)
    assert cached[0] == 16 > cached[1]


def test_what_is_held_makes_room() -> None:
    world = World(n_cells=30)
    for tail in range(1, 5):
        world.admit([tail] * 12, 2)
        world.run()
    assert [told.text for told in world.told.values()] == [alone([t] * 12, 2) for t in range(1, 5)]
