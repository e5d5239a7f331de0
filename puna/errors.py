"""What can go wrong, how it is worded and which HTTP status it means, but not who catches it: one
tree, which is why this file is long.

PunaError            500
├─ BadRequest        400   InvalidName · InvalidDigest · DigestMismatch · InvalidOption ·
│                          InvalidField · FetchRefused · ContextExceeded · ModelfileError ·
│                          BadModelFile · Unsupported · TooLarge (413) · TooSlow (408) ·
│                          UnknownEncoding (415)
├─ TemplateError     400
├─ ConvertError      400   QuantError · UnsupportedArchitecture · BadCheckpoint · MissingTensor ·
│                          TokenizerError · ConverterFailed (500)
├─ SignedOut         401
├─ KeyWanted         401   (both sides)
├─ Forbidden         403   ReadOnlyModel · CloudDisabled
├─ NotFound          404   ModelNotFound · BlobNotFound · ResponseNotFound
├─ Cancelled         499
├─ EngineError       500   StartFailed · EngineDied · OutOfMemory
├─ StoreError        500   BadManifest · BlobMissing · StoreFull
├─ RegistryError     500   NotInRegistry (404) · Denied · RegistryUnreachable · WrongDownload ·
│                          RetriesExhausted
├─ BadToolCall       500
├─ ClientError       500   Unreachable (the command line's side)
├─ NotBuilt          501
└─ Busy              503   WaitedTooLong · TooManyBodies · Closing

The texts are those that clients of the reference compare (API spec, section 21).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from puna.quoting import quoted

__all__ = [
    "BadCheckpoint",
    "BadManifest",
    "BadModelFile",
    "BadRequest",
    "BadToolCall",
    "BlobMissing",
    "BlobNotFound",
    "Busy",
    "Cancelled",
    "ClientError",
    "Closing",
    "CloudDisabled",
    "ContextExceeded",
    "ConvertError",
    "ConverterFailed",
    "Denied",
    "DigestMismatch",
    "EngineDied",
    "EngineError",
    "FetchRefused",
    "Forbidden",
    "InvalidDigest",
    "InvalidField",
    "InvalidName",
    "InvalidOption",
    "KeyWanted",
    "MissingTensor",
    "ModelNotFound",
    "ModelfileError",
    "NotBuilt",
    "NotFound",
    "NotInRegistry",
    "OutOfMemory",
    "PunaError",
    "QuantError",
    "ReadOnlyModel",
    "RegistryError",
    "RegistryUnreachable",
    "ResponseNotFound",
    "RetriesExhausted",
    "SignedOut",
    "StartFailed",
    "StoreError",
    "StoreFull",
    "TemplateError",
    "TokenizerError",
    "TooLarge",
    "TooManyBodies",
    "TooSlow",
    "UnknownEncoding",
    "Unreachable",
    "Unsupported",
    "UnsupportedArchitecture",
    "WaitedTooLong",
    "WrongDownload",
    "quoted",
]


class PunaError(Exception):
    """Anything Puna reports to a person or a client.

    `status` is the HTTP status it means, `str(error)` the text that goes out. `code` and `param`
    say it to programs, where an API has a place for them: what is wrong, and with which field.
    """

    status = 500
    code = ""
    param = ""


class BadRequest(PunaError, ValueError):
    """The caller's own mistake."""

    status = 400


class InvalidName(BadRequest):
    """A model name that does not match the grammar (models spec, section 1)."""

    def __init__(self, message: str = "invalid model name") -> None:
        super().__init__(message)


class InvalidDigest(BadRequest):
    """A digest that is not `sha256:` or `sha256-` and 64 hexadecimal digits."""

    def __init__(self, text: str = "") -> None:
        super().__init__("invalid digest format")
        self.text = text


class DigestMismatch(BadRequest):
    """Bytes that do not have the digest their sender announced."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"digest mismatch, expected {quoted(expected)}, got {quoted(got)}")


class InvalidOption(BadRequest):
    """An option of the wrong type."""


class InvalidField(BadRequest):
    """A field of a request with a value that means nothing, or nothing here."""

    def __init__(self, message: str, param: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class FetchRefused(InvalidField):
    """An address in a request from which nothing is, or could be, fetched."""

    def __init__(self, url: str, reason: str) -> None:
        shown = re.sub("//[^/]*@", "//", url.partition("?")[0])[:200]  # without a password
        super().__init__(f"the image at {quoted(shown)} was not fetched: {reason}", "image_url")
        self.reason = reason


class ContextExceeded(BadRequest):
    """A prompt or an input that does not fit into the context and must not be cut."""

    code = "context_length_exceeded"


class ModelfileError(BadRequest):
    """A Modelfile that does not parse; the text names the line where there is one."""


class BadModelFile(BadRequest):
    """A model file that is damaged, truncated, hostile or of another format."""


class Unsupported(BadRequest):
    """Something this model, or this version of Puna, cannot do."""


class TooLarge(BadRequest):
    """A request, or `what` of it, of more than `limit` bytes."""

    status = 413

    def __init__(self, limit: int, what: str = "request body") -> None:
        super().__init__(f"{what} too large: at most {limit} bytes are accepted")


class UnknownEncoding(BadRequest):
    """A body that is compressed in a way that nobody here knows, or more than once."""

    status = 415

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"content encoding {quoted(encoding)} is not supported: gzip, deflate and zstd are"
        )


class TooSlow(BadRequest):
    """A request whose bytes do not come, or hardly do."""

    status = 408

    def __init__(self) -> None:
        super().__init__("the request body came too slowly")


class Forbidden(PunaError, PermissionError):
    """Refused by a host, origin or access rule."""

    status = 403


class ReadOnlyModel(Forbidden):
    """A model of the second store, which is never changed."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(
            f"model '{name}' lies in {folder}, which is only read: remove it with the program that "
            "owns that store, or hide the store with PUNA_SECOND_STORE=off"
        )


class CloudDisabled(Forbidden):
    """Something that only the reference's cloud does."""

    def __init__(self, what: str) -> None:
        super().__init__(f"ollama cloud is disabled: {what}")


class SignedOut(PunaError, PermissionError):
    """Something that needs an account of the cloud."""

    status = 401


class KeyWanted(PunaError, PermissionError):
    """A request without a key that the server knows; the command line raises it, too."""

    status = 401
    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__(
            "this server wants an API key, as Authorization: Bearer KEY or X-Api-Key: KEY "
            "(puna's commands take it from PUNA_API_KEY)"
        )


class NotFound(PunaError, LookupError):
    """Something named that is not there."""

    status = 404


class ModelNotFound(NotFound):
    """No manifest under that name. `name` is spelled as the route demands, and so is `message`."""

    code = "model_not_found"

    def __init__(self, name: str, message: str = "") -> None:  # a str: errors stand below models
        super().__init__(message or f"model '{name}' not found")
        self.name = name


class BlobNotFound(NotFound):
    """No blob of that digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"blob {quoted(digest)} not found")
        self.digest = digest


class ResponseNotFound(NotFound):
    """No stored response, or item of one, with that id: never stored, too old, or deleted."""

    code = "response_not_found"

    def __init__(self, response: str, message: str = "") -> None:
        super().__init__(message or f"Response with id '{response}' not found.")
        self.response = response


class Cancelled(PunaError):
    """The client went away before its request was served."""

    status = 499

    def __init__(self, message: str = "request canceled") -> None:
        super().__init__(message)


class EngineError(PunaError):
    """The engine refused or failed."""


class StartFailed(EngineError):
    """A runner that could not start or could not load its model."""


class EngineDied(EngineError):
    """A runner that ended while requests were waiting for it."""

    def __init__(self, cause: str = "") -> None:
        super().__init__(
            "model runner has unexpectedly stopped, this may be due to resource limitations or an "
            "internal error, check ollama server logs for details" + (f": {cause}" if cause else "")
        )


class OutOfMemory(EngineError, MemoryError):
    """A model or context that does not fit."""


class StoreError(PunaError, OSError):
    """The model store on disk is not as it should be."""


class BadManifest(StoreError):
    """A manifest that cannot be read."""


class BlobMissing(StoreError):
    """A manifest names a blob that is not on disk."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"blob {digest} is missing from the store: pull or create the model again")
        self.digest = digest


class StoreFull(StoreError):
    """No space left on the store's disk. What was there before is still there."""


class RegistryError(PunaError):
    """A registry refused, failed, or sent what is none of what it should be."""


class NotInRegistry(RegistryError, LookupError):
    """The registry has no such model or blob."""

    status = 404

    def __init__(self, message: str = "file does not exist") -> None:
        super().__init__(message)


class Denied(RegistryError, PermissionError):
    """The registry wants another key, or a name and a password."""

    def __init__(self, reason: str = "") -> None:
        super().__init__("unauthorized: access denied" + (f": {reason}" if reason else ""))


class RegistryUnreachable(RegistryError, ConnectionError):
    """No answer from a registry, or a connection that broke. Worth another try."""


class WrongDownload(RegistryError):
    """A blob whose bytes are not those that its digest names."""

    def __init__(self, wanted: str, got: str) -> None:
        super().__init__(
            f"digest mismatch, file must be downloaded again: want {wanted}, got {got}"
        )


class RetriesExhausted(RegistryError):
    """Too many failures in a row."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"max retries exceeded: {cause}")


class BadToolCall(PunaError, ValueError):
    """A model wrote a tool call that cannot be read."""


class TemplateError(PunaError):
    """A prompt template that does not parse, or that failed while rendering."""

    status = 400


class ConvertError(PunaError):
    """Weights could not be brought into another form, for what they are."""

    status = 400


class ConverterFailed(ConvertError):
    """Weights could not be brought into another form, and it is not their fault."""

    status = 500


class UnsupportedArchitecture(ConvertError):
    """A checkpoint's `architectures` names no family that can be converted. `reason` says why,
    where that is known.
    """

    def __init__(self, architecture: str, known: Iterable[str], reason: str = "") -> None:
        why = reason or f"known: {', '.join(known)}"
        super().__init__(f"unsupported architecture {quoted(architecture[:80])} ({why})")


class BadCheckpoint(ConvertError):
    """A file of a checkpoint is not what it must be, with the file's name and the tensor's."""

    def __init__(self, file: str, reason: str, tensor: str = "") -> None:
        where = f"{file}: tensor {quoted(tensor)}" if tensor else file
        super().__init__(f"{where}: {reason}")


class MissingTensor(BadCheckpoint):
    """A checkpoint lacks a tensor that its architecture has."""


class TokenizerError(ConvertError):
    """A checkpoint's tokenizer is missing, broken, or of a kind that the engine does not know."""


class QuantError(ConvertError):
    """Weights could not be quantised, or not to what was asked for."""


class ClientError(PunaError):
    """The command line's view: a server answered with an error."""

    def __init__(self, message: str, status: int = 500, sign_in_url: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.sign_in_url = sign_in_url


class Unreachable(ClientError, ConnectionError):
    """No server answers."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=503)


class NotBuilt(PunaError, NotImplementedError):
    """A part of an API that nothing here can serve yet."""

    status = 501
    code = "not_implemented"


class Busy(PunaError):
    """The queue of waiting requests is full. The two blanks are in the text clients know."""

    status = 503

    def __init__(self) -> None:
        super().__init__("server busy, please try again.  maximum pending requests exceeded")


class Closing(Busy):
    """The server ends."""

    def __init__(self) -> None:
        PunaError.__init__(self, "server is shutting down")


class TooManyBodies(Busy):
    """The bodies of the requests under way take more than `limit` bytes together."""

    def __init__(self, limit: int) -> None:
        PunaError.__init__(
            self, f"server busy, please try again: requests of {limit} bytes are under way already"
        )


class WaitedTooLong(Busy):
    """A request that was not begun within its own deadline."""

    def __init__(self, seconds: float) -> None:
        PunaError.__init__(
            self, f"the model was not ready within the deadline of {seconds:g} seconds"
        )
