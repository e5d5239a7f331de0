"""Prompts with images and recordings: where these are, how many tokens they have, and how large
they may be.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from puna.api.media import kind_of_sound
from puna.errors import BadRequest, ContextExceeded, Unsupported
from puna.runner.llama.projector import Chunk, Picture, Projector, Recording
from puna.runner.media import Media
from puna.runner.pixels import Pixels, read_all, read_pixels, shrink
from puna.runner.running import NO_ROOM

if TYPE_CHECKING:
    from puna.runner.sounds import Recordings

__all__ = ["SensedPrompt", "Senses"]

_TAG = re.compile(r"\[img-(\d{1,6})\]")
_ROOM = 8  # of a context, one part stays free of images that were made smaller
_TRIES = 3


@dataclass(frozen=True, slots=True)
class SensedPrompt:
    """Tokens, of which those of an image or a recording are its chunk's key, and these.

    `is_shrunk`: some images were made smaller, so that they fit.
    """

    tokens: list[int]
    media: tuple[Media, ...]
    is_shrunk: bool = False


class Senses:
    """What a model with a projector makes of prompts. Its methods may be called from any thread."""

    def __init__(self, projector: Projector, n_whole: int) -> None:
        """`n_whole` tokens can see each other in one decode."""
        self._projector = projector
        self._n_whole = n_whole

    def measure(self, files: Sequence[bytes]) -> list[int]:
        """How many tokens each image or recording has, with the marks around it. One is decoded at
        a time, so that they may be longer together than those of a prompt.

        Raises Unsupported, BadRequest.
        """
        sounds = _sounds(files)
        heard = self._hear(sounds, together=False)
        lengths = []
        for number, data in enumerate(files):
            if number in sounds:
                medium: _Image | Recording = next(heard)
            else:
                medium = _Image(data, *read_pixels(data, number))
            lengths.append(len(self._place([medium], with_bos=False, start=0).tokens))
        return lengths

    def read(
        self, prompt: str, files: Sequence[bytes], *, with_bos: bool, start: int, n_ctx: int
    ) -> SensedPrompt:
        """A prompt whose images and recordings stand where it says `[img-0]` and so on.

        The first tag of each number counts; others are text. `start` tokens come before it. What
        does not fit into `n_ctx` tokens is tried with smaller images. Raises BadRequest, and
        ContextExceeded where that does not help.
        """
        parts = self._parts(prompt, files)
        made = self._place(parts, with_bos=with_bos, start=start)
        for _ in range(_TRIES):
            n_over = start + len(made.tokens) - (n_ctx - 1)
            if n_over <= 0:
                self._check_wholes(made.media)
                return made
            n_seen = sum(each.chunk.count for each in made.media if each.chunk.is_image)
            n_left = n_seen - n_over - n_ctx // _ROOM
            if n_left <= 0:
                break
            for part in parts:
                if isinstance(part, _Image):
                    part.shrink(math.sqrt(n_left / n_seen))
            made = self._place(parts, with_bos=with_bos, start=start)
        raise ContextExceeded(NO_ROOM)

    def _parts(self, prompt: str, files: Sequence[bytes]) -> list[str | _Image | Recording]:
        """Text, images and recordings in their order. Raises BadRequest when one has no place."""
        tags = _tags(prompt, len(files))
        sounds = _sounds(files)
        recordings = self._hear(sounds, together=True)
        heard: dict[int, _Image | Recording] = dict(zip(sounds, recordings, strict=True))
        seen = [number for number in range(len(files)) if number not in heard]
        pixels = read_all([(number, files[number]) for number in seen])
        media = heard | {
            number: _Image(files[number], *each) for number, each in zip(seen, pixels, strict=True)
        }
        parts: list[str | _Image | Recording] = []
        done = 0
        for number, tag in tags.items():  # in the prompt's order
            parts += [prompt[done : tag.start()], media[number]]
            done = tag.end()
        return [part for part in [*parts, prompt[done:]] if part]

    def _hear(self, sounds: Mapping[int, bytes], *, together: bool) -> Iterator[Recording]:
        """Recordings by their numbers, all `together` or each when it is asked for. Raises
        Unsupported, BadRequest.
        """
        if not sounds:
            return
        recordings, files = self._recordings, list(sounds.items())
        yield from recordings.read_all(files) if together else recordings.read_each(files)

    @cached_property
    def _recordings(self) -> Recordings:
        """Raises Unsupported."""
        from puna.runner.sounds import Recordings  # noqa: PLC0415 - 40 ms, and few models hear

        if not self._projector.sample_rate:
            raise Unsupported("this model sees, but cannot hear recordings")
        return Recordings(self._projector.sample_rate)

    def _place(
        self, parts: Sequence[str | _Image | Recording], *, with_bos: bool, start: int
    ) -> SensedPrompt:
        tokens: list[int] = []
        media: list[Media] = []
        whole = [part.picture if isinstance(part, _Image) else part for part in parts]
        for read in self._projector.read(whole, with_bos=with_bos):
            if isinstance(read, Chunk):
                media.append(Media(start + len(tokens), read))
                tokens += [read.key] * read.count
            else:
                tokens += read
        is_shrunk = any(isinstance(part, _Image) and part.is_shrunk for part in parts)
        return SensedPrompt(tokens, tuple(media), is_shrunk)

    def _check_wholes(self, media: Sequence[Media]) -> None:
        for each in media:
            if each.chunk.is_whole and each.chunk.count > self._n_whole:
                what = "an image" if each.chunk.is_image else "a recording"
                raise BadRequest(
                    f"{what} has {each.chunk.count} tokens that the model must take in at once: "
                    f"num_batch {self._n_whole} is too small"
                )


class _Image:
    """An image of a request, decoded. `is_fewer`: not all of its pixels are there."""

    def __init__(self, data: bytes, pixels: Pixels, is_fewer: bool) -> None:
        self._pixels = pixels
        self._digest = hashlib.sha256(data).hexdigest()
        self._is_fewer = is_fewer
        self.is_shrunk = False
        """Whether it was made smaller for want of room."""

    @property
    def picture(self) -> Picture:
        """It as it is to be shown; of another size it is another picture."""
        height, width, _ = self._pixels.shape
        size = f" {width} x {height}" if self._is_fewer else ""
        return Picture(self._pixels, self._digest + size)

    def shrink(self, factor: float) -> None:
        """Make both sides shorter."""
        self._pixels = shrink(self._pixels, factor)
        self._is_fewer = self.is_shrunk = True


def _sounds(files: Sequence[bytes]) -> dict[int, bytes]:
    """The recordings among a request's files, by their numbers."""
    return {number: data for number, data in enumerate(files) if kind_of_sound(data)}


def _tags(prompt: str, count: int) -> dict[int, re.Match[str]]:
    """The tag of each of `count` files, in the prompt's order. Raises BadRequest when one has
    none."""
    tags: dict[int, re.Match[str]] = {}
    for tag in _TAG.finditer(prompt):
        number = int(tag[1])
        if number < count and tag[1] == str(number):
            tags.setdefault(number, tag)
    for number in range(count):
        if number not in tags:
            raise BadRequest(
                f"the prompt does not say where image {number} is: write [img-{number}]"
            )
    return tags
