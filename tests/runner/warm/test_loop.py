"""A loop that ends and one that goes on with what it saved: no answer changes, no cell leaks."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.runner.warm.folder import open_folder
from puna.runner.warm.keeper import Keeper
from tests.e2e.server import until
from tests.runner.test_loop import MEMORIES, N_CTX, PROMPTS, World, alone

LIVES = st.lists(
    st.lists(st.tuples(PROMPTS, st.integers(1, 8)), min_size=1, max_size=6), min_size=2, max_size=4
)


def keeper(folder: Path, *, limit: int = 1 << 20, worth: int = 1, longest: int = 3) -> Keeper:
    return Keeper([open_folder(folder, limit)], bytes(32), worth, longest)


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
@settings(max_examples=40, deadline=None)
@given(
    lives=LIVES,
    n_cells=st.integers(N_CTX + 2, 90),
    n_steps=st.integers(0, 10),
    limit=st.sampled_from([0, 600, 1 << 20]),
)
def test_what_was_saved_changes_nothing(
    memory: dict[str, Any],
    lives: list[list[tuple[list[int], int]]],
    n_cells: int,
    n_steps: int,
    limit: int,
) -> None:
    """The last requests of each life are cut off while they run."""
    with tempfile.TemporaryDirectory() as folder:
        for life in lives:
            world = World(n_cells, keeper=keeper(Path(folder), limit=limit), **memory)
            for prompt, max_tokens in life:
                world.admit(prompt, max_tokens)
            world.run()
            for told, (prompt, max_tokens) in zip(world.told.values(), life, strict=True):
                assert told.text == alone(prompt, max_tokens)
            world.admit(life[0][0], 8)
            for _ in range(n_steps):
                if not world.loop.idle:
                    world.loop.step()
                    world.check()
            world.loop.close(1.0)
            world.check()
            assert sum(each.stat().st_size for each in Path(folder).glob("*.kv")) <= limit


def cached(world: World, prompt: list[int]) -> int:
    number = world.admit(prompt, 1)
    world.run()
    return int(world.told[number].ends[0].cached_tokens)


def test_a_common_beginning_is_saved_once(tmp_path: Path) -> None:
    world = World(n_cells=200, keeper=keeper(tmp_path, longest=100))
    head = [1, 2, 3, 4] * 4
    for tail in (1, 2, 3):
        cached(world, [*head, tail, tail, tail])
    world.loop.close(1.0)
    sizes = sorted(entry.end - entry.start for entry in keeper(tmp_path)._entries.values())
    assert sizes == [3, 3, len(head) + 3]
    for tail in (1, 2, 3):
        again = World(n_cells=200, keeper=keeper(tmp_path))
        assert cached(again, [*head, tail, tail, tail, 4]) == len(head) + 3


def test_only_what_is_new_is_saved_later(tmp_path: Path) -> None:
    chat = [1, 2, 3, 4] * 2
    for turn, known in enumerate([0, 8, 12]):
        world = World(n_cells=200, keeper=keeper(tmp_path, longest=100))
        assert cached(world, chat) == known
        chat += [turn + 1] * 4
        world.loop.close(1.0)
    sizes = sorted(entry.end - entry.start for entry in keeper(tmp_path)._entries.values())
    assert sizes == [4, 4, 8]


def test_no_time_nothing_saved(tmp_path: Path) -> None:
    world = World(keeper=keeper(tmp_path))
    cached(world, [1, 2, 3, 4] * 4)
    world.loop.close(0.0)
    assert not list(tmp_path.glob("*.kv"))


def test_more_than_the_cells_hold_stays_in_its_file(tmp_path: Path) -> None:
    big = World(n_cells=60, keeper=keeper(tmp_path, longest=100))
    cached(big, [1, 2, 3, 4] * 5)
    big.loop.close(1.0)
    small = World(n_cells=18, keeper=keeper(tmp_path))
    assert cached(small, [1, 2, 3, 4, 1, 1]) == 0


def test_others_go_on_while_a_file_is_read(tmp_path: Path) -> None:
    """The reader has something else to do until the gate opens."""
    prompt = [1, 2, 3, 4] * 4
    first = World(keeper=keeper(tmp_path, longest=100))
    cached(first, prompt)
    first.loop.close(1.0)
    gate = threading.Event()
    slow = keeper(tmp_path)
    slow._reader.submit(gate.wait, 10.0)
    world = World(n_cells=90, keeper=slow)
    other = world.admit([2, 1, 1], 20)
    world.loop.step()
    waiting = world.admit([*prompt, 1], 2)
    for _ in range(4):
        world.loop.step()
    said, held_back = world.told[other].text, world.told[waiting].text
    gate.set()
    until(lambda: not world.loop._cells.is_fetching([*prompt, 1]), "the file is read")
    world.run()
    assert len(said.split()) == 5
    assert not held_back
    assert world.told[waiting].ends[0].cached_tokens == len(prompt)
    assert world.told[other].text == alone([2, 1, 1], 20)


def test_who_is_alone_waits_for_the_file(tmp_path: Path) -> None:
    prompt = [1, 2, 3, 4] * 4
    first = World(keeper=keeper(tmp_path, longest=5))
    cached(first, prompt)
    first.loop.close(1.0)
    world = World(keeper=keeper(tmp_path))
    other = world.admit([2, 1, 1], 9)
    world.loop.step()
    number = world.admit([*prompt, 1], 1)
    world.loop.step()  # begins to read
    world.loop.cancel(other)
    world.loop.step()
    assert world.told[number].ends[0].cached_tokens == len(prompt)
