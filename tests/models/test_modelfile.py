"""The Modelfile grammar: checks F1 to F12 of the models spec, and more at its edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import ModelfileError
from puna.models.modelfile import Command, parse_modelfile


def commands(text: str | bytes) -> list[tuple[str, str]]:
    return [(command.name, command.args) for command in parse_modelfile(text).commands]


VALUES = {
    "plain": ("FROM a", "a"),
    "no comment at the end of a line": ("FROM a # b", "a # b"),
    "tabs and blanks around": ("FROM \t a b\t ", "a b"),
    "quotes keep blanks": ('FROM "FOO  BAR  "', "FOO  BAR  "),
    "single quotes are nothing": ("FROM 'a'", "'a'"),
    "no escapes": (r'FROM "a\"', "a\\"),
    "quotes inside": ('FROM a "b" c', 'a "b" c'),
    "quote closes at the last of the line": ('FROM "a" and "b"', 'a" and "b'),
    "two quotes are empty": ('FROM ""', ""),
    "six quotes are empty": ('FROM """"""', ""),
    "quotes within three": ('FROM """"a" b"""', '"a" b'),
    "several lines": ('FROM "a\n  b\n"', "a\n  b\n"),
    "several lines in three": ('FROM """\na "b"\n"""', '\na "b"\n'),
    "blanks after the closing quote": ('FROM """a\nb"""  \t\nSYSTEM s', "a\nb"),
    "text after the closing quotes goes on": ('FROM """x""" tail\nmore"""', 'x""" tail\nmore'),
    "one open quote, closed lines later": ('FROM "\n\n"', "\n\n"),
    "CRLF inside is kept": ('FROM """a\r\nb"""\r\n', "a\r\nb"),
    "what does not print is dropped": ("FROM a\u200db\u00a0c\x07d", "abcd"),
    "letters and signs stay": ("FROM naïve 🙂", "naïve 🙂"),
    "empty": ("FROM \n", ""),
}


@pytest.mark.parametrize(("text", "value"), VALUES.values(), ids=VALUES)
def test_values(text: str, value: str) -> None:
    assert commands(text)[0] == ("from", value)


FILES = {
    "everything": (
        "# comment\n\nFrOm m\n  parameter stop a\nPARAMETER top_k 3\n#x\n\tMESSAGE user hi: you\n"
        "TEMPLATE {{ .Prompt }}\nSYSTEM s\nADAPTER a\nDRAFT d\nRENDERER r\nPARSER p\nREQUIRES 1\n"
        "LICENSE l",
        [
            ("from", "m"),
            ("stop", "a"),
            ("top_k", "3"),
            ("message", "user: hi: you"),
            ("template", "{{ .Prompt }}"),
            ("system", "s"),
            ("adapter", "a"),
            ("draft", "d"),
            ("renderer", "r"),
            ("parser", "p"),
            ("requires", "1"),
            ("license", "l"),
        ],
    ),
    "CR ends lines too": (
        "FROM a\rSYSTEM b\r\nPARSER c",
        [("from", "a"), ("system", "b"), ("parser", "c")],
    ),
    "kept blanks of a stop word": (
        'FROM a\nPARAMETER stop "### User: "\nPARAMETER stop ### User: ',
        [("from", "a"), ("stop", "### User: "), ("stop", "### User:")],
    ),
    "parameters keep their case": ("FROM a\nPARAMETER Top_K 1", [("from", "a"), ("Top_K", "1")]),
    "two blanks make an empty name": (
        "FROM a\nPARAMETER  temperature 1",
        [("from", "a"), ("", "temperature 1")],
    ),
    "one space of names": ("FROM a\nPARAMETER system foo", [("from", "a"), ("system", "foo")]),
    "messages in quotes": (
        'FROM a\nMESSAGE assistant """one\ntwo"""',
        [("from", "a"), ("message", "assistant: one\ntwo")],
    ),
    "an order of its own": ("SYSTEM s\nFROM a", [("system", "s"), ("from", "a")]),
    "a character that does not print before a command": ("\u200bFROM a", [("from", "a")]),
}


@pytest.mark.parametrize(("text", "found"), FILES.values(), ids=FILES)
def test_files(text: str, found: list[tuple[str, str]]) -> None:
    assert commands(text) == found


COMMAND = (
    'command must be one of "from", "license", "template", "system", "adapter", "draft", '
    '"renderer", "parser", "parameter", "message", or "requires"'
)
ROLE = 'message role must be one of "system", "user", or "assistant"'

ERRORS = {
    "empty": ("", "no FROM line"),
    "no source": ("SYSTEM s\n", "no FROM line"),
    "unknown command": ("FROM a\nBAD x\n", f"(line 2): {COMMAND}"),
    "command without a value": ("FROM a\nSYSTEM\n", f"(line 3): {COMMAND}"),
    "command that is a number": ("9 x", f"(line 1): {COMMAND}"),
    "underscore in a command": ("FR_OM x", f"(line 1): {COMMAND}"),
    "CRLF counts twice": ("FROM a\r\n\r\nBAD x", f"(line 5): {COMMAND}"),
    "lines inside values count": ('FROM """\n\n"""\nBAD x', f"(line 4): {COMMAND}"),
    "indented continuation": ("FROM a\nSYSTEM one\n  two three\n", f"(line 3): {COMMAND}"),
    "unknown role": ("FROM a\nMESSAGE badguy x", f"(line 2): {ROLE}"),
    "role in another case": ("FROM a\nMESSAGE User x", f"(line 2): {ROLE}"),
    "two blanks make an empty role": ("FROM a\nMESSAGE  user x", f"(line 2): {ROLE}"),
    "parameter without a value": ("FROM a\nPARAMETER top_k\n", "unexpected EOF: top_k"),
    "parameter with a bad letter": ("FROM a\nPARAMETER top-k 1\n", "unexpected EOF: top"),
    "message without a value": ("FROM a\nMESSAGE user\n", "unexpected EOF: user"),
    "end in a command": ("FROM", "unexpected EOF"),
    "end in an unknown command": ("FROM a\nBAD", "unexpected EOF"),
    "end in a parameter": ("FROM a\nPARAMETER top_k", "unexpected EOF"),
    "end after a bare command": ("FROM a\nPARAMETER ", "unexpected EOF"),
    "end in a role": ("FROM a\nMESSAGE us", "unexpected EOF"),
    "open quote": ('FROM a\nSYSTEM "', "unexpected EOF"),
    "open quotes": ('FROM a\nSYSTEM """x\n""\n', "unexpected EOF"),
    "five quotes": ('FROM a\nSYSTEM """""', "unexpected EOF"),
}


@pytest.mark.parametrize(("text", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(ModelfileError) as caught:
        parse_modelfile(text)
    assert str(caught.value) == message


ENCODINGS = {
    "plain": "FROM ü".encode(),
    "UTF-8 mark": b"\xef\xbb\xbf" + "FROM ü".encode(),
    "UTF-16, little end first": b"\xff\xfe" + "FROM ü".encode("utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + "FROM ü".encode("utf-16-be"),
    "text with a mark": "\ufeffFROM ü",
}


@pytest.mark.parametrize("raw", ENCODINGS.values(), ids=ENCODINGS)
def test_encodings(raw: bytes | str) -> None:
    assert commands(raw) == [("from", "ü")]


def test_bad_bytes_are_replaced() -> None:
    assert commands(b"FROM a\xffb") == [("from", "a\ufffdb")]


def test_a_long_licence_is_read_in_one_pass() -> None:
    text = "a line of the licence\n" * 50_000
    found = commands(f'FROM a\nLICENSE """{text}"""\n')
    assert found[1] == ("license", text)


@given(st.text() | st.text(alphabet='FROM SYTE"\n\r#a \t').map(lambda text: "FROM x\n" + text))
def test_any_text_is_a_modelfile_or_an_error(text: str) -> None:
    try:
        found = parse_modelfile(text)
    except ModelfileError:
        return
    assert all(isinstance(command, Command) for command in found.commands)


@given(st.binary(max_size=50))
def test_any_bytes_are_a_modelfile_or_an_error(raw: bytes) -> None:
    try:
        parse_modelfile(b"FROM x\n" + raw)
    except ModelfileError:
        return


def slow_value(text: str) -> str | None:
    """A value read by the rule as it is stated: at each line end look at all of the text so far.

    None is an open quote at the end.
    """
    for end in [index for index, char in enumerate(text) if char in "\r\n"] + [len(text)]:
        whole = "".join(c for c in text[:end] if c.isprintable() or c in "\t\r\n").strip(" \t\r\n")
        for mark in ('"""', '"'):
            if whole.startswith(mark):
                if len(whole) >= 2 * len(mark) and whole.endswith(mark):
                    return whole[len(mark) : -len(mark)]
                break
        else:
            return whole
    return None


@given(st.text(alphabet='"a \n\r\t\u200b'))
def test_the_quick_reader_follows_the_stated_rule(text: str) -> None:
    expected = slow_value(text)
    try:
        value = commands(f"FROM {text}")[0][1]
    except ModelfileError as error:
        if str(error) == "unexpected EOF" and expected is None:
            return
        assert expected is not None  # what followed the value was no command
        return
    assert value == expected
