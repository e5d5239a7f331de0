"""Puna's server against llama-server, over HTTP, on the same model, threads, cells and prompts.

Run `python -m bench.peer --peer PATH`, or name the program in LLAMA_SERVER. Both servers run all
the time and answer in turn; a row is the median over rounds of the ratio of their times. Which
pages a process gets makes it a few percent faster or slower as long as it lives: for that there is
`--launches`. README.md says how to build a llama-server from the sources that Puna's own engine is
built from.
"""

from __future__ import annotations

import random
import statistics
import string
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from bench.models import SHAPES, cached_model
from bench.servers import Answer, Room, Server, cpu_seconds, llama_server, puna_server
from puna.discover.cpu import worker_threads

USERS = 8
PREFIX = 1000  # tokens; one for each character, as the vocabulary has bytes only
ANSWER = 32  # tokens
STREAM = 128
SHORT = 200
N_CTX = 2048
_TICK = 0.01  # seconds: the resolution of processor time


def text(length: int, *seed: object) -> str:
    """Letters that no two seeds share."""
    draw = random.Random(repr(seed))
    return "".join(draw.choices(string.ascii_lowercase, k=length))


def together(server: Server, prompts: Sequence[str], lengths: Sequence[int]) -> list[Answer]:
    """One user for each prompt and length of an answer, all at once."""
    with ThreadPoolExecutor(len(prompts)) as users:
        return list(users.map(server.ask, prompts, lengths))


def one_stream(server: Server, seed: int) -> list[Answer]:
    """A short prompt and an answer: decoding."""
    return [server.ask(text(16, "stream", seed), STREAM)]


def one_prompt(server: Server, seed: int) -> list[Answer]:
    """A long prompt and one token: prefill."""
    return [server.ask(text(PREFIX, "prompt", seed), 1)]


def distinct(server: Server, seed: int) -> list[Answer]:
    """Users that have nothing in common."""
    prompts = [text(PREFIX, "distinct", seed, user) for user in range(USERS)]
    return together(server, prompts, [ANSWER] * USERS)


def uneven(server: Server, seed: int) -> list[Answer]:
    """The same with short prompts, and answers that end one after the other, in no order."""
    prompts = [text(SHORT, "uneven", seed, user) for user in range(USERS)]
    lengths = [STREAM * (user + 1) // USERS for user in range(USERS)]
    random.Random(seed).shuffle(lengths)
    return together(server, prompts, lengths)


def shared(server: Server, seed: int) -> list[Answer]:
    """Users whose prompts begin alike."""
    prefix = text(PREFIX, "shared", seed)
    prompts = [f"{prefix} {text(8, user)}" for user in range(USERS)]
    return together(server, prompts, [ANSWER] * USERS)


@dataclass(frozen=True)
class Row:
    """A line of the table; the goal is how many times as fast as the peer Puna must be."""

    what: str
    work: Callable[[Server, int], list[Answer]]
    goal: float


ROWS = {
    "stream": Row(f"1 user, {STREAM} tokens out", one_stream, 1.0),
    "prompt": Row(f"1 user, {PREFIX} tokens in", one_prompt, 1.0),
    "distinct": Row(f"{USERS} users, {PREFIX} tokens in, {ANSWER} out", distinct, 1.0),
    "uneven": Row(f"{USERS} users, {SHORT} tokens in, up to {STREAM} out", uneven, 1.0),
    "shared": Row(f"{USERS} users, the same {PREFIX} tokens in, {ANSWER} out", shared, 4.0),
}


@dataclass(frozen=True)
class Cost:
    """What a row's work took: seconds, and seconds of processor time of the server."""

    seconds: float
    cpu: float
    prompt_tokens: list[int]


def cost(row: Row, server: Server, seed: int) -> Cost:
    """Let a server do a row's work."""
    start, cpu = time.perf_counter(), cpu_seconds(server.pid)
    answers = row.work(server, seed)
    return Cost(
        time.perf_counter() - start,
        cpu_seconds(server.pid) - cpu,
        [answer.prompt_tokens for answer in answers],
    )


def pairs_of(row: Row, puna: Server, peer: Server, rounds: range) -> list[tuple[Cost, Cost]]:
    """What Puna and the peer took in each round; who begins alternates."""
    pairs: list[tuple[Cost, Cost]] = []
    for seed in rounds:
        sides = [puna, peer] if seed % 2 else [peer, puna]
        costs = {side.name: cost(row, side, seed) for side in sides}
        pairs.append((costs[puna.name], costs[peer.name]))
        if pairs[-1][0].prompt_tokens != pairs[-1][1].prompt_tokens:
            raise RuntimeError("the two count different prompts")
    return pairs


def report(row: Row, pairs: Sequence[tuple[Cost, Cost]]) -> str:
    """The row's figures."""
    ratios = [theirs.seconds / ours.seconds for ours, theirs in pairs]
    cpu = statistics.median(ours.cpu / max(theirs.cpu, _TICK) for ours, theirs in pairs)
    times = [statistics.median(pair[side].seconds for pair in pairs) for side in (0, 1)]
    return (
        f"{row.what}: {statistics.median(ratios):.2f} times as fast as the peer "
        f"({min(ratios):.2f} to {max(ratios):.2f}; goal {row.goal:.1f}), "
        f"{times[0]:.2f} s against {times[1]:.2f} s; processor time {cpu:.2f} of the peer's"
    )


@click.command()
@click.option(
    "--peer",
    envvar="LLAMA_SERVER",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The llama-server program (or LLAMA_SERVER in the environment).",
)
@click.option("--model", "shape", type=click.Choice(list(SHAPES)), default="100M")
@click.option("--row", "names", type=click.Choice(list(ROWS)), multiple=True, help="Only these.")
@click.option("--rounds", default=5, show_default=True, help="After each launch.")
@click.option("--launches", default=1, show_default=True, help="Of both servers, each time anew.")
@click.option("--threads", type=int, default=worker_threads, help="Of both; by default the cores.")
@click.option(
    "--spin",
    envvar="GOMP_SPINCOUNT",
    help="How often threads of both look before they sleep; by default as each has it.",
)
def main(
    peer: Path,
    shape: str,
    names: tuple[str, ...],
    rounds: int,
    launches: int,
    threads: int,
    spin: str | None,
) -> None:
    """Print the table."""
    model = cached_model(SHAPES[shape])
    room = Room(N_CTX, USERS, threads)
    print(f"{shape} model, {threads} threads, {USERS} contexts of {N_CTX} tokens")
    settings = {} if spin is None else {"GOMP_SPINCOUNT": spin}
    pairs: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in names or ROWS}
    for launch in range(launches):
        with (
            puna_server(model, room, **settings) as ours,
            llama_server(peer, model, room, **settings) as theirs,
        ):
            for name, some in pairs.items():
                some += pairs_of(
                    ROWS[name], ours, theirs, range(launch * rounds, (launch + 1) * rounds)
                )
                if launch == launches - 1:
                    print(report(ROWS[name], some), flush=True)


if __name__ == "__main__":
    main()
