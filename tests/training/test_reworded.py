"""Everyday tools in other words: they fit their requests by shared words, and rivals do not."""

from __future__ import annotations

import random
import re

from training.cria.corpus import tools
from training.cria.corpus.everyday_tools import everyday
from training.cria.corpus.reworded import in_other_words, shared
from training.cria.corpus.tool_tasks import task
from training.cria.corpus.tool_words import REAL, REAL_HELD, Arg, Real

PAIRS = [(row, ask) for row in (*REAL, *everyday()) for ask in row.asks]
LIGHT = Real(
    ("set_lamp", "lampSwitch"),
    "Switch the lamps of a room",
    (Arg("lamp_room", "word", "The room of the lamp"),),
    ("Lamps in the {lamp_room}, please.",),
)


def test_shared_words_are_those_of_the_tool_without_their_plural() -> None:
    assert shared(LIGHT, LIGHT.asks[0]) == {"lamp"}
    assert shared(LIGHT, "Make {lamp_room} bright.") == set()
    assert in_other_words(random.Random(1), LIGHT, "Make {lamp_room} bright.") is None


def test_a_new_word_keeps_the_form_of_the_old_one() -> None:
    found = set()
    for seed in range(40):
        made = in_other_words(random.Random(seed), LIGHT, LIGHT.asks[0])
        assert made is not None
        slot = made.args[0].name
        assert slot.endswith("_room")
        new = re.fullmatch(rf"([A-Z][a-z]+) in the {{{slot}}}, please\.", made.asks[0])
        assert new is not None
        assert new[1].endswith("s")
        stem = new[1].lower().removesuffix("s")
        places = {
            "name": stem in made.names[0] and stem in made.names[1],
            "description": stem in made.about,
            "argument": stem in slot,
        }
        found.add(frozenset(place for place, there in places.items() if there))
    # the word stands everywhere, or in any one place
    assert {frozenset({"name"}), frozenset({"description"}), frozenset({"argument"})} <= found
    assert frozenset({"name", "description", "argument"}) in found


def test_requests_fit_their_tools_in_other_words_and_no_rival() -> None:
    rng = random.Random(2)
    made = 0
    for row, ask in PAIRS:
        new = in_other_words(rng, row, ask)
        rival = in_other_words(rng, row, ask, rival=True)
        if new is not None:
            assert shared(new, new.asks[0])
            slots = set(re.findall(r"\{(\w+)\}", new.asks[0]))
            assert slots == {arg.name for arg in new.args}
            made += 1
        if rival is not None:
            assert not shared(rival, ask)
            assert set(rival.names).isdisjoint(row.names)
    assert made > 0.4 * len(PAIRS)


def test_held_out_tools_are_never_made_anew() -> None:
    held = {name for row in REAL_HELD for name in row.names}
    held_words = {w.lower() for name in held for w in re.findall(r"[A-Z]?[a-z]+", name)}
    rng = random.Random(3)
    for row, ask in PAIRS * 3:
        made = in_other_words(rng, row, ask)
        if made is not None:
            old = " ".join((*row.names, row.about, *(a.name for a in row.args), ask)).lower()
            new = {w.lower() for name in made.names for w in re.findall(r"[A-Z]?[a-z]+", name)}
            assert not {w for w in new & held_words if w not in old}, made


def test_a_rival_is_another_tool_and_the_request_does_not_name_it() -> None:
    rng = random.Random(4)
    rivals = 0
    for _ in range(2000):
        made = task(rng)
        if made.rival is not None:
            rivals += 1
            assert made.rival.name != made.tool.name
            assert made.rival.name not in made.request
    assert rivals > 1000


def test_a_sum_is_not_asked_beside_a_tool_that_could_do_it() -> None:
    rng = random.Random(5)
    sums = 0
    for _ in range(4000):
        made = tools.make(rng, think=False)
        if re.fullmatch(r"\d+ [+-] \d+ = \d+", made.answer.text):
            sums += 1
            assert not [t for t in made.tools if re.search(r"\bnumbers?\b", t.description)]
    assert sums > 20
