"""Prompts with images: where these are, how many tokens they have, and how large they may be."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from puna.errors import BadRequest, ContextExceeded
from puna.runner.llama.vision import Chunk, Picture, Projector
from puna.runner.media import Media
from puna.runner.pixels import Pixels, read_all, read_pixels, shrink
from puna.runner.running import NO_ROOM

__all__ = ["Sight", "SightedPrompt"]

_TAG = re.compile(r"\[img-(\d{1,6})\]")
_ROOM = 8  # of a context, one part stays free of images that were made smaller
_TRIES = 3


@dataclass(frozen=True, slots=True)
class SightedPrompt:
    """Tokens, of which those of an image are its chunk's key, and the images among them.

    `is_shrunk`: some of these were made smaller, so that they fit.
    """

    tokens: list[int]
    media: tuple[Media, ...]
    is_shrunk: bool = False


class Sight:
    """What a model with a projector makes of prompts. Its methods may be called from any thread."""

    def __init__(self, projector: Projector, n_whole: int) -> None:
        """`n_whole` tokens can see each other in one decode."""
        self._projector = projector
        self._n_whole = n_whole

    def measure(self, images: Sequence[bytes]) -> list[int]:
        """How many tokens each image has, with the marks around it. Raises BadRequest."""
        return [
            len(
                self._place(
                    [_Image(image, *read_pixels(image, number))], with_bos=False, start=0
                ).tokens
            )
            for number, image in enumerate(images)
        ]

    def read(
        self, prompt: str, images: Sequence[bytes], *, with_bos: bool, start: int, n_ctx: int
    ) -> SightedPrompt:
        """A prompt whose images stand where it says `[img-0]` and so on.

        The first tag of each number counts; others are text. `start` tokens come before it. What
        does not fit into `n_ctx` tokens is tried with smaller images. Raises BadRequest, and
        ContextExceeded where that does not help.
        """
        parts = _parts(prompt, images)
        made = self._place(parts, with_bos=with_bos, start=start)
        for _ in range(_TRIES):
            n_over = start + len(made.tokens) - (n_ctx - 1)
            if n_over <= 0:
                self._check_wholes(made.media)
                return made
            n_seen = sum(each.chunk.count for each in made.media)
            n_left = n_seen - n_over - n_ctx // _ROOM
            if n_left <= 0:
                break
            for part in parts:
                if isinstance(part, _Image):
                    part.shrink(math.sqrt(n_left / n_seen))
            made = self._place(parts, with_bos=with_bos, start=start)
        raise ContextExceeded(NO_ROOM)

    def _place(self, parts: Sequence[str | _Image], *, with_bos: bool, start: int) -> SightedPrompt:
        tokens: list[int] = []
        media: list[Media] = []
        whole = [part if isinstance(part, str) else part.picture for part in parts]
        for read in self._projector.read(whole, with_bos=with_bos):
            if isinstance(read, Chunk):
                media.append(Media(start + len(tokens), read))
                tokens += [read.key] * read.count
            else:
                tokens += read
        is_shrunk = any(isinstance(part, _Image) and part.is_shrunk for part in parts)
        return SightedPrompt(tokens, tuple(media), is_shrunk)

    def _check_wholes(self, media: Sequence[Media]) -> None:
        for each in media:
            if each.chunk.is_whole and each.chunk.count > self._n_whole:
                raise BadRequest(
                    f"an image has {each.chunk.count} tokens that the model must see at once: "
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


def _parts(prompt: str, images: Sequence[bytes]) -> list[str | _Image]:
    """Text and images in their order. Raises BadRequest when an image has no place."""
    tags: dict[int, re.Match[str]] = {}
    for tag in _TAG.finditer(prompt):
        number = int(tag[1])
        if number < len(images) and tag[1] == str(number):
            tags.setdefault(number, tag)
    for number in range(len(images)):
        if number not in tags:
            raise BadRequest(
                f"the prompt does not say where image {number} is: write [img-{number}]"
            )
    pixels = read_all(images)
    parts: list[str | _Image] = []
    done = 0
    for number, tag in tags.items():  # in the prompt's order
        parts += [prompt[done : tag.start()], _Image(images[number], *pixels[number])]
        done = tag.end()
    return [part for part in [*parts, prompt[done:]] if part]
