"""The tokenizer: byte-level BPE whose words look the same after a space, a quote or a bracket.

Merges are learnt inside letter runs only; last come the merges that glue a space to the commonest
words. So a rare word is the same tokens wherever it stands, which makes copying it easy, and
common words still cost one token with their space. Digits stay single. The pre-tokenizer is
Qwen2's, which llama.cpp knows as `qwen2`: no merge crosses its boundaries.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.cria.chat import END, SPECIAL, TEMPLATE_FILE, USER_DEFINED, pieces
from training.cria.corpus.mix import sample

__all__ = [
    "CONTEXT",
    "PATTERN",
    "VOCABULARY",
    "assemble",
    "load_tokenizer",
    "train_tokenizer",
    "write_config",
]

VOCABULARY = 2560
CONTEXT = 2048
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GLUED = 500  # words that have a token together with the space before them
_INVENTED = ("tools", "json", "dialogue", "long", "copying")
_SPACE = "Ġ"  # how byte-level BPE writes a space


def train_tokenizer(seed: int, samples: int) -> Tokenizer:
    """Learn it from that many samples of the corpus. The same seed gives the same tokenizer."""
    texts = [text for number in range(samples) if (text := _plain(number, seed))]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.Split(Regex(r"\p{L}+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    size = VOCABULARY - len(SPECIAL) - len(USER_DEFINED) - _GLUED
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=3,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    state = json.loads(learner.to_str())["model"]
    merges: list[tuple[str, str]] = [(a, b) for a, b in state["merges"]]
    vocab: dict[str, int] = state["vocab"]
    for word in _common(texts, vocab):
        vocab[_SPACE + word] = len(vocab)
        merges.append((_SPACE, word))
    return assemble(vocab, merges)


def _plain(number: int, seed: int) -> str:
    """A sample without its marks; of skills full of invented words only one in eight is taken.

    Their syllables would take the room of the words that answers are made of.
    """
    drawn = sample(seed, number)
    if drawn.skill in _INVENTED and number % 8:
        return ""
    text = "".join(piece.text for piece in pieces(drawn))
    for mark in (*SPECIAL, *USER_DEFINED):
        text = text.replace(mark, "\n")
    return text


def _common(texts: Iterable[str], vocab: dict[str, int]) -> list[str]:
    """The commonest whole words that come after a space."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word in text.split(" ")[1:])
    stripped: Counter[str] = Counter()
    for word, count in counts.items():
        head = word.rstrip(".,?!:;\n)").split("\n")[0]
        if head.isalpha():
            stripped[head] += count
    ranked = sorted(stripped, key=lambda w: (-stripped[w], w))
    return [word for word in ranked if word in vocab][:_GLUED]


def assemble(vocab: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """The tokenizer of a vocabulary and its merges; special tokens come first, never to move."""
    first = (*SPECIAL, *USER_DEFINED)
    numbered = {token: i for i, token in enumerate(first)}
    for token in sorted(vocab, key=lambda t: vocab[t]):
        numbered[token] = len(numbered)
    tokenizer = Tokenizer(models.BPE(vocab=numbered, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in USER_DEFINED])
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`."""
    return Tokenizer.from_file(str(path))


def write_config(folder: Path) -> None:
    """Write `tokenizer_config.json`, with the chat template in it."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[0],
        "eos_token": END,
        "pad_token": END,
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT,
        "chat_template": TEMPLATE_FILE.read_text(),
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text)
