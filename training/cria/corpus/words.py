"""Names, places and things that are copied: training ones and held-out ones."""

from __future__ import annotations

from training.cria.corpus.held_words import HELD_NAMES
from training.cria.corpus.lexicon import adjectives, first_names, nouns, pseudo_word, towns
from training.cria.corpus.limits import invented
from training.cria.corpus.phrasing import capitalised
from training.cria.corpus.sample import Rng, pick
from training.cria.corpus.tables import spaced

__all__ = ["HELD_NAMES", "NAMES", "PLACES", "city", "made_up", "name", "phrase", "word"]

NAMES = spaced(
    "Anna Ben Clara David Emma Felix Greta Henry Ines Jack Karin Liam Mona Nils Olga "
    "Peter Quinn Rosa Sam Tina Umar Vera Will Xenia Yusuf Zoe Alice Bob Carol Dan Erik "
    "Fatima George Hanna Ivan Julia Kofi Laura Marta Noah Oscar Paula Rahul Sofia Theo "
    "Ursula Viktor Wanda Yara Zane Amir Bella Carlos Diana Elias Flora Gustav Helga Igor "
    "Jonas Kira Lukas Mei Nadia Otis Priya Ralf Selma Tariq Una Vlad Wim Yuki Zara Adam "
    "Bruno Chloe Dora Ethan Frida Gina Hugo Isla Jorge Kate Leon Mary John James Linda "
    "Susan Robert Michael Maria Daniel Sarah Thomas Nancy Lisa Mark Paul Kevin"
)
PLACES = spaced(
    "Oslo Paris London Berlin Rome Madrid Tokyo Lima Cairo Boston Chicago Hamburg Munich "
    "Vienna Lyon Milan Porto Dublin Athens Prague Warsaw Krakow Zurich Geneva Bern Delhi "
    "Mumbai Osaka Kyoto Seoul Sydney Perth Toronto Montreal Denver Dallas Austin Seattle "
    "Miami Nairobi Lagos Accra Dakar Tunis Quito Bogota Cusco Havana Riga Vilnius Tallinn "
    "Helsinki Bergen Malmo Leeds Bristol York Cardiff"
)


def made_up(rng: Rng) -> str:
    """A word that only looks like one."""
    return pseudo_word(rng) if rng.random() < 0.75 else invented(rng)


def name(rng: Rng) -> str:
    """A person's name for training: common, known or made up."""
    roll = rng.random()
    if roll < 0.45:
        return pick(rng, NAMES)
    if roll < 0.75:
        return pick(rng, first_names())
    while (made := capitalised(made_up(rng))) in HELD_NAMES:
        continue
    return made


def city(rng: Rng) -> str:
    """A place, known or made up."""
    roll = rng.random()
    if roll < 0.7:
        return pick(rng, PLACES if roll < 0.35 else towns())
    return capitalised(made_up(rng))


_WORDS = spaced(
    "red blue green old new small big wooden silver golden paper summer winter morning "
    "evening garden kitchen office school music travel coffee tea bread cheese soup salad "
    "cake report meeting lunch dinner party plan budget photo letter song book film game "
    "team project test release invoice ticket holiday birthday camera phone laptop bike "
    "car train boat house roof door window chair table lamp sofa river lake forest beach "
    "island market museum park bridge tower castle station"
)


def word(rng: Rng) -> str:
    """A plain or made-up word."""
    roll = rng.random()
    if roll < 0.25:
        return pick(rng, _WORDS)
    if roll < 0.7:
        return pick(rng, nouns() if roll < 0.6 else adjectives())
    return made_up(rng)


def phrase(rng: Rng, most: int = 3) -> str:
    """One to `most` words."""
    return " ".join(word(rng) for _ in range(rng.randrange(1, most + 1)))
