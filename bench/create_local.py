"""Creating a model from a local file of 2 GB, against hashing the file with sha256sum.

Run `python -m bench.create_local`. Both read a sparse file, so that the disk does not count.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.gguf_open import make_file
from tests.e2e.server import running_server

ROUNDS = 5


def timed(*command: str, env: dict[str, str] | None = None) -> float:
    """Seconds until the command has ended, which it must do well."""
    start = time.perf_counter()
    subprocess.run(command, env=env, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the median of the ratios, and the extremes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.gguf"
        make_file(path)
        modelfile = Path(folder) / "Modelfile"
        modelfile.write_text(f"FROM {path}\n")
        ratios = []
        with running_server(Path(folder) / "home") as server:
            puna = (sys.executable, "-m", "puna")
            for _ in range(ROUNDS):
                hashed = timed("sha256sum", str(path))
                created = timed(*puna, "create", "large", "-f", str(modelfile), env=server.env)
                ratios.append(created / hashed)
                timed(*puna, "rm", "large", env=server.env)
    print(
        f"create from a local 2 GB file against sha256sum: median {statistics.median(ratios):.2f}, "
        f"{min(ratios):.2f} to {max(ratios):.2f} (budget 1.2)"
    )


if __name__ == "__main__":
    main()
