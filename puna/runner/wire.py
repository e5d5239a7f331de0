"""The frames between a server and its runner: msgpack behind a four-byte length.

One Step frame per decode carries the news of every sequence, so that system calls grow with steps,
not with tokens times users.
"""

from __future__ import annotations

import struct

import msgspec
from msgspec import Struct

from puna.errors import EngineError
from puna.runner.protocol import (
    Embedding,
    Embeddings,
    EngineInfo,
    Finished,
    Generation,
    LoadPlan,
    Piece,
    WarmPlan,
)

__all__ = [
    "HEAD",
    "Admit",
    "Cancel",
    "Close",
    "Detokenize",
    "Embed",
    "Embedded",
    "Ended",
    "Failed",
    "Finish",
    "FromRunner",
    "Loading",
    "Measure",
    "Open",
    "Ready",
    "Refused",
    "Said",
    "Step",
    "Text",
    "ToRunner",
    "Tokenize",
    "Tokens",
    "encode_frame",
    "frame_length",
    "from_runner",
    "to_runner",
]

HEAD = 4
MAX_FRAME = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class Open(Struct, tag="open", frozen=True):
    """First frame to a runner: load this."""

    plan: LoadPlan
    warm: WarmPlan | None = None


class Admit(Struct, tag="admit", frozen=True):
    """Start a generation."""

    id: int
    order: Generation


class Embed(Struct, tag="embed", frozen=True):
    """Ask for vectors."""

    id: int
    order: Embedding


class Cancel(Struct, tag="cancel", frozen=True):
    """Nobody waits for this generation, or for these vectors, any more."""

    id: int


class Finish(Struct, tag="finish", frozen=True):
    """What this generation has said is enough: it ends in order, with its figures."""

    id: int


class Tokenize(Struct, tag="tokenize", frozen=True):
    """Ask for token ids, without BOS, or with `counts` only for how many there are."""

    id: int
    text: str
    special: bool
    counts: bool = False


class Detokenize(Struct, tag="detokenize", frozen=True):
    """Ask for the text of token ids."""

    id: int
    tokens: tuple[int, ...]


class Measure(Struct, tag="measure", frozen=True):
    """Ask how many tokens each of these images and recordings has."""

    id: int
    images: tuple[bytes, ...]


class Close(Struct, tag="close", frozen=True):
    """Save what is worth it within so many seconds, and end."""

    seconds: float


ToRunner = Open | Admit | Embed | Cancel | Finish | Tokenize | Detokenize | Measure | Close


class Loading(Struct, tag="loading", frozen=True):
    """How much of the model is loaded, 0 to 1."""

    fraction: float


class Ready(Struct, tag="ready", frozen=True):
    """The model is loaded."""

    info: EngineInfo


class Resized(Struct, tag="resized", frozen=True):
    """What the model takes now, in bytes: a further context was made when it was needed."""

    size: int
    size_vram: int


class Beat(Struct, tag="beat", frozen=True):
    """The engine has ended a step: a sign of life, about once a second while it has work, and when
    there is none left. KV cells: those of requests under way, and those held for prompts to come.
    """

    cells_used: int = 0
    cells_held: int = 0


class Failed(Struct, tag="failed", frozen=True):
    """The model could not be loaded; the runner ends."""

    message: str
    out_of_memory: bool = False


class Said(Struct, frozen=True, array_like=True):
    """New text of one generation."""

    id: int
    piece: Piece


class Ended(Struct, frozen=True, array_like=True):
    """The end of one generation."""

    id: int
    result: Finished


class Refused(Struct, tag="refused", frozen=True):
    """A request that cannot be served, or that failed; nothing more comes for its id."""

    id: int
    status: int
    message: str
    code: str = ""


class Step(Struct, tag="step", frozen=True):
    """What one decode brought: text first, then ends."""

    said: list[Said]
    ended: list[Ended]


class Embedded(Struct, tag="embedded", frozen=True):
    """Answer to Embed."""

    id: int
    result: Embeddings


class Tokens(Struct, tag="tokens", frozen=True):
    """Answer to Tokenize, where it counts one number; numbers of tokens to Measure."""

    id: int
    tokens: tuple[int, ...]


class Text(Struct, tag="text", frozen=True):
    """Answer to Detokenize."""

    id: int
    text: str


FromRunner = Loading | Ready | Resized | Beat | Failed | Refused | Step | Embedded | Tokens | Text

_encoder = msgspec.msgpack.Encoder()
to_runner: msgspec.msgpack.Decoder[ToRunner] = msgspec.msgpack.Decoder(ToRunner)
"""Decodes the body of a frame that a runner receives."""
from_runner: msgspec.msgpack.Decoder[FromRunner] = msgspec.msgpack.Decoder(FromRunner)
"""Decodes the body of a frame that a server receives."""


def encode_frame(message: ToRunner | FromRunner) -> bytes:
    """A whole frame. Raises EngineError for one that is too large."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME:
        raise EngineError("the request is too large for the runner")
    return _LENGTH.pack(len(body)) + body


def frame_length(head: bytes) -> int:
    """The length of the body that follows. Raises EngineError for one that is too large."""
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME:
        raise EngineError("the other side sent a frame that is too large")
    return int(length)
