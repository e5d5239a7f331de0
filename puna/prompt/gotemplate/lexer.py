"""A template's text as tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from puna.prompt.gotemplate.text import is_printable, quote, size

__all__ = ["Kind", "Token", "tokenize"]

LEFT, RIGHT = "{{", "}}"
SPACE = " \t\r\n"
_TERMINATORS = frozenset(SPACE + ".,|:)(")
_DECIMAL = frozenset("0123456789_")
_HEX = frozenset("0123456789abcdefABCDEF_")
_BASES = {"x": _HEX, "o": frozenset("01234567_"), "b": frozenset("01_")}


class Kind(Enum):
    """What a token is. `keyword` and after are words of the language."""

    ERROR = auto()
    BOOL = auto()
    CHAR = auto()
    CHARACTER = auto()
    COMPLEX = auto()
    ASSIGN = auto()
    DECLARE = auto()
    EOF = auto()
    FIELD = auto()
    IDENTIFIER = auto()
    LEFT_DELIMITER = auto()
    LEFT_PAREN = auto()
    NUMBER = auto()
    PIPE = auto()
    RAW_STRING = auto()
    RIGHT_DELIMITER = auto()
    RIGHT_PAREN = auto()
    SPACE = auto()
    STRING = auto()
    TEXT = auto()
    VARIABLE = auto()
    DOT = auto()
    BLOCK = auto()
    BREAK = auto()
    CONTINUE = auto()
    DEFINE = auto()
    ELSE = auto()
    END = auto()
    IF = auto()
    NIL = auto()
    RANGE = auto()
    TEMPLATE = auto()
    WITH = auto()


_WORDS = {
    "block": Kind.BLOCK,
    "break": Kind.BREAK,
    "continue": Kind.CONTINUE,
    "define": Kind.DEFINE,
    "else": Kind.ELSE,
    "end": Kind.END,
    "if": Kind.IF,
    "nil": Kind.NIL,
    "range": Kind.RANGE,
    "template": Kind.TEMPLATE,
    "with": Kind.WITH,
    "true": Kind.BOOL,
    "false": Kind.BOOL,
}
_SHOWN_AS_WORDS = frozenset({Kind.DOT, *_WORDS.values()} - {Kind.BOOL})
_SIGNS = {"=": Kind.ASSIGN, "|": Kind.PIPE}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: what it is, how it is written, where (in characters) and in which line.

    The text of an ERROR is its message.
    """

    kind: Kind
    text: str
    at: int
    line: int

    def __str__(self) -> str:
        if self.kind is Kind.EOF:
            return "EOF"
        if self.kind is Kind.ERROR:
            return self.text
        if self.kind in _SHOWN_AS_WORDS:
            return f"<{self.text}>"
        return quote(self.text[:10]) + "..." if size(self.text) > 10 else quote(self.text)


def tokenize(source: str) -> list[Token]:
    """All tokens of a template, up to the end or to the first error, which is the last token."""
    return _Lexer(source).run()


class _Stop(Exception):
    """An error token was written."""


class _Lexer:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0  # where the text goes on
        self._start = 0  # where the token under way began
        self._line = 1  # the line of `_start`
        self._parens = 0
        self._tokens: list[Token] = []

    def run(self) -> list[Token]:
        try:
            while self._text():
                self._action()
        except _Stop:
            pass
        return self._tokens

    def _emit(self, kind: Kind) -> None:
        self._tokens.append(
            Token(kind, self._source[self._start : self._at], self._start, self._line)
        )
        self._skip()

    def _skip(self) -> None:
        self._line += self._source.count("\n", self._start, self._at)
        self._start = self._at

    def _fail(self, message: str) -> _Stop:
        self._tokens.append(Token(Kind.ERROR, message, self._start, self._line))
        return _Stop()

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _accept(self, chars: frozenset[str] | str) -> bool:
        if self._peek() and self._peek() in chars:
            self._at += 1
            return True
        return False

    def _run_of(self, chars: frozenset[str]) -> None:
        while self._accept(chars):
            pass

    def _word(self) -> None:
        while _is_word(self._peek()):
            self._at += 1

    def _text(self) -> bool:
        """Text up to the next action; whether there is one."""
        found = self._source.find(LEFT, self._at)
        while found >= 0:
            trims = _trims_left(self._source, found + 2)
            text = self._source[self._at : found]
            self._at = self._start + len(text.rstrip(SPACE) if trims else text)
            if self._at > self._start:
                self._emit(Kind.TEXT)
            self._at = found
            self._skip()
            inside = found + (4 if trims else 2)
            if not self._source.startswith("/*", inside):
                self._at = found + 2
                self._emit(Kind.LEFT_DELIMITER)
                self._at += 2 * trims
                self._skip()
                return True
            self._comment(inside)
            found = self._source.find(LEFT, self._at)
        self._at = len(self._source)
        if self._at > self._start:
            self._emit(Kind.TEXT)
        self._emit(Kind.EOF)
        return False

    def _comment(self, at: int) -> None:
        self._at = at
        self._skip()
        end = self._source.find("*/", at + 2)
        if end < 0:
            raise self._fail("unclosed comment")
        self._at = end + 2
        closes, trims = self._closing()
        if not closes:
            raise self._fail("comment ends before closing delimiter")
        self._at += 4 if trims else 2
        if trims:
            self._eat_space()
        self._skip()

    def _eat_space(self) -> None:
        while self._accept(SPACE):
            pass

    def _closing(self) -> tuple[bool, bool]:
        """Whether the action closes here, and whether that trims the space behind it."""
        if _trims_right(self._source, self._at) and self._source.startswith(RIGHT, self._at + 2):
            return True, True
        return self._source.startswith(RIGHT, self._at), False

    def _action(self) -> None:
        self._parens = 0
        while True:
            closes, trims = self._closing()
            if closes:
                self._close(trims)
                return
            self._step()

    def _close(self, trims: bool) -> None:
        if self._parens:
            raise self._fail("unclosed left paren")
        if trims:
            self._at += 2
            self._skip()
        self._at += 2
        self._emit(Kind.RIGHT_DELIMITER)
        if trims:
            self._eat_space()
            self._skip()

    def _step(self) -> None:
        """One token."""
        char = self._peek()
        if not char:
            raise self._fail("unclosed action")
        self._at += 1
        match char:
            case " " | "\t" | "\r" | "\n":
                self._space()
            case "=" | "|":
                self._emit(_SIGNS[char])
            case ":":
                if not self._accept("="):
                    raise self._fail("expected :=")
                self._emit(Kind.DECLARE)
            case '"' | "'":
                self._quoted(char)
            case "`":
                self._raw()
            case "$":
                self._named(Kind.VARIABLE, Kind.VARIABLE)
            case "." if not "0" <= self._peek() <= "9" and self._peek():
                self._named(Kind.FIELD, Kind.DOT)
            case "(" | ")":
                self._paren(char)
            case _ if char in "+-.0123456789":
                self._at -= 1
                self._number()
            case _ if _is_word(char):
                self._identifier()
            case _ if char.isascii() and is_printable(char):
                self._emit(Kind.CHAR)
            case _:
                raise self._fail(f"unrecognized character in action: {_named_char(char)}")

    def _space(self) -> None:
        while self._accept(SPACE):
            pass
        if _trims_right(self._source, self._at - 1) and self._source.startswith(
            RIGHT, self._at + 1
        ):
            self._at -= 1  # the last space belongs to the closing mark
            if self._at == self._start:
                return
        self._emit(Kind.SPACE)

    def _paren(self, char: str) -> None:
        self._parens += 1 if char == "(" else -1
        if self._parens < 0:
            raise self._fail("unexpected right paren")
        self._emit(Kind.LEFT_PAREN if char == "(" else Kind.RIGHT_PAREN)

    def _named(self, kind: Kind, bare: Kind) -> None:
        if self._at_terminator():
            self._emit(bare)
            return
        self._word()
        self._must_end()
        self._emit(kind)

    def _identifier(self) -> None:
        self._word()
        self._must_end()
        self._emit(_WORDS.get(self._source[self._start : self._at], Kind.IDENTIFIER))

    def _at_terminator(self) -> bool:
        char = self._peek()
        return not char or char in _TERMINATORS or self._source.startswith(RIGHT, self._at)

    def _must_end(self) -> None:
        if not self._at_terminator():
            raise self._fail(f"bad character {_named_char(self._peek())}")

    def _quoted(self, mark: str) -> None:
        what = "quoted string" if mark == '"' else "character constant"
        while True:
            char = self._peek()
            self._at += 1
            if char == "\\":
                char = self._peek()
                self._at += 1
                if char and char != "\n":
                    continue
            if not char or char == "\n":
                raise self._fail(f"unterminated {what}")
            if char == mark:
                break
        self._emit(Kind.STRING if mark == '"' else Kind.CHARACTER)

    def _raw(self) -> None:
        end = self._source.find("`", self._at)
        if end < 0:
            raise self._fail("unterminated raw quoted string")
        self._at = end + 1
        self._emit(Kind.RAW_STRING)

    def _number(self) -> None:
        kind = Kind.NUMBER
        good = self._scan_number()
        if good and self._peek() and self._peek() in "+-":
            kind = Kind.COMPLEX
            good = self._scan_number() and self._source[self._at - 1] == "i"
        if not good:
            written = self._source[self._start : self._at]
            raise self._fail(f"bad number syntax: {quote(written)}")
        self._emit(kind)

    def _scan_number(self) -> bool:
        self._accept("+-")
        digits = _DECIMAL
        if self._accept("0"):
            base = self._peek().lower()
            if base and base in _BASES:
                self._at += 1
                digits = _BASES[base]
        self._run_of(digits)
        if self._accept("."):
            self._run_of(digits)
        if (digits is _DECIMAL and self._accept("eE")) or (digits is _HEX and self._accept("pP")):
            self._accept("+-")
            self._run_of(_DECIMAL)
        self._accept("i")
        if _is_word(self._peek()):
            self._at += 1
            return False
        return True


def _is_word(char: str) -> bool:
    return char == "_" or char.isalpha() or char.isdecimal()


def _trims_left(source: str, at: int) -> bool:
    return source.startswith("-", at) and source[at + 1 : at + 2] in {" ", "\t", "\r", "\n"}


def _trims_right(source: str, at: int) -> bool:
    return source[at : at + 1] in {" ", "\t", "\r", "\n"} and source.startswith("-", at + 1)


def _named_char(char: str) -> str:
    """As Go's `%#U`: the code, and the character where it can be printed."""
    code = f"U+{ord(char):04X}"
    return f"{code} '{char}'" if is_printable(char) else code
