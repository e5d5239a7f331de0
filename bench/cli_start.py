"""How long `puna list` takes from a cold start, against a running server.

Run `python -m bench.cli_start [COUNT]`; the server is the one that OLLAMA_HOST names.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

BUDGET_SECONDS = 0.150


def measure() -> float:
    """Seconds of one `puna list`. Raises CalledProcessError if it fails."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "puna", "list"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print the median and the extremes of COUNT runs (20 if not given)."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    measure()  # starts a server if there is none, and warms the disk's cache
    times = [measure() for _ in range(count)]
    print(
        f"puna list, {count} cold starts: median {statistics.median(times) * 1000:.0f} ms, "
        f"{min(times) * 1000:.0f} to {max(times) * 1000:.0f} ms "
        f"(budget {BUDGET_SECONDS * 1000:.0f} ms)"
    )


if __name__ == "__main__":
    main()
