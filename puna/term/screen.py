"""The terminal as the line editor and the picker draw on it."""

from __future__ import annotations

import os
import shutil
import sys

from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import get_term_environment_variable

__all__ = ["make_output"]


def make_output() -> Output:
    """The terminal; it is not asked for its cursor position, since not every one answers."""
    if os.name == "nt":
        return create_output()

    def size() -> Size:
        columns, rows = shutil.get_terminal_size()
        return Size(rows=rows, columns=columns)

    return Vt100_Output(sys.stdout, size, get_term_environment_variable(), enable_cpr=False)
