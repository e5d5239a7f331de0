"""The data of the tables in `data.py`."""

from __future__ import annotations

from puna.prompt.gotemplate import ANY, STRING, CallError, Function, NamedMap, Struct


def message(role: str, content: str, number: int = 0) -> Struct:
    """A struct with fields and methods."""

    def shout() -> str:
        return content.upper()

    def add(first: str, *others: str) -> str:
        return "".join((role, first, *others))

    def fail() -> str:
        raise CallError("it failed")

    fields: dict[str, object] = {
        "Role": role,
        "Content": content,
        "N": number,
        "Calls": [],
        "Extra": None,
        "hidden": 0,  # Go prints such fields as well
    }
    methods = {
        "Shout": Function(shout),
        "Add": Function(add, (STRING, STRING), variadic=True),
        "Fail": Function(fail),
    }
    return Struct("main.Msg", fields, methods=methods)


DATA: dict[str, object] = {
    "a": 1,
    "b": "bee",
    "c": [1, 2, 3],
    "d": {"x": 1, "y": "z"},
    "e": [],
    "f": 2.5,
    "g": True,
    "n": None,
    "u": "héllo <b> & 'x' \"y\"\n\t☃ \x01",
    "neg": -5,
    "big": 1234567.0,
    "m": message("user", "hé", 7),
    "nm": NamedMap("main.Named", {"k": 1}, lambda: "<1 named>"),
    "ms": [message("user", "A"), message("assistant", "B")],
}


def _two(first: str, second: object) -> str:
    return f"{first}+{'<nil>' if second is None else second}"


def _boom() -> str:
    raise CallError("bang")


def _dict() -> dict[str, object]:
    return {"k": 1}


FUNCTIONS = {
    "text": Function(lambda text: f"[{text}]", (STRING,)),
    "two": Function(_two, (STRING, ANY)),
    "boom": Function(_boom),
    "dict": Function(_dict),
}
