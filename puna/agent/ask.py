"""Asking the user about a batch of calls, on a terminal or without one.

Facts: CLI spec, section 5.3.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.utils import is_dumb_terminal

from puna.agent.approvals import Approvals, Choice, Wish, always_text, visible
from puna.agent.escape import forget_keys
from puna.term.screen import make_output
from puna.term.viewer import view_over

__all__ = ["ask_at_terminal", "deny_unasked"]

_MOST_SHOWN = 8000  # characters of a call


def ask_at_terminal(wishes: Sequence[Wish], approvals: Approvals) -> Choice:
    """Show what is to be done and let the user choose; Esc and Ctrl+C deny. Keys that were
    pressed before do not answer.
    """
    forget_keys()  # nobody had seen the question when they were pressed
    for wish in wishes:
        print(f"\n{_shown(wish)}", flush=True)
    choices = [(Choice.ONCE, Choice.ONCE.value)]
    if always := always_text(wishes):
        choices.append((Choice.ALWAYS, visible(always)))
    choices.append((Choice.DENY, Choice.DENY.value))
    if is_dumb_terminal():
        return _ask_plainly(choices)
    picked = _menu(choices, approvals, "\n\n".join(visible(wish.text) for wish in wishes)).run()
    print(f"  {dict(choices)[picked]}", flush=True)
    return picked


def deny_unasked(wishes: Sequence[Wish], approvals: Approvals) -> Choice:
    """The answer where nobody can be asked; says which flag would have allowed it."""
    for wish in wishes:
        print(f"denied: {_shown(wish)}", file=sys.stderr)
    tools = ",".join(dict.fromkeys(wish.tool for wish in wishes if wish.grant))
    hint = f"; allow with --allow {tools}" if tools else ""
    print(f"Nobody can be asked for approval here{hint}", file=sys.stderr)
    return Choice.DENY


def _shown(wish: Wish) -> str:
    more = len(wish.text) - _MOST_SHOWN
    cut = f"\n[{more} more characters, which Ctrl+O shows]" if more > 0 else ""
    return visible(wish.text[:_MOST_SHOWN]) + cut


def _ask_plainly(choices: Sequence[tuple[Choice, str]]) -> Choice:
    for number, (_, text) in enumerate(choices, 1):
        print(f"  {number}. {text}")
    sys.stdout.write("> ")
    sys.stdout.flush()
    line = sys.stdin.readline().strip()
    numbers = {str(number): choice for number, (choice, _) in enumerate(choices, 1)}
    return numbers.get(line, Choice.DENY)


def _menu(
    choices: Sequence[tuple[Choice, str]], approvals: Approvals, whole: str
) -> Application[Choice]:
    """The choices with their numbers, the first being marked; Ctrl+O shows the calls as a whole."""
    at = [0]
    keys = KeyBindings()

    def text() -> StyleAndTextTuples:
        return [
            ("bold" if n == at[0] else "", f"{'>' if n == at[0] else ' '} {n + 1}. {shown}\n")
            for n, (_, shown) in enumerate(choices)
        ]

    def move(step: int) -> None:
        at[0] = (at[0] + step) % len(choices)

    @keys.add("up")
    @keys.add("c-p")
    def up(event: KeyPressEvent) -> None:
        move(-1)

    @keys.add("down")
    @keys.add("c-n")
    @keys.add("tab")
    def down(event: KeyPressEvent) -> None:
        move(1)

    @keys.add("enter")
    def take(event: KeyPressEvent) -> None:
        event.app.exit(result=choices[at[0]][0])

    @keys.add("escape", eager=True)
    @keys.add("c-c")
    def deny(event: KeyPressEvent) -> None:
        event.app.exit(result=Choice.DENY)

    @keys.add("c-o")
    async def show(event: KeyPressEvent) -> None:
        await view_over("To be approved", whole)

    @keys.add("s-tab")
    def full_access(event: KeyPressEvent) -> None:
        approvals.set_full_access(True)
        event.app.exit(result=Choice.ONCE)

    for number, (choice, _) in enumerate(choices, 1):

        def pick(event: KeyPressEvent, choice: Choice = choice) -> None:
            event.app.exit(result=choice)

        keys.add(str(number))(pick)

    control = FormattedTextControl(text, focusable=True, show_cursor=False)
    window = Window(control, height=len(choices), wrap_lines=True)
    return Application(
        Layout(window), key_bindings=keys, erase_when_done=True, output=make_output()
    )
