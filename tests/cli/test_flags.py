"""Flags are read as pflag reads them."""

from __future__ import annotations

import pytest

from puna.cli.flags import Flag, FlagError, Value, parse_flags, split_command

FLAGS = [
    Flag("format", "string"),
    Flag("think", "string", bare="true"),
    Flag("verbose", "bool", bare="true"),
    Flag("dimensions", "int"),
    Flag("file", "string", "f"),
    Flag("quiet", "bool", "q", "true"),
]

GOOD: dict[str, tuple[list[str], dict[str, Value], list[str]]] = {
    "nothing": ([], {}, []),
    "mixed with words": (
        ["m", "--verbose", "hi", "--format", "json"],
        {"verbose": True, "format": "json"},
        ["m", "hi"],
    ),
    "equals": (["--format=json"], {"format": "json"}, []),
    "empty value": (["--format="], {"format": ""}, []),
    "a value that looks like a flag": (["--format", "--think"], {"format": "--think"}, []),
    "bare string takes no word": (["m", "--think", "high"], {"think": "true"}, ["m", "high"]),
    "bare string with equals": (["--think=high"], {"think": "high"}, []),
    "dashes end the flags": (["a", "--", "--verbose", "-x"], {}, ["a", "--verbose", "-x"]),
    "a single dash is a word": (["-"], {}, ["-"]),
    "bool with a value": (["--verbose=false"], {"verbose": False}, []),
    "short attached": (["-fx"], {"file": "x"}, []),
    "short with equals": (["-f=x"], {"file": "x"}, []),
    "short apart": (["-f", "x"], {"file": "x"}, []),
    "shorts together": (["-qf", "x"], {"quiet": True, "file": "x"}, []),
    "number": (["--dimensions", "0x10"], {"dimensions": 16}, []),
    "negative number": (["--dimensions=-5"], {"dimensions": -5}, []),
    "the last one wins": (["--format", "a", "--format", "b"], {"format": "b"}, []),
}

BAD = {
    "unknown": (["--foo"], "unknown flag: --foo"),
    "unknown with value": (["--foo=1"], "unknown flag: --foo"),
    "unknown letter": (["-x"], "unknown shorthand flag: 'x' in -x"),
    "unknown letter among others": (["-qxz"], "unknown shorthand flag: 'x' in -xz"),
    "no value": (["--format"], "flag needs an argument: --format"),
    "no value for a letter": (["-f"], "flag needs an argument: 'f' in -f"),
    "no name": (["--=x"], "bad flag syntax: --=x"),
    "not a number": (
        ["--dimensions", "x"],
        'invalid argument "x" for "--dimensions" flag: strconv.ParseInt: parsing "x": '
        "invalid syntax",
    ),
    "too large": (
        ["--dimensions", "9223372036854775808"],
        'invalid argument "9223372036854775808" for "--dimensions" flag: strconv.ParseInt: '
        'parsing "9223372036854775808": value out of range',
    ),
    "not a bool": (
        ["--quiet=maybe"],
        'invalid argument "maybe" for "-q, --quiet" flag: strconv.ParseBool: parsing "maybe": '
        "invalid syntax",
    ),
}

COMMANDS = {
    "plain": (["list", "x"], ("list", ["x"])),
    "flag before": (["--verbose", "run", "m"], ("run", ["--verbose", "m"])),
    "unknown flag takes the next": (["--format", "json", "run"], ("run", ["--format", "json"])),
    "unknown flag with equals": (["--format=json", "run"], ("run", ["--format=json"])),
    "none": (["--version"], ("", ["--version"])),
    "after dashes": (["--", "run"], ("", ["--", "run"])),
}
ROOT = [Flag("verbose", "bool", "", "true"), Flag("version", "bool", "v", "true")]


@pytest.mark.parametrize(("args", "values", "words"), GOOD.values(), ids=GOOD)
def test_flags_and_words_are_told_apart(
    args: list[str], values: dict[str, Value], words: list[str]
) -> None:
    assert parse_flags(args, FLAGS) == (values, tuple(words))


@pytest.mark.parametrize(("args", "message"), BAD.values(), ids=BAD)
def test_wrong_flags_are_named(args: list[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse_flags(args, FLAGS)
    assert str(caught.value) == message


@pytest.mark.parametrize(("args", "expected"), COMMANDS.values(), ids=COMMANDS)
def test_the_command_is_found(args: list[str], expected: tuple[str, list[str]]) -> None:
    assert split_command(args, ROOT) == expected
