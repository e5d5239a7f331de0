"""Where `puna` begins. `puna --version` is answered without the library that reads flags: it must
take little longer than Python itself.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program with the arguments of this process."""
    if sys.argv[1:] in (["-v"], ["--version"]):
        from puna.cli.version import print_versions  # noqa: PLC0415 - see above

        print_versions()
    else:
        from puna.cli.main import main as run  # noqa: PLC0415 - see above

        run()
