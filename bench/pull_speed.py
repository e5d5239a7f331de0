"""Pulling a blob from a loopback server, against `curl` piped into `sha256sum`: time and memory.

Run `python -m bench.pull_speed [MEGABYTES]`; 2,000 if not given. The pull runs in a process of its
own, whose start does not count; what `curl` fetches is only hashed, what is pulled is also written
and synced. A disk that writes more slowly than a processor hashes bounds the first ratio, whatever
we do: the second is against `curl`, `tee` and `sync`, which write the same bytes to it. For a disk
in memory set TMPDIR to /dev/shm.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from puna.api.requests import PullRequest
from puna.api.version import registry_user_agent
from puna.config import Settings
from puna.models.library import Library
from puna.models.registry.auth import Authority
from puna.models.registry.key import KeyStore
from puna.models.registry.retry import Retry
from puna.models.registry.sharing import Transfers
from puna.models.registry.transport import Transport
from puna.service.pull import Pull
from puna.service.registries import Registries

GOAL_RATIO = 0.9
GOAL_BYTES = 150_000_000
ROUNDS = 3
PIECE = 1024 * 1024


def make_blob(path: Path, size: int) -> str:
    """Write random bytes; returns their digest."""
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        while size:
            piece = os.urandom(min(size, PIECE))
            hashed.update(piece)
            file.write(piece)
            size -= len(piece)
    return f"sha256:{hashed.hexdigest()}"


class Registry:
    """Serves one model with `sendfile`, so that the server costs little."""

    def __init__(self, blob: Path, digest: str) -> None:
        config = b'{"model_format":"gguf"}'
        config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        layer = {
            "mediaType": "application/vnd.ollama.image.model",
            "digest": digest,
            "size": blob.stat().st_size,
        }
        head = {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": config_digest,
            "size": len(config),
        }
        manifest = {"schemaVersion": 2, "config": head, "layers": [layer]}
        small = {
            "manifests/latest": json.dumps(manifest).encode(),
            f"blobs/{config_digest}": config,
        }
        self._small = {f"/v2/library/m/{path}": body for path, body in small.items()}
        self._blob = blob
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.blob_path = f"/v2/library/m/blobs/{digest}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        rest = b""
        with connection, self._blob.open("rb") as blob:
            while True:
                try:
                    while b"\r\n\r\n" not in rest:
                        received = connection.recv(65536)
                        if not received:
                            return
                        rest += received
                    head, _, rest = rest.partition(b"\r\n\r\n")
                    self._answer(connection, head.decode(), blob.fileno())
                except OSError:  # a stream whose rest another has taken over
                    return

    def _answer(self, connection: socket.socket, head: str, blob: int) -> None:
        path = head.split()[1]
        small = self._small.get(path)
        if small is not None:
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(small)}\r\n\r\n".encode())
            connection.sendall(small)
            return
        size = os.fstat(blob).st_size
        asked = re.search(r"range: bytes=(\d+)-(\d+)", head, re.IGNORECASE)
        start, end = (int(asked[1]), int(asked[2]) + 1) if asked else (0, size)
        status = "206 Partial Content" if asked else "200 OK"
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {end - start}"]
        if asked:
            lines.append(f"Content-Range: bytes {start}-{end - 1}/{size}")
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while start < end:
            start += os.sendfile(connection.fileno(), blob, start, min(end - start, PIECE))


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Note how many seconds the block takes."""
    start = time.perf_counter()
    yield
    into.append(time.perf_counter() - start)


def pull(root: Path, address: str) -> None:
    """Pull the model into a store at `root`; prints the seconds, and the process's peak memory in
    bytes.
    """
    taken: list[float] = []

    async def run() -> None:
        library = Library(root)
        settings = Settings(home=root)
        async with (
            Transport(registry_user_agent()) as transport,
            Transfers(library.blobs) as transfers,
        ):
            authority = Authority(transport, KeyStore([root]), Retry(), ())
            service = Pull(library, transfers, Registries(authority, settings), settings)
            async for _ in service.pull(PullRequest(model=f"{address}/library/m", insecure=True)):
                pass

    with asyncio.Runner(loop_factory=_loop()) as runner, timed(taken):
        runner.run(run())
    print(taken[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def run_shell(text: str) -> None:
    """Run a line of bash."""
    subprocess.run(["bash", "-c", text], check=True, stdout=subprocess.DEVNULL)


def _loop() -> type[asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 - the server's loop, where the platform has it

    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop


def main() -> None:
    """Print the ratio of the times and the peak memory."""
    if sys.argv[1:2] == ["--pull"]:
        pull(Path(sys.argv[2]), sys.argv[3])
        return
    size = int(sys.argv[1] if len(sys.argv) > 1 else 2000) * 1_000_000
    theirs: list[float] = []
    kept: list[float] = []
    ours: list[float] = []
    peak = 0
    with tempfile.TemporaryDirectory() as folder:
        blob = Path(folder, "blob")
        registry = Registry(blob, make_blob(blob, size))
        fetch = f"curl -sf http://{registry.address}{registry.blob_path}"
        copy = shlex.quote(f"{folder}/copy")
        keep = f"{fetch} | tee {copy} | sha256sum && sync {copy}"
        for turn in range(ROUNDS):
            with timed(theirs):
                run_shell(f"{fetch} | sha256sum")
            with timed(kept):
                run_shell(keep)
            run_shell(f"rm {copy}")
            store = Path(folder, f"store-{turn}")
            program = [sys.executable, "-m", "bench.pull_speed", "--pull", str(store)]
            done = subprocess.run(
                [*program, registry.address], check=True, capture_output=True, text=True
            )
            seconds, memory = done.stdout.split()
            ours.append(float(seconds))
            peak = max(peak, int(memory))
            shutil.rmtree(store)  # a disk in memory takes the same pages again
    hashed, written, pulled = map(statistics.median, (theirs, kept, ours))
    print(
        f"{size / 1e6:,.0f} MB: curl and sha256sum {hashed:.2f} s, "
        f"pull {pulled:.2f} s: {hashed / pulled:.2f} times as fast (goal {GOAL_RATIO}); "
        f"with tee and sync {written:.2f} s: {written / pulled:.2f} times as fast as that; "
        f"peak memory {peak / 1e6:.0f} MB (goal {GOAL_BYTES / 1e6:.0f} MB)"
    )


if __name__ == "__main__":
    main()
