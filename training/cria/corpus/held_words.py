"""The words that training never says. Held-out phrasings stand beside the training ones."""

from __future__ import annotations

from training.cria.corpus.tables import listed, spaced
from training.cria.corpus.tool_words import HELD

__all__ = [
    "HELD_NAMES",
    "HELD_NUMBER_KEYS",
    "HELD_PEOPLE",
    "HELD_STORY_SUBJECTS",
    "HELD_SUBJECTS",
    "HELD_TEXT_KEYS",
    "HELD_THINGS",
    "HELD_WORDS",
]

HELD_NAMES = spaced(
    "Bastian Camille Dimitri Esther Florian Gwen Harald Imogen Joachim Keiko Leopold "
    "Miriam Nestor Ottilie Pascal Rowena Sigrid Tobias Ulrich Violet Wendel Yolanda Zelda "
    "Ambrose Brigitte Casper Delphine Ezra Freya Gideon Hildegard Isidor Juniper Klara "
    "Lorenzo Maximus Noemi Orlando Philippa Rasmus"
)

HELD_SUBJECTS = listed(
        "thermodynamics, the Ottoman Empire, string theory, the Magna Carta, flamenco, "
        "deflation, bond markets, mitosis, chemotherapy, cubism, rugby, backgammon, ethereum, "
        "garbage collection, topology, linear algebra, copyright law, Hinduism, the Aztecs, "
        "the Crusades, tsunamis, wind turbines, helicopters, Saturn, neutron stars, the "
        "spleen, arthritis, judo, paella, cheese making, pottery, the Rolling Stones, Bach, "
        "Goethe, Dante, Nikola Tesla, Copernicus, Alexander the Great, Nelson Mandela, Monet, "
        "Socrates, Nietzsche, Roger Federer, the Tour de France, the Grammys, Star Trek, "
        "Macbeth, Moby Dick, the Taj Mahal, Kilimanjaro, the Nile, the Gobi, Alaska, Amazon's "
        "shares, Samsung, Airbus, Pokemon, the yen, oil prices, the weather next week, the "
        "senate, the bus timetable, polymers, lithium, lichens, tapeworms"
    )  # fmt: skip
HELD_STORY_SUBJECTS = (
    "hedgehog", "otter", "peacock", "koala", "beaver", "lizard", "nurse", "dancer", "pilot",
    "mermaid", "lantern", "piano", "scarf", "teapot", "wagon", "telescope", "sandwich", "bridge",
    "lighthouse", "train", "rocket", "snowman", "dolphin", "ostrich", "juggler", "compass",
    "waterfall", "cactus", "sofa", "trumpet",
)  # fmt: skip
HELD_PEOPLE = ["Rita", "Viktor", "Sonja", "Walter"]
HELD_THINGS = ["ribbons", "bolts", "forks", "peaches"]
HELD_TEXT_KEYS = ("river", "captain", "flavor", "hobby", "street", "dessert")
HELD_NUMBER_KEYS = ("depth", "wheels", "salary", "floors", "speed")


def _of_tools() -> set[str]:
    """The words that held-out tools are made of."""
    arguments = (name for names in HELD.args.values() for name in names)
    choices = (word for enum in HELD.enums for word in enum)
    return {*HELD.verbs, *HELD.nouns, *arguments, *choices}


HELD_WORDS = frozenset(
    word.lower()
    for word in (
        *HELD_NAMES, *HELD_PEOPLE, *HELD_THINGS, *HELD_TEXT_KEYS, *HELD_NUMBER_KEYS,
        *HELD_STORY_SUBJECTS, *HELD_SUBJECTS, *_of_tools(),
    )
)  # fmt: skip
"""In lower case. The word lists are read without them."""
