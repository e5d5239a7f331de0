"""How long `puna --version` and `puna list` take from a cold start, against a running server.

Run `python -m bench.cli_start [COUNT]`; the server is the one that OLLAMA_HOST names. Ratios are to
a bare `python -c pass`, taken in turns with them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

PUNA = str(Path(sys.executable).with_name("puna"))
BARE = (sys.executable, "-c", "pass")
BUDGETS = {(PUNA, "--version"): 0.060, (PUNA, "list"): 0.150}


def measure(command: tuple[str, ...]) -> float:
    """Seconds of one run. Raises CalledProcessError if it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print medians and extremes of COUNT runs (20 if not given)."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    measure((PUNA, "list"))  # starts a server if there is none, and warms the disk's cache
    commands = (BARE, *BUDGETS)
    rounds = [[measure(command) for command in commands] for _ in range(count)]
    bare, *rest = zip(*rounds, strict=True)
    print(f"bare python, {count} cold starts: median {statistics.median(bare) * 1000:.0f} ms")
    for (command, budget), times in zip(BUDGETS.items(), rest, strict=True):
        median = statistics.median(times)
        print(
            f"puna {command[1]}: median {median * 1000:.0f} ms, {min(times) * 1000:.0f} to "
            f"{max(times) * 1000:.0f} ms (budget {budget * 1000:.0f} ms), "
            f"{median / statistics.median(bare):.1f} times bare python"
        )


if __name__ == "__main__":
    main()
