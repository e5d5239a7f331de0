"""What telling thoughts, content and calls apart costs, in µs of CPU a token.

Run `python -m bench.scan`. An answer of thoughts, text and two calls comes in pieces of four
characters, about a token each, as every family's parser reads it; calls are told of
while they are written.
"""

from __future__ import annotations

import time

from puna.prompt.parsers import MARKS, NAMED, Scanner, Turn

PIECE = 4
TEXT = "Where the rain falls, nobody knows (see [1] and <b>); it is 5 < 6. " * 40
CALL = '<tool_call>{"name": "rain", "arguments": {"city": "Oslo", "text": "' + "a b " * 200 + '"}}'
ANSWER = f"<think>{TEXT}</think>\n\n{TEXT}{CALL}</tool_call>\n{TEXT}"
TURN = Turn(think=True, has_tools=True)
TOOLS = [{"type": "function", "function": {"name": "rain"}}]
PIECES = [ANSWER[at : at + PIECE] for at in range(0, len(ANSWER), PIECE)]


def main() -> None:
    """Measure and print."""
    families = {**NAMED, **{marks.texts[0]: marks.family for marks in MARKS}}
    for name, family in families.items():
        best = min(
            _seconds(Scanner(family, TURN, TOOLS, lenient=True, call_pieces=True)) for _ in range(5)
        )
        print(f"{name:30} {best / len(PIECES) * 1e6:5.2f} µs per token")


def _seconds(scanner: Scanner) -> float:
    begun = time.process_time()
    for piece in PIECES:
        scanner.push(piece)
    scanner.flush()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
