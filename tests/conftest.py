"""What every test stands on."""

from __future__ import annotations

import signal

# a shell's background job ignores SIGINT, and so would every child that is to be interrupted
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
