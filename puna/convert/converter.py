"""The main of a child process that converts one checkpoint, and says how far it is.

Started by conversion.py: an order as JSON on stdin, a line of JSON on stdout for every tensor.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from puna.child import die_with_parent
from puna.convert.adapter import convert_adapter
from puna.convert.conversion import Order, Said, Written
from puna.convert.model import convert_model
from puna.errors import ConvertError, PunaError

__all__ = ["main"]


class _Teller:
    """Writes lines for the parent, on what was stdout before anybody else could write there."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)

    def tell(self, said: Said) -> None:
        """Write one line; a parent that is gone ends this process."""
        try:
            self._pipe.write(msgspec.json.encode(said) + b"\n")
        except OSError:
            os._exit(1)

    def progress(self, done: int, total: int) -> None:
        """Write how far it is."""
        self.tell(Said(done, total))


def carry_out(order: Order, teller: _Teller) -> Said:
    """Do what is ordered. Raises ConvertError, OSError."""
    source, target = Path(order.source), Path(order.target)
    if order.kind == "adapter":
        if not order.base:
            raise ConvertError("an adapter needs the model that it belongs to")
        architecture = convert_adapter(source, Path(order.base), target, teller.progress)
        return Said(written=(Written(order.target, "adapter", architecture, "F32"),))
    return Said(written=convert_model(order, teller.progress))


def main() -> None:
    """Do what stdin orders, for the process of the given number."""
    die_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends us
    teller = _Teller()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        teller.tell(carry_out(order, teller))
    except PunaError as failure:
        teller.tell(Said(failure=str(failure)))
    except RecursionError:
        teller.tell(Said(failure="a document of the folder is nested too deeply"))
    except OSError as failure:
        reason = failure.strerror or str(failure)
        name = Path(failure.filename).name if isinstance(failure.filename, str) else ""
        teller.tell(Said(failure=f"{name}: {reason}" if name else reason))


if __name__ == "__main__":
    main()
