"""`puna bench MODEL`: how fast a model is here, by length of the prompt and number of users."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from puna.cli.command import command, exactly, json_option, option
from puna.cli.follow import progress
from puna.cli.output import print_object
from puna.client.measure import Bench, Speed
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest
from puna.term.progress import Spinner
from puna.term.table import make_table

__all__ = ["COMMAND", "speed_table"]

MAX_CONCURRENCY = 256
MAX_TOKENS = 1_000_000
HEADER = ["PROMPT", "USERS", "FIRST TOKEN", "PREFILL", "DECODE", "EACH"]


@command(
    "bench",
    completes=("model",),
    usage="MODEL",
    words=exactly(1),
    help="Measure how fast a model is (tokens per second)",
)
@option("--prompt-tokens", default="128,512", help='Lengths of prompts (default "128,512")')
@option("--concurrency", default="1,4", help='Users at the same time (default "1,4")')
@option("--tokens", kind="int", default=64, help="Length of answers (default 64)")
@json_option
def COMMAND(
    words: tuple[str, ...], prompt_tokens: str, concurrency: str, tokens: int, json: bool
) -> None:
    lengths = parse_list(prompt_tokens, "--prompt-tokens", MAX_TOKENS)
    users = parse_list(concurrency, "--concurrency", MAX_CONCURRENCY)
    if not 1 < tokens <= MAX_TOKENS:
        raise BadRequest(f"--tokens must be from 2 to {MAX_TOKENS}")
    with connect(read_settings()) as client:
        if "embedding" in client.show(words[0]).capabilities:
            raise BadRequest(f"{words[0]} makes vectors, not text: there is nothing to measure")
        host = client.host
    speeds: list[Speed] = []
    with Bench(host, words[0], tokens, max(users)) as bench, progress(as_json=json) as shown:
        spinner = Spinner(f"loading {words[0]}")
        shown.add(spinner)
        context = bench.prepare()
        for length in fitting(lengths, tokens, context):
            for count in users:
                spinner.message = f"{length} tokens for {count} at a time"
                speeds.append(bench.measure(length, count))
        shown.clear()
    if json:
        print_object({"model": words[0], "context_length": context, "speeds": speeds})
    else:
        sys.stdout.write(speed_table(speeds))


def parse_list(text: str, flag: str, most: int) -> list[int]:
    """Numbers by commas, each from 1 to `most`. Raises BadRequest."""
    numbers = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if not all(0 < number <= most for number in numbers):
        raise BadRequest(f'invalid value for {flag}: "{text}" (numbers from 1 to {most} by commas)')
    return numbers


def fitting(lengths: Sequence[int], tokens: int, context: int) -> list[int]:
    """The prompts that a context has room for, with their answers; tells of others.

    A context of 0 is unknown. Raises BadRequest if there is none.
    """
    fit = [length for length in lengths if not context or length + tokens <= context]
    if len(fit) < len(lengths):
        told = (
            f"a context of {context} tokens has no room for prompts of "
            f"{', '.join(str(length) for length in lengths if length not in fit)} and their answers"
        )
        if not fit:
            raise BadRequest(told)
        print(f"left out: {told}", file=sys.stderr)
    return fit


def speed_table(speeds: Sequence[Speed]) -> str:
    """A row for each measurement."""
    return make_table([list(_cells(speed)) for speed in speeds], HEADER)


def _cells(speed: Speed) -> Sequence[str]:
    rates = (speed.prefill_rate, speed.decode_rate, speed.stream_rate)
    return [
        str(speed.prompt_tokens),
        str(speed.concurrency),
        f"{speed.first_token_seconds * 1000:.0f} ms",
        *("-" if rate is None else f"{rate:.1f}" for rate in rates),
    ]
