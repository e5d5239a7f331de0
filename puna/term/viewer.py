"""A long text on a screen of its own, in which one moves up and down."""

from __future__ import annotations

from prompt_toolkit.application import Application, get_app, in_terminal
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from puna.term.screen import make_output
from puna.term.width import cut_text, text_width

__all__ = ["view", "view_over"]

_HINT = "Up, Down, Page Up, Page Down, Home, End: move   q, Esc, Ctrl+O: back"


def view(title: str, text: str) -> None:
    """Show a text until the user leaves. It must be safe to show."""
    make_viewer(title, text).run()


async def view_over(title: str, text: str, *, at_end: bool = False) -> None:
    """Show a text, its end first if `at_end`, in place of what runs, which goes on afterwards."""
    app = get_app()
    async with in_terminal():
        await make_viewer(title, text, at_end=at_end).run_async()
    # What was read beyond the key that left would wait for the next application to begin.
    app.key_processor.feed_multiple(get_typeahead(app.input))
    app.key_processor.process_keys()


def make_viewer(title: str, text: str, *, at_end: bool = False) -> Application[None]:
    """What shows a text, its end first if `at_end`."""
    shown = _Shown(text, at_end=at_end)
    output = make_output()

    def visible() -> str:
        size = output.get_size()
        return shown.page(size.columns, size.rows - 2)

    body = Window(FormattedTextControl(visible, focusable=True, show_cursor=False))
    heads = [
        Window(FormattedTextControl([("reverse", part)], show_cursor=False), height=1)
        for part in (title, _HINT)
    ]
    return Application(
        Layout(HSplit([heads[0], body, heads[1]]), body),
        key_bindings=_make_keys(shown),
        full_screen=True,
        output=output,
    )


def _make_keys(shown: _Shown) -> KeyBindings:
    keys = KeyBindings()
    page = {"pageup": -1, "pagedown": 1, " ": 1, "c-b": -1, "c-f": 1}
    line = {"up": -1, "down": 1, "k": -1, "j": 1, "c-p": -1, "c-n": 1}

    for name, step in page.items():

        def turn(event: KeyPressEvent, step: int = step) -> None:
            shown.first += step * shown.rows

        keys.add(name)(turn)
    for name, step in line.items():

        def move(event: KeyPressEvent, step: int = step) -> None:
            shown.first += step

        keys.add(name)(move)

    @keys.add("home")
    @keys.add("g")
    def start(event: KeyPressEvent) -> None:
        shown.first = 0

    @keys.add("end")
    @keys.add("G")
    def end(event: KeyPressEvent) -> None:
        shown.at_end = True

    @keys.add("escape", eager=True)
    @keys.add("q")
    @keys.add("c-o")
    @keys.add("c-c")
    @keys.add("c-d")
    def leave(event: KeyPressEvent) -> None:
        event.app.exit()

    return keys


class _Shown:
    """Which rows of a text are on the screen; `first` is the first of them."""

    def __init__(self, text: str, *, at_end: bool) -> None:
        self._lines = text.expandtabs(4).split("\n")
        self._folded: tuple[int, list[str]] = (0, [])
        self.first = 0
        self.rows = 1
        self.at_end = at_end

    def page(self, columns: int, rows: int) -> str:
        """So many rows of so many columns."""
        self.rows = max(1, rows)
        if self._folded[0] != columns:
            self._folded = (
                columns,
                [row for line in self._lines for row in _fold(line, max(1, columns))],
            )
        lines = self._folded[1]
        last = max(0, len(lines) - self.rows)
        self.first = last if self.at_end else max(0, min(self.first, last))
        self.at_end = False
        return "\n".join(lines[self.first : self.first + self.rows])


def _fold(line: str, columns: int) -> list[str]:
    """A line in rows that are not too wide."""
    rows: list[str] = []
    while text_width(line) > columns:
        row = cut_text(line, columns) or line[:1]
        rows.append(row)
        line = line[len(row) :]
    return [*rows, line]
