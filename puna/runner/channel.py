"""A runner's end of its socket: frames in and out, of the threads that a runner has."""

from __future__ import annotations

import os
import socket
import threading

from puna.runner.wire import HEAD, FromRunner, ToRunner, encode_frame, frame_length, to_runner

__all__ = ["Channel"]


class Channel:
    """Frames over a socket; writing is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, message: FromRunner) -> None:
        """Write one frame; a parent that is gone ends this process."""
        frame = encode_frame(message)
        try:
            with self._lock:
                self._sock.sendall(frame)
        except OSError:
            os._exit(0)

    def receive(self) -> ToRunner | None:
        """Read one frame; None when the parent is gone."""
        head = self._exactly(HEAD)
        if head is None:
            return None
        body = self._exactly(frame_length(head))
        return None if body is None else to_runner.decode(body)

    def _exactly(self, count: int) -> bytes | None:
        parts = []
        while count:
            try:
                part = self._sock.recv(min(count, 1 << 20))
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
