"""Short stories and rhymes on a subject that the question names, from a small grammar.

A story has a hero, a wish, an obstacle, a helper and an end that belong together. The subject is
the hero or the thing wished for and stands in the first sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.cria.corpus.held_words import HELD_STORY_SUBJECTS
from training.cria.corpus.lexicon import nouns, pseudo_word
from training.cria.corpus.phrasing import styled
from training.cria.corpus.sample import Question, Rng, Sample, Turn, ask, pick
from training.cria.corpus.tables import listed, spaced

__all__ = ["HELD_TEMPLATES", "held", "make"]

_CREATURES = spaced(
    "cat dog fox bear mouse rabbit hen duck cow horse llama cria goat sheep pig lion "
    "tiger wolf owl crow robin frog snail bee ant beetle spider whale seal penguin parrot "
    "monkey elephant giraffe zebra camel donkey mole badger squirrel deer moose goose "
    "swan turtle crab octopus dragon giant witch king queen princess knight pirate sailor "
    "farmer baker robot ghost fairy elf wizard girl boy teacher painter gardener "
    "fisherman shepherd child kitten puppy lamb"
)
_THINGS = spaced(
    "ball kite drum bell lamp ring coat hat boat cart bike book letter map key box cake "
    "apple pear cookie flower rose tree seed feather stone shell star button spoon cup "
    "blanket mirror clock ladder basket balloon crown whistle violin candle umbrella "
    "pillow pencil"
)
_PLACES = listed(
    "the sea, the forest, the mountain, the river, the moon, the garden, the village, the "
    "city, the farm, the castle, the lake, the desert, the island, the meadow, the "
    "market, the harbour, the rain, the snow, the wind, the night, winter, spring, "
    "summer, autumn, friendship, courage, a long journey, a lost toy, a birthday, a storm"
)
_STORY = (
    "Tell me a story about {}.", "Tell me a short story about {}.", "Write a story about {}.",
    "Write a short story about {}.", "Can you tell me a story about {}?", "A story about {}.",
    "I want a story about {}.", "Please tell a story about {}.", "Make up a story about {}.",
    "Invent a story about {}.", "Story: {}", "Give me a story about {}.",
    "I would like to hear a story about {}.", "Do you know a story about {}?",
    "Tell my child a story about {}.", "Write me a bedtime story about {}.",
)  # fmt: skip
_HELD_STORY = (
    "Could you write a little story on {}?", "Let me hear a tale about {}.",
    "Entertain me with a story about {}.",
)  # fmt: skip
_RHYME = (
    "Write a rhyme about {}.", "Write a poem about {}.", "Tell me a rhyme about {}.",
    "Write a short poem about {}.", "Make a rhyme about {}.", "A poem about {}.",
    "Can you write a poem about {}?", "Give me a poem about {}.", "I want a rhyme about {}.",
    "Write four lines about {}.", "Please rhyme about {}.", "Write a little verse about {}.",
)  # fmt: skip
_HELD_RHYME = ("Could you rhyme something on {}?", "Let me hear a poem about {}.")
HELD_TEMPLATES = (*_HELD_STORY, *_HELD_RHYME)

_NAMES = spaced(
        "Mia Tom Lena Otto Nora Finn Ida Ben Pia Max Rosa Karl Lily Sam Anna Hugo Ella Paul "
        "Zoe Emil Tess Leo Maja Jon"
    )  # fmt: skip
_MOODS = spaced("small brave shy clever old kind curious quiet merry lonely careful cheerful")
_WHERE = (
    "in a village by the sea", "at the edge of a forest", "on a farm in the hills",
    "in a house by the river", "in a town with narrow streets", "on an island",
    "under an old oak", "at the foot of a mountain", "near a quiet lake",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Plot:
    """`{N}` hero's name, `{w}` the thing wished for, `{f}` the helper, `{F}` the helper's name."""

    wish: str
    trouble: tuple[str, ...]
    help: tuple[str, ...]
    end: tuple[str, ...]
    thing: bool = False  # whether the wish has a thing in it


_PLOTS = (
    _Plot("One day {N} wanted to find a {w}.", (
        "But the way was long, and soon it grew dark.", "But there was none in the whole village.",
        "But the bridge over the river was broken.", "But a high wall stood in the way."), (
        "Then a {f} named {F} came by and showed {N} a secret path.",
        "A {f} named {F} heard about it and offered to help.",
        "Luckily a {f} named {F} knew where to look."), (
        "Together they found the {w}, and {N} was very happy.",
        "In the evening {N} held the {w} and thanked {F}.",
        "They found the {w} behind a big stone and laughed with joy."), thing=True),
    _Plot("More than anything {N} loved a {w}, but one morning it was gone.", (
        "{N} looked under the bed and behind the door, but it was not there.",
        "{N} asked everybody, but nobody had seen it.",
        "{N} searched the garden all day and found nothing."), (
        "A {f} named {F} saw how sad {N} was and helped to search.",
        "Then a {f} named {F} remembered a sound in the night.",
        "At last a {f} named {F} had an idea: look up in the tree!"), (
        "There it was! {N} took the {w} home and never lost it again.",
        "They found the {w} in the tall grass, and both of them danced.",
        "The wind had carried the {w} away, and now {N} had it back."), thing=True),
    _Plot("{N} dreamed of seeing the big wide sea.", (
        "But the road was long and {N} was afraid to go alone.",
        "But {N} did not know the way.", "But a storm came and the path was full of water."), (
        "A {f} named {F} said: let us go together.",
        "Then {N} met a {f} named {F}, who knew every road.",
        "A {f} named {F} shared some bread and showed the way."), (
        "After three days they stood on the beach, and the water shone in the sun.",
        "When they saw the waves, {N} shouted with joy.",
        "They sat in the sand until the stars came out.")),
    _Plot("{N} wanted to learn to sing.", (
        "But every song came out wrong, and the others laughed.",
        "But {N} was too shy to sing before others.", "But nobody in the village knew a song."), (
        "A {f} named {F} said: I will teach you one note each day.",
        "Then a {f} named {F} sat down and listened.",
        "A {f} named {F} sang along, softly at first."), (
        "When spring came, {N} sang the finest song of all.",
        "Soon the two of them sang every evening.",
        "At the next feast everybody clapped for {N}.")),
    _Plot("{N} had no friends and wished for one.", (
        "But the others always played without {N}.", "But {N} did not dare to ask.",
        "But it was winter and everybody stayed at home."), (
        "One day a {f} named {F} knocked at the door.",
        "Then {N} helped a {f} named {F} out of the mud.",
        "Then a {f} named {F} asked: do you want to play?"), (
        "From that day on they met every morning.",
        "They shared a cake, and {N} was not lonely any more.",
        "They became the best of friends.")),
    _Plot("One night {N} heard a strange noise outside.", (
        "It was so dark that {N} could see nothing.", "{N} was afraid and hid under the blanket.",
        "The noise came closer and closer."), (
        "{N} took heart, opened the door and saw a {f} named {F}, wet and cold.",
        "It was only a {f} named {F}, who had lost the way."), (
        "{N} made a warm soup, and they told stories until morning.",
        "{N} lit a fire, and soon both of them were asleep.",
        "They laughed about it, and {F} stayed for breakfast.")),
    _Plot("{N} wanted to build a house.", (
        "But the first wind blew it down.", "But the stones were too heavy.",
        "But there was not enough wood."), (
        "A {f} named {F} said: two of us are stronger than one.",
        "Then a {f} named {F} brought wood and nails."), (
        "After a week the house was ready, and there was room for both.",
        "The house was small, but it was warm, and they were proud.")),
)  # fmt: skip
_MORALS = (
    "The end.", "And that is the end of the story.", "And so they lived happily.",
    "They never forgot that day.", "And everybody slept well that night.",
)  # fmt: skip

_OPENERS = (
    ("I saw {a} on a summer day,", "It smiled at me and wanted to play."),
    ("I met {a} on my way to town,", "It walked with me and turned around."),
    ("There was {a} beside the sea,", "As calm and happy as can be."),
    ("I know {a} that shines so bright,", "It keeps me company at night."),
    ("I dreamed of {a} late last night,", "It danced with me in silver light."),
    ("Look at {a} upon the hill,", "It sits there quiet, soft and still."),
    ("I found {a} beneath a tree,", "It was as glad as glad can be."),
    ("Here comes {a}, so come and see,", "It brings a song for you and me."),
)  # fmt: skip
_CLOSERS = (
    ("The birds above began to sing,", "To welcome in the early spring."),
    ("The wind was soft, the sky was blue,", "And all the world was fresh and new."),
    ("The stars came out, the moon rose high,", "And painted silver on the sky."),
    ("And when the day was nearly done,", "We waved goodbye to the setting sun."),
    ("We laughed and ran along the sand,", "And found a shell there, hand in hand."),
    ("The rain may fall, the snow may come,", "But here inside we sit and hum."),
    ("So take my hand and sing along,", "For every friend deserves a song."),
    ("The clock struck ten, it was so late,", "We closed the door and locked the gate."),
    ("And if you ask me what I know,", "I say: be kind wherever you go."),
    ("The river flows, the flowers grow,", "And time moves on, so sweet and slow."),
)  # fmt: skip


def make(rng: Rng, *, think: bool) -> Sample:
    """A training story, or a rhyme in three cases of ten."""
    roll = rng.random()
    if roll < 0.08:
        text = pick(rng, ("Tell me a story.", "Tell a story.", "Can you tell me a story?",
                          "A story, please.", "Write a short story."))  # fmt: skip
        word = pick(rng, _CREATURES)
        thought = f"A story: I choose {_article(word)}."
        return ask("stories", styled(rng, text), _story(rng, word), thought, think=think)
    word = pick(rng, _CREATURES if roll < 0.5 else _THINGS)
    if rng.random() < 0.45:  # copying a word never seen before is learnt from many words
        word = pick(rng, nouns()) if rng.random() < 0.6 else pseudo_word(rng)
    if roll > 0.94:
        place = pick(rng, _PLACES)
        text = pick(rng, _STORY).format(place)
        story = _about_place(rng, place)
        return ask("stories", styled(rng, text), story, f"A story about {place}.", think=think)
    named = _article(word) if rng.random() < 0.85 else pick(rng, (f"the {word}", f"{word}s"))
    if rng.random() < 0.3:
        text = pick(rng, _RHYME).format(named)
        thought = f"Four lines about {named}, in two rhymes."
        return ask("stories", styled(rng, text), _rhyme(rng, word), thought, think=think)
    text = pick(rng, _STORY).format(named)
    thought = f"A story about {named}: a wish, a problem, a friend, a good end."
    return ask("stories", styled(rng, text), _story(rng, word), thought, think=think)


def _article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def _story(rng: Rng, subject: str) -> str:
    """About a creature it is the hero, about anything else the thing wished for."""
    if subject in _THINGS:
        hero, plot = pick(rng, _CREATURES), pick(rng, [p for p in _PLOTS if p.thing])
        wished = subject
    else:
        hero, plot = subject, pick(rng, _PLOTS)
        wished = pick(rng, _THINGS)
    return _told(rng, hero, wished, plot)


def _told(rng: Rng, hero: str, wished: str, plot: _Plot) -> str:
    name, friend = rng.sample(_NAMES, 2)
    helper = pick(rng, [c for c in _CREATURES if c != hero])
    mood = pick(rng, _MOODS)
    first = pick(rng, (
        f"Once upon a time there was {_article(mood)} {hero} named {name}, who lived "
        f"{pick(rng, _WHERE)}.",
        f"{name} was {_article(mood)} {hero} and lived {pick(rng, _WHERE)}.",
        f"Long ago {_article(mood)} {hero} named {name} lived {pick(rng, _WHERE)}.",
    ))  # fmt: skip
    parts = [first, plot.wish, pick(rng, plot.trouble), pick(rng, plot.help), pick(rng, plot.end)]
    if rng.random() < 0.7:
        parts.append(pick(rng, _MORALS))
    text = " ".join(parts).format(N=name, w=wished, f=helper, F=friend)
    for vowel in "aeiou":  # "a {w}" and "a {f}" before a vowel
        text = text.replace(f" a {vowel}", f" an {vowel}")
    return text


def _about_place(rng: Rng, place: str) -> str:
    hero = pick(rng, _CREATURES)
    story = _told(rng, hero, pick(rng, _THINGS), pick(rng, _PLOTS))
    return f"This is a story about {place}. {story}"


def _rhyme(rng: Rng, word: str) -> str:
    first, second = pick(rng, _OPENERS)
    third, fourth = pick(rng, _CLOSERS)
    return f"{first.format(a=_article(word))}\n{second}\n{third}\n{fourth}"


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Held-out subjects in known and held-out words, a third of them rhymes."""
    found = []
    for i in range(count):
        subject = HELD_STORY_SUBJECTS[i % len(HELD_STORY_SUBJECTS)]
        rhyme = i % 3 == 2
        known, new = (_RHYME, _HELD_RHYME) if rhyme else (_STORY, _HELD_STORY)
        text = pick(rng, new if i % 2 else known).format(_article(subject))
        check = {"kind": "rhyme" if rhyme else "story", "subject": subject}
        found.append(Question("stories", (Turn("user", text),), {**check}, think=think))
    return found
