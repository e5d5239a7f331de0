"""RWKV's own vocabulary, which is no JSON."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.config import Config
from puna.convert.tokenizer.rwkv import NAME, read_lines
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.errors import TokenizerError

LINES = (
    "1 '\\x00' 1",
    "2 '\\n\\n' 2",
    '3 "\'" 1',
    "4 ' \u00e9' 3",
    "5 b'\\xff' 1",
    "6 '\"' 1",
)


def make_vocabulary(folder: Path, *lines: str) -> Path:
    (folder / NAME).write_text("\n".join(lines) + "\n")
    return folder / NAME


def test_tokens_are_bytes_in_the_engines_escapes(tmp_path: Path) -> None:
    assert read_lines(make_vocabulary(tmp_path, *LINES)) == [
        r"\x00",
        r"\n\n",
        "'",
        r" \xc3\xa9",
        r"\xff",
        '"',
    ]


def test_an_empty_line_ends_an_answer_and_the_first_number_is_a_mark(tmp_path: Path) -> None:
    make_vocabulary(tmp_path, *LINES)
    keys = tokenizer_keys(Folder.read(tmp_path, Config({})), 9)
    assert keys["tokenizer.ggml.model"] == "rwkv"
    assert keys["tokenizer.ggml.eot_token_id"] == 2
    assert keys["tokenizer.ggml.eos_token_id"] == keys["tokenizer.ggml.bos_token_id"] == 0
    assert keys["tokenizer.ggml.token_type"] == [3, 1, 1, 1, 1, 1, 1, 5, 5]


@pytest.mark.parametrize(
    "line",
    [
        "2 'a' 1",
        "1 'a' 2",
        "1 a 1",
        "1 ['a'] 1",
        "1 b'a'.hex() 1",
        f"1 '{'a' * 5000}' 5000",
        "1 'a",
        f"1 b'a'{'-' * 4000}1 1",
        "x",
    ],
    ids=["number", "length", "name", "list", "call", "long", "end", "depth", "nothing"],
)
def test_a_line_that_is_no_token_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(TokenizerError, match="line 1 is no token"):
        read_lines(make_vocabulary(tmp_path, line))


@given(text=st.binary(max_size=100))
def test_any_file_gives_tokens_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / NAME
    path.write_bytes(text)
    try:
        assert read_lines(path)
    except TokenizerError:
        return
