"""Files of recordings to samples. They are untrusted: they are decoded piece by piece, and no more
is kept of one than the cap on its length allows, whatever its header says.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import soundfile
import soxr

from puna.api.media import kind_of_sound
from puna.errors import BadRequest
from puna.runner.llama.projector import Recording, Samples

__all__ = ["MOST_DECODED", "MOST_SECONDS", "Recordings", "Samples", "read_sound"]

MOST_SECONDS = 1800  # of all recordings of a request: of speech, more than any context holds
MOST_DECODED = 512 * 1024 * 1024  # numbers of all channels: 30 minutes of the best two, and more
_MOST_CHANNELS = 16
_RATES = range(1_000, 384_001)  # Hz
_LEAST_SECONDS = 0.1  # shorter ones end in silence: encoders fail on less than a window of theirs
_PIECE = 1 << 18  # numbers that are decoded at a time
_KEPT_BYTES = 32 * 1024 * 1024  # of samples: nearly nine minutes at 16 kHz
_FORMATS = {"wav": {"WAV", "WAVEX", "RF64"}, "mp3": {"MP3"}, "flac": {"FLAC"}, "ogg": {"OGG"}}


class Recordings:
    """Reads what an encoder hears, at its rate. Those of late are kept: a chat's are measured
    before they are read, and come again with its next turn. Safe to use from several threads.
    """

    def __init__(self, rate: int, kept_bytes: int = _KEPT_BYTES) -> None:
        """`kept_bytes` of samples are kept."""
        self._rate = rate
        self._most = kept_bytes
        self._n_bytes = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # least recently used first
        self._lock = Lock()

    def read_all(self, files: Sequence[tuple[int, bytes]]) -> list[Recording]:
        """A request's recordings, together at most `MOST_SECONDS` long; see `read_each`."""
        made: list[Recording] = []
        for recording in self.read_each(files):
            made.append(recording)
            if sum(len(each.samples) for each in made) > MOST_SECONDS * self._rate:
                raise BadRequest(
                    f"the recordings of a request are longer than {MOST_SECONDS} seconds together"
                )
        return made

    def read_each(
        self, files: Iterable[tuple[int, bytes]], most: int = MOST_DECODED
    ) -> Iterator[Recording]:
        """Recordings, each when it is asked for; see `read_sound`. Each has its number in the
        request; `most` numbers are decoded, of all of them, and those that are kept count.
        """
        work = _Work(most)
        for number, data in files:
            digest = hashlib.sha256(data).hexdigest()
            kept = self._find(digest)
            if kept:
                work.take(kept.n_decoded, number)
            else:
                before = work.left
                samples = _read(data, number, self._rate, work)
                kept = _Kept(samples, before - work.left)
                self._keep(digest, kept)
            yield Recording(kept.samples, digest)

    def _find(self, digest: str) -> _Kept | None:
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            return self._kept.get(digest)

    def _keep(self, digest: str, kept: _Kept) -> None:
        if kept.samples.nbytes > self._most:
            return
        with self._lock:
            if digest in self._kept:  # another thread read it, too
                return
            self._kept[digest] = kept
            self._n_bytes += kept.samples.nbytes
            while self._n_bytes > self._most:
                self._n_bytes -= self._kept.popitem(last=False)[1].samples.nbytes


@dataclass(frozen=True, slots=True)
class _Kept:
    """`n_decoded` numbers of all channels became these samples."""

    samples: Samples
    n_decoded: int


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

    def take(self, count: int, number: int) -> None:
        """So many are decoded of a recording. Raises BadRequest."""
        self.left -= count
        if self.left < 0:
            raise BadRequest(
                f"recording {number} is too large: channels times samples are more than is decoded"
            )


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
        work.take(piece.size, number)
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
