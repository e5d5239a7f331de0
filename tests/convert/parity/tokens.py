"""The engine's tokens of nasty texts, against those of the libraries that makers use.

python -m tests.convert.parity.tokens make FOLDER MODELS   where tokenizers and sentencepiece are;
MODELS is a folder of ggml-vocab-*.gguf, with .inp and .out: texts, and the tokens that they have
python -m tests.convert.parity.tokens compare FOLDER [NAME…]   where Puna and the engine are; status
1 where tokens differ that differences.py does not name, or are the same though it does
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["main"]

_N_RANDOM = 400
_FRAMED = "in the tokens that a whole text gets"
_SEPARATOR = "\n__ggml_vocab_test__\n"
Encode = Callable[..., list[int]]
Texts = list[tuple[str, list[int]]]

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "conversion.md"
BEGIN, END = "<!-- tokens: begin -->", "<!-- tokens: end -->"


def _make(folder: Path, models: Path) -> None:
    makers = importlib.import_module("tests.convert.parity.makers")
    trained = importlib.import_module("tests.convert.parity.trained").TRAINED
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(models.glob("ggml-vocab-*.gguf")):
        name = path.stem.removeprefix("ggml-vocab-")
        state = makers.read_vocabulary(path)
        target = folder / name
        target.mkdir(parents=True)
        makers.write_files(target, name, state)
        own = "gemma4" if state["model"] == "gemma4" else ""
        _expect(target, own, len(state["tokens"]), _listed(path))
        if name in makers.MERGED:
            target = folder / f"{name}, tokenizer.json"
            target.mkdir()
            makers.write_merged(target, state)
            _expect(target, own, len(state["tokens"]), _listed(path))
    for name, write in trained.items():
        target = folder / name
        target.mkdir(parents=True)
        write(target)
        _expect(target, "", 0, [])


def _listed(path: Path) -> Texts:
    """The texts that come with a vocabulary, with their tokens; none with some."""
    if not path.with_name(f"{path.name}.inp").exists():
        return []
    texts = path.with_name(f"{path.name}.inp").read_text("utf-8").split(_SEPARATOR)
    lines = path.with_name(f"{path.name}.out").read_text().splitlines()
    ids = [[int(number) for number in line.split()] for line in lines]
    return list(zip(texts, ids, strict=False))  # an empty text has no line at the end


def _expect(folder: Path, own: str, n_rows: int, listed: Texts) -> None:
    """Write down what the maker's library makes of the texts."""
    nasty = importlib.import_module("tests.convert.parity.nasty")
    encode, tags = _maker(folder)
    texts = dict(nasty.NASTY)
    texts |= {f"tag {tag}": f"a{tag}b {tag} c{tag}{tag}\n{tag}" for tag in tags}
    expected = {
        "frame": _frame(encode(_FRAMED, True), encode(_FRAMED)),
        "own": own,
        "n_rows": n_rows,
        "listed": listed,
        "named": {name: [text, encode(text)] for name, text in texts.items()},
        "random": [[text, encode(text)] for text in nasty.random_texts(_N_RANDOM)],
    }
    (folder / "expected.json").write_text(json.dumps(expected))


def _maker(folder: Path) -> tuple[Encode, list[str]]:
    """What the library reads of the maker's file, and some of the texts that are single tokens."""
    path = _whole(folder)
    if path:
        whole = importlib.import_module("tokenizers").Tokenizer.from_file(str(path))
        added = json.loads(path.read_text())["added_tokens"]
        special = [each["content"] for each in added if each["special"]]
        defined = [each["content"] for each in added if not each["special"]]
        tags = special[:3] + special[-1:] + defined[:2] + defined[-1:]
        return lambda text, framed=False: list(
            whole.encode(text, add_special_tokens=framed).ids
        ), tags
    if maker := _ranks_of(folder):
        return _by_ranks(folder, maker)
    library: Any = importlib.import_module("sentencepiece")
    pieces = library.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return lambda text, _=False: list(pieces.encode(text)), ["<tool_call>", "<start_of_turn>"]


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return settings


def _ranks_of(folder: Path) -> Any:
    """What the maker's class knows of a vocabulary of tiktoken's form; None where it is another."""
    makers = importlib.import_module("puna.convert.tokenizer.tiktoken")
    return makers.maker_of(folder, _settings(folder))


def _by_ranks(folder: Path, maker: Any) -> tuple[Encode, list[str]]:
    """As the makers' classes read such a vocabulary, with tiktoken."""
    ranks = importlib.import_module("tiktoken.load").load_tiktoken_bpe(str(folder / maker.file))
    named = _settings(folder)["added_tokens_decoder"].items()
    special = {each["content"]: int(number) for number, each in named}
    special |= {text: number for number, text in enumerate(maker.special, len(ranks))}
    whole = importlib.import_module("tiktoken").Encoding(
        maker.file, pat_str=maker.pattern, mergeable_ranks=ranks, special_tokens=special
    )

    def encode(text: str, _framed: bool = False) -> list[int]:
        text = unicodedata.normalize("NFC", text) if maker.composed else text
        return list(whole.encode(text, allowed_special="all"))

    return encode, list(special)[:3]


@dataclass(frozen=True)
class _Vocabulary:
    """A tokenizer as Puna converts it, in the engine."""

    engine: Any
    keys: Mapping[str, Any]
    takes_tags: bool
    """Whether the maker's library takes texts for control tokens."""

    def encode(self, text: str, *, special: bool, framed: bool = False) -> list[int]:
        """The engine's tokens; `special` texts may become control tokens, a `framed` one gets those
        of a whole text.
        """
        return list(self.engine.tokenize(text.encode(), add_bos=framed, special=special))

    def agrees(self, text: str, ids: list[int]) -> bool:
        """Whether the engine has the same tokens, or, where the best sum of scores wins, others
        that spell the same and are as good.
        """
        own = self.encode(text, special=self.takes_tags)
        return own == ids or (
            self.keys["tokenizer.ggml.model"] == "t5" and self._worth(own) == self._worth(ids)
        )

    def _worth(self, ids: list[int]) -> tuple[str, float]:
        tokens, scores = self.keys["tokenizer.ggml.tokens"], self.keys["tokenizer.ggml.scores"]
        unknown = self.keys["tokenizer.ggml.unknown_token_id"]
        worth = sum(scores[number] for number in ids if number != unknown)
        return "".join(tokens[number] for number in ids), round(worth, 2)


def _whole(folder: Path) -> Path | None:
    """The tokenizer.json, or the one that stands for another file."""
    paths = (folder / "tokenizer.json", folder / "maker" / "tokenizer.json")
    return next((path for path in paths if path.exists()), None)


def _frame(whole: list[int], text: list[int]) -> list[list[int]]:
    """What stands before a text and after it."""
    for at in range(len(whole) - len(text) + 1):
        if whole[at : at + len(text)] == text:
            return [whole[:at], whole[at + len(text) :]]
    raise ValueError("a text has other tokens when it stands alone")


def _compare(folder: Path, wanted: list[str]) -> int:
    differences = importlib.import_module("tests.convert.parity.differences")
    failed = False
    paths = sorted(folder.glob("*/expected.json"))
    if not paths:
        raise FileNotFoundError(f"nothing was made in {folder}")
    for path in paths:
        name = path.parent.name
        if wanted and name not in wanted:
            continue
        expected = json.loads(path.read_text())
        engine = _engine(path.parent, expected["own"], expected["n_rows"])
        named = [
            each for each, (text, ids) in expected["named"].items() if not engine.agrees(text, ids)
        ]
        random = [text for text, ids in expected["random"] if not engine.agrees(text, ids)]
        words = differences.judge(name, named, random)
        listed = [
            text for text, ids in expected["listed"] if engine.encode(text, special=False) != ids
        ]
        words += [f"differs from what is listed: {text!r}" for text in listed]
        frame = _frame(*(engine.encode(_FRAMED, special=False, framed=f) for f in (True, False)))
        if engine.takes_tags and frame != expected["frame"]:
            words.append(f"a text stands in {frame}, the maker's in {expected['frame']}")
        failed = failed or bool(words)
        n_texts = sum(len(expected[kind]) for kind in ("listed", "named", "random"))
        n_same = n_texts - len(listed) - len(named) - len(random)
        known = "" if words or n_same == n_texts else ", the others are known to differ"
        sys.stdout.write(f"{name}: {n_same} of {n_texts} texts have the same tokens{known}")
        sys.stdout.write("".join(f"\n  {word}" for word in words) + "\n")
    if not wanted:
        _write_table(differences.DIFFERENCES, [path.parent.name for path in paths])
    return int(failed)


def _write_table(differences: Iterable[Any], names: Collection[str]) -> None:
    """What differs, by the tokenizers that it was seen in, into the document."""
    lines = ["| what the engine does | seen in |", "|---|---|"]
    for each in differences:
        unmade = sorted(set(each.rows) - set(names))
        if unmade:
            raise ValueError(f"differences.py names {unmade[0]}, which nobody made")
        lines.append(f"| {each.what} | {'; '.join(each.rows)} |")
    text = DOCUMENT.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    table = "\n".join(lines)
    DOCUMENT.write_text(f"{text[:start]}\n{table}\n{text[end:]}")


def _engine(folder: Path, own: str, n_rows: int) -> _Vocabulary:
    vocabulary = importlib.import_module("puna.convert.tokenizer.vocabulary")
    folders = importlib.import_module("puna.convert.tokenizer.special")
    config = importlib.import_module("puna.convert.config").Config({})
    keys = vocabulary.tokenizer_keys(folders.Folder.read(folder, config), n_rows, own)
    head = {"general.architecture": "llama", **keys}
    file = folder / "vocab.gguf"
    importlib.import_module("puna.convert.write").open_file(file, head, [])
    better = importlib.import_module("puna.runner.llama.overrides").SPLITTERS
    name = keys["tokenizer.ggml.pre"]
    engine = importlib.import_module("llama_cpp").Llama(
        str(file),
        vocab_only=True,
        verbose=False,
        kv_overrides={"tokenizer.ggml.pre": better.get(name, name)},
    )
    takes_tags = _whole(folder) is not None or _ranks_of(folder) is not None
    return _Vocabulary(engine, keys, takes_tags)


def main(arguments: list[str]) -> int:
    """Read the command line; gives the exit status."""
    what, folder, *rest = arguments
    if what == "make":
        _make(Path(folder), Path(rest[0]))
        return 0
    return _compare(Path(folder), rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
