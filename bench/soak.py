"""Many streams and many requests through the real server: fairness, processor time, and what stays.

    python -m bench.soak [--requests 10000] [--streams 64]

The processor time is the server process's alone, without its runner. A third of the requests hang
up at a random moment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import HOST, MODEL, Room, puna_server
from tests.fakes.ggufs import make_tiny_llama

__all__ = ["Kept", "Tally", "flood", "kept", "stream"]

N_CTX = 512
TOKENS = 256
PARTS = 10
_MARK = b'"done":'
_USER, _SYSTEM = 11, 12  # fields of /proc/PID/stat after the name


@dataclass(frozen=True)
class Kept:
    """What a process holds: kB of memory, descriptors, threads, and children."""

    memory_kb: int
    descriptors: int
    threads: int
    children: int


@dataclass
class Tally:
    """What came of requests; `gaps` are the longest silences of each stream, in seconds."""

    answered: int = 0
    left: int = 0
    errors: list[str] = field(default_factory=list)
    tokens: int = 0
    gaps: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def kept(pid: int) -> Kept:
    """Look at a process (Linux)."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    children = [each.read_text().split() for each in folder.glob("task/*/children")]
    return Kept(
        memory_kb=int(status["VmRSS"].split()[0]),
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
        children=sum(map(len, children)),
    )


async def stream(
    port: int, model: str, tally: Tally, *, tokens: int, leaves_after: int = 0
) -> None:
    """One streamed answer; hangs up after so many of its lines, 0: never."""
    order = {
        "model": model,
        "prompt": f"the dog {tally.answered + tally.left}",
        "raw": True,
        "options": {"num_predict": tokens, "num_ctx": N_CTX, "seed": 7},
    }
    body = json.dumps(order).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(HOST, port)
    began = last = time.perf_counter()
    seen, gap, tail, is_first = 0, 0.0, b"", True
    try:
        writer.write(head.encode() + body)
        while b'"done":true' not in tail:
            data = await reader.read(65536)
            now = time.perf_counter()
            gap = max(gap, now - last) if seen else gap
            last = now
            if not data or (is_first and not data.startswith(b"HTTP/1.1 200")):
                tally.errors.append(repr(data[:200]))
                return
            is_first = False
            seen += (tail[-len(_MARK) + 1 :] + data).count(_MARK)
            tail = (tail + data)[-4096:]
            if leaves_after and seen >= leaves_after:
                tally.left += 1
                return
        tally.answered += 1
        tally.gaps.append(gap)
        tally.seconds.append(last - began)
    finally:
        tally.tokens += seen
        writer.close()


async def flood(
    port: int, model: str, n_requests: int, chance: random.Random, *, at_once: int
) -> Tally:
    """So many short requests, a few of them at once; a third hang up."""
    tally, numbers = Tally(), iter(range(n_requests))

    async def work() -> None:
        for _ in numbers:
            leaves = chance.randint(1, 8) if chance.random() < 1 / 3 else 0
            await stream(port, model, tally, tokens=8, leaves_after=leaves)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return tally


async def side_by_side(port: int, n_streams: int) -> Tally:
    """So many long answers, all begun at once."""
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        for _ in range(n_streams):
            group.create_task(stream(port, MODEL, tally, tokens=TOKENS))
    return tally


def own_cpu_seconds(pid: int) -> float:
    """Processor time of a process without its children (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print; fails where a request did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=64)
    options = parser.parse_args()
    room = Room(N_CTX, options.streams, 1)
    with tempfile.TemporaryDirectory() as folder:
        model = make_tiny_llama(Path(folder) / "tiny.gguf")
        limit = str(options.streams)
        with puna_server(model, room, PUNA_MAX_SEQUENCES=limit, TMPDIR=folder) as server:
            asyncio.run(side_by_side(server.port, options.streams))
            began = own_cpu_seconds(server.pid)
            tally = asyncio.run(side_by_side(server.port, options.streams))
            used = own_cpu_seconds(server.pid) - began
            print(
                f"{options.streams} streams: {tally.tokens} tokens, {len(tally.errors)} errors; "
                f"{used / tally.tokens * 1e6:.1f} µs CPU of the server a token; took "
                f"{min(tally.seconds):.2f} to {max(tally.seconds):.2f} s, longest silence "
                f"{max(tally.gaps):.2f} s (of single streams at least {min(tally.gaps):.2f})"
            )
            chance, errors = random.Random(1), list(tally.errors)
            for part in range(PARTS):
                each = asyncio.run(
                    flood(
                        server.port,
                        MODEL,
                        options.requests // PARTS,
                        chance,
                        at_once=options.streams,
                    )
                )
                errors += each.errors
                time.sleep(0.5)
                print(
                    f"part {part}: {each.answered} answered, {each.left} left; {kept(server.pid)}"
                )
            files = sorted(str(path) for path in Path(folder).rglob("*") if path != model)
            print(f"{len(errors)} errors; temporary files: {files}")
        if errors:
            raise SystemExit(errors[0])


if __name__ == "__main__":
    main()
