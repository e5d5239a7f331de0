"""The keys of the agent's line that the prompt does not have. Facts: CLI spec, section 5.4."""

from __future__ import annotations

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.filters import completion_is_selected, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.keys import Keys

from puna.agent.details import details
from puna.agent.pastes import Pastes
from puna.agent.turn import Agent
from puna.repl.files import mark_of, takes_files
from puna.term.viewer import view_over

__all__ = ["make_keys"]


def make_keys(agent: Agent, pastes: Pastes) -> KeyBindings:
    """Full access, the details of the conversation, ways out, and pastes."""
    keys = KeyBindings()
    _bind_agent(keys, agent)
    _bind_ways_out(keys)
    _bind_pastes(keys, agent, pastes)
    return keys


def _bind_agent(keys: KeyBindings, agent: Agent) -> None:
    @keys.add("s-tab")
    def toggle(event: KeyPressEvent) -> None:
        on = not agent.approvals.has_full_access
        agent.approvals.set_full_access(on)
        run_in_terminal(lambda: print("full access enabled" if on else "review mode enabled"))

    @keys.add("c-o")
    async def show(event: KeyPressEvent) -> None:
        text = details(agent.messages) or "(nothing was said yet)"
        await view_over("Conversation", text, at_end=True)

    @keys.add("enter", filter=completion_is_selected & ~is_searching)
    def accept(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")


def _bind_ways_out(keys: KeyBindings) -> None:
    """Ctrl+C and Ctrl+D clear the line; on an empty one the second in a row leaves."""
    is_warned = False

    def leave_or_clear(event: KeyPressEvent, name: str) -> None:
        nonlocal is_warned
        if event.current_buffer.text:
            event.current_buffer.reset()
            is_warned = False
        elif is_warned and event.is_repeat:
            event.app.exit(exception=EOFError)
        else:
            is_warned = True
            run_in_terminal(lambda: print(f"press {name} again to quit"))

    @keys.add("c-c", filter=~is_searching)
    def interrupt(event: KeyPressEvent) -> None:
        leave_or_clear(event, "ctrl+c")

    @keys.add("c-d", filter=~is_searching)
    def end(event: KeyPressEvent) -> None:
        leave_or_clear(event, "ctrl+d")

    @keys.add("escape", "escape")
    def clear(event: KeyPressEvent) -> None:
        event.current_buffer.reset()


def _bind_pastes(keys: KeyBindings, agent: Agent, pastes: Pastes) -> None:
    """What is pasted is folded, and what was folded goes as one."""

    @keys.add(Keys.BracketedPaste)
    def paste(event: KeyPressEvent) -> None:
        text = event.data.strip()
        kind = mark_of(text) if takes_files(agent.session.info) else None
        shown = pastes.fold_file(text, kind) if kind else pastes.fold(event.data)
        event.current_buffer.insert_text(shown)

    def before(event: KeyPressEvent) -> int:
        return pastes.mark_before(event.current_buffer.text, event.current_buffer.cursor_position)

    @keys.add("backspace")
    def back(event: KeyPressEvent) -> None:
        event.current_buffer.delete_before_cursor(before(event) or event.arg)

    @keys.add("c-w")
    def word(event: KeyPressEvent) -> None:
        if count := before(event):
            event.current_buffer.delete_before_cursor(count)
        else:
            get_by_name("unix-word-rubout").call(event)

    @keys.add("delete")
    def delete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        buffer.delete(pastes.mark_after(buffer.text, buffer.cursor_position) or event.arg)
