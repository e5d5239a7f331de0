"""What `/model` and `/think` let the user choose from. Facts: CLI spec, section 5.4."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prompt_toolkit.utils import is_dumb_terminal

from puna.client.replies import ModelRow
from puna.fmt import human_bytes
from puna.term.picker import Row, pick
from puna.term.safe import write_safely

__all__ = ["THINKING", "choose_model", "choose_thinking"]

THINKING = ("auto", "on", "off", "low", "medium", "high", "max")
_DEFAULT_TAG = ":latest"


def choose_model(models: Sequence[ModelRow], current: str, wanted: str) -> str:
    """The model that the user takes, "" for none.

    `wanted` is a name, which is taken at once if there is such a model, or a part of one, which
    the list begins with. Where the cursor cannot be moved, the list is printed only.
    """
    rows = {model.name.removesuffix(_DEFAULT_TAG): model for model in models}
    name = wanted.removesuffix(_DEFAULT_TAG)
    if wanted and name in rows:
        return name
    if is_dumb_terminal():
        for each in rows:
            if wanted in each:
                mark = "*" if each == current.removesuffix(_DEFAULT_TAG) else " "
                write_safely(sys.stdout, f"{mark} {each}\n")
        return ""
    names = list(rows)
    sizes = ["" if row.remote else human_bytes(row.size) for row in rows.values()]
    listed = [Row(each, size) for each, size in zip(names, sizes, strict=True)]
    at = names.index(current) if current in names else 0
    picked = pick("Model:", listed, at, by_typing=True, typed=wanted)
    return names[picked.row] if picked else ""


def choose_thinking(current: str) -> str:
    """How much the model is to think, "" if it stays as it is."""
    if is_dumb_terminal():
        print(f"Thinking: {current}; there are {', '.join(THINKING)}")
        return ""
    at = THINKING.index(current) if current in THINKING else 0
    picked = pick("Thinking:", [Row(level) for level in THINKING], at, by_typing=True)
    return THINKING[picked.row] if picked else ""
