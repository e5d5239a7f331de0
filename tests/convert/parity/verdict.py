"""Compares everything that was made, and ends with one verdict.

python -m tests.convert.parity.verdict FOLDER [PART…]   status 1 if anything is too far off
"""

from __future__ import annotations

import subprocess
import sys

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """All parts or those that are named, whatever becomes of one; the last line says which of them
    failed.
    """
    folder, *wanted = arguments
    parts = {
        "architectures": ["parity.compare", folder],
        "adapters": ["parity.adapters", folder],
        "types of weights": ["levels"],
        "vision encoders": ["parity.vision", "compare", folder],
        "real weights": ["parity.minilm", "compare", folder],
        "tokens": ["parity.tokens", "compare", f"{folder}/tokens"],
    }
    unknown = set(wanted) - set(parts)
    if unknown:
        sys.stderr.write(f"no such part: {unknown.pop()}; there are {', '.join(parts)}\n")
        return 2
    failed = []
    for name, (module, *rest) in parts.items():
        if wanted and name not in wanted:
            continue
        sys.stdout.write(f"\n{name}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", f"tests.convert.{module}", *rest]
        if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
            failed.append(name)
    word = f"failed: {', '.join(failed)}" if failed else "everything is as near as it must be"
    sys.stdout.write(f"\n{word}\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
