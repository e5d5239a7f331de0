"""Reading forms with files (`multipart/form-data`) under a cap; large files wait on the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from puna.errors import BadRequest
from puna.server.body import read_counted

__all__ = ["Form", "read_form"]

_MOST_FIELDS = 64
_MOST_FIELD_BYTES = 256 * 1024  # of a field that is no file


@dataclass(frozen=True, slots=True)
class Form:
    """A form's texts and files, the last of each name."""

    texts: dict[str, str]
    files: dict[str, bytes]

    def text(self, name: str) -> str:
        """A field without the blanks around it; empty where there is none."""
        return self.texts.get(name, "").strip()


class _Parser(MultiPartParser):
    is_whole = False

    def on_end(self) -> None:
        """Called behind the last part."""
        self.is_whole = True


async def read_form(request: Request, limit: int) -> Form:
    """Read a form with at most one file. The body is read to its end, whatever is wrong with it: a
    client that is still sending would not hear the answer.

    Raises BadRequest for what is no such form, TooLarge above `limit` bytes, TooManyBodies,
    Cancelled when the client goes away.
    """
    chunks = read_counted(request, limit)
    try:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "multipart/form-data":
            raise MultiPartException("the content type is not multipart/form-data")
        parser = _Parser(
            request.headers,
            _whole(chunks, lambda: parser.is_whole),
            max_files=1,
            max_fields=_MOST_FIELDS,
            max_part_size=_MOST_FIELD_BYTES,
        )
        parsed = await parser.parse()
    except MultiPartException as error:
        async for _ in chunks:
            pass
        raise BadRequest(f"failed to parse multipart form: {error.message}") from None
    try:
        items = parsed.multi_items()
        return Form(
            {name: value for name, value in items if isinstance(value, str)},
            {name: await value.read() for name, value in items if isinstance(value, UploadFile)},
        )
    finally:
        await parsed.close()


async def _whole(
    chunks: AsyncGenerator[bytes, None], is_whole: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    """The chunks, after which the form must be complete: one that is cut off lacks what was last,
    without a word of the parser's."""
    async for chunk in chunks:
        yield chunk
    if not is_whole():
        raise MultiPartException("it is cut off")
