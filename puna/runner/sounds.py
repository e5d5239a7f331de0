"""Files of recordings to samples. They are untrusted: they are decoded piece by piece, and no more
is kept of one than the cap on its length allows, whatever its header says.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from puna.api.media import kind_of_sound
from puna.errors import BadRequest
from puna.runner.llama.projector import Samples

__all__ = ["MOST_DECODED", "MOST_SECONDS", "Samples", "read_all_sounds", "read_each", "read_sound"]

MOST_SECONDS = 1800  # of all recordings of a request: of speech, more than any context holds
MOST_DECODED = 512 * 1024 * 1024  # numbers of all channels: 30 minutes of the best two, and more
_MOST_CHANNELS = 16
_RATES = range(1_000, 384_001)  # Hz
_LEAST_SECONDS = 0.1  # shorter ones end in silence: encoders fail on less than a window of theirs
_PIECE = 1 << 18  # numbers that are decoded at a time
_FORMATS = {"wav": {"WAV", "WAVEX", "RF64"}, "mp3": {"MP3"}, "flac": {"FLAC"}, "ogg": {"OGG"}}


def read_all_sounds(files: Sequence[tuple[int, bytes]], rate: int) -> list[Samples]:
    """A request's recordings; see `read_each`. Together they are at most `MOST_SECONDS` long."""
    made: list[Samples] = []
    for samples in read_each(files, rate):
        made.append(samples)
        if sum(map(len, made)) > MOST_SECONDS * rate:
            raise BadRequest(
                f"the recordings of a request are longer than {MOST_SECONDS} seconds together"
            )
    return made


def read_each(
    files: Iterable[tuple[int, bytes]], rate: int, most: int = MOST_DECODED
) -> Iterator[Samples]:
    """Recordings, each when it is asked for; see `read_sound`. Each has its number in the request;
    `most` numbers are decoded, of all of them."""
    work = _Work(most)
    for number, data in files:
        yield _read(data, number, rate, work)


def read_sound(data: bytes, number: int, rate: int, most: int = MOST_DECODED) -> Samples:
    """A recording at `rate` samples a second, its channels mixed in equal parts.

    `number` is what the texts of errors call it; `most` numbers are decoded, of all channels.
    Raises BadRequest.
    """
    return _read(data, number, rate, _Work(most))


@dataclass(slots=True)
class _Work:
    """How many numbers may yet be decoded."""

    left: int


def _read(data: bytes, number: int, rate: int, work: _Work) -> Samples:
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _check(file, kind_of_sound(data), number)
            mixed = _resampled(_mixed(file, number, work), file.samplerate, rate)
    except BadRequest:
        raise
    except (soundfile.SoundFileError, ValueError, RuntimeError, OSError) as error:
        said = str(error).rpartition(": ")[2].strip(" .") or type(error).__name__
        raise BadRequest(f"recording {number} cannot be read: {said[:200]}") from None
    if not len(mixed):
        raise BadRequest(f"recording {number} is empty")
    missing = int(rate * _LEAST_SECONDS) - len(mixed)
    return np.pad(mixed, (0, missing)) if missing > 0 else mixed


def _check(file: soundfile.SoundFile, kind: str | None, number: int) -> None:
    if kind is None or file.format not in _FORMATS[kind]:
        raise BadRequest(f"recording {number} is not a WAV, MP3, FLAC or Ogg file")
    if not 1 <= file.channels <= _MOST_CHANNELS:
        raise BadRequest(
            f"recording {number} has {file.channels} channels: at most {_MOST_CHANNELS} are mixed"
        )
    if file.samplerate not in _RATES:
        raise BadRequest(
            f"recording {number} has {file.samplerate} samples a second: "
            f"from {_RATES.start} to {_RATES.stop - 1} can be read"
        )


def _mixed(file: soundfile.SoundFile, number: int, work: _Work) -> Iterator[Samples]:
    """The recording in one channel, piece by piece. Numbers that are none are silence."""
    count = 0
    while len(piece := file.read(_PIECE // file.channels, dtype="float32", always_2d=True)):
        count += len(piece)
        if count > MOST_SECONDS * file.samplerate:
            raise BadRequest(f"recording {number} is longer than {MOST_SECONDS} seconds")
        work.left -= piece.size
        if work.left < 0:
            raise BadRequest(
                f"recording {number} is too large: channels times samples are more than is decoded"
            )
        known = np.nan_to_num(piece, nan=0.0, posinf=1.0, neginf=-1.0)
        yield np.clip(known, -1, 1).mean(axis=1, dtype=np.float32)


def _resampled(pieces: Iterator[Samples], rate: int, wanted: int) -> Samples:
    if rate == wanted:
        made = list(pieces)
    else:
        stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
        made = [stream.resample_chunk(piece) for piece in pieces]
        made.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(made) if made else np.zeros(0, np.float32)
