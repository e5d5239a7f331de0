"""What a server answers, parsed leniently into values: it may be another version, or the reference.

Fields that are missing or of another type get their empty value; nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from puna.client.fields import Json, as_items, as_number, as_object, as_text

__all__ = [
    "Details",
    "LoadedRow",
    "Message",
    "Metrics",
    "ModelRow",
    "Piece",
    "Progress",
    "ShowReply",
    "Tensor",
    "ToolCall",
    "parse_chat_piece",
    "parse_generate_piece",
    "parse_loaded",
    "parse_models",
    "parse_moment",
    "parse_progress",
    "parse_show",
]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One installed model; `modified_at` is None for the zero time."""

    name: str
    digest: str
    size: int
    modified_at: datetime | None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class LoadedRow:
    """One model in memory; sizes in bytes."""

    name: str
    digest: str
    size: int
    size_vram: int
    context_length: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Details:
    """The short description of a model."""

    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    parent_model: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's name, type name and shape."""

    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShowReply:
    """Everything `/api/show` says about a model."""

    license: str = ""
    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    details: Details = field(default_factory=Details)
    messages: tuple[Message, ...] = ()
    remote_model: str = ""
    remote_host: str = ""
    model_info: Json = field(default_factory=dict)
    projector_info: Json = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
    capabilities: tuple[str, ...] = ()
    requires: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of a long operation; `total` and `completed` are bytes, 0 when the line has none."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for."""

    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counts and durations (nanoseconds) of an answer."""

    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One line of a streamed answer."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    done: bool = False
    done_reason: str = ""
    metrics: Metrics = field(default_factory=Metrics)


def parse_moment(text: str) -> datetime | None:
    """Read an RFC 3339 moment; None for the zero time and for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.year <= 1 or moment.tzinfo is None else moment


def parse_models(reply: Json) -> list[ModelRow]:
    """Read the answer of `/api/tags`."""
    rows = [as_object(item) for item in as_items(reply.get("models"))]
    return [
        ModelRow(
            name=as_text(row, "name"),
            digest=as_text(row, "digest"),
            size=as_number(row, "size"),
            modified_at=parse_moment(as_text(row, "modified_at")),
            remote=bool(as_text(row, "remote_model")),
        )
        for row in rows
    ]


def parse_loaded(reply: Json) -> list[LoadedRow]:
    """Read the answer of `/api/ps`."""
    rows = [as_object(item) for item in as_items(reply.get("models"))]
    return [
        LoadedRow(
            name=as_text(row, "name"),
            digest=as_text(row, "digest"),
            size=as_number(row, "size"),
            size_vram=as_number(row, "size_vram"),
            context_length=as_number(row, "context_length"),
            expires_at=parse_moment(as_text(row, "expires_at")),
        )
        for row in rows
    ]


def parse_show(reply: Json) -> ShowReply:
    """Read the answer of `/api/show`."""
    details = as_object(reply.get("details"))
    messages = [as_object(item) for item in as_items(reply.get("messages"))]
    tensors = [as_object(item) for item in as_items(reply.get("tensors"))]
    return ShowReply(
        license=as_text(reply, "license"),
        modelfile=as_text(reply, "modelfile"),
        parameters=as_text(reply, "parameters"),
        template=as_text(reply, "template"),
        system=as_text(reply, "system"),
        details=Details(
            family=as_text(details, "family"),
            parameter_size=as_text(details, "parameter_size"),
            quantization_level=as_text(details, "quantization_level"),
            parent_model=as_text(details, "parent_model"),
        ),
        messages=tuple(Message(as_text(m, "role"), as_text(m, "content")) for m in messages),
        remote_model=as_text(reply, "remote_model"),
        remote_host=as_text(reply, "remote_host"),
        model_info=as_object(reply.get("model_info")),
        projector_info=as_object(reply.get("projector_info")),
        tensors=tuple(_tensor(item) for item in tensors),
        capabilities=tuple(c for c in as_items(reply.get("capabilities")) if isinstance(c, str)),
        requires=as_text(reply, "requires"),
    )


def _tensor(item: Json) -> Tensor:
    shape = tuple(int(n) for n in as_items(item.get("shape")) if isinstance(n, (int, float)))
    return Tensor(as_text(item, "name"), as_text(item, "type"), shape)


def parse_progress(line: Json) -> Progress:
    """Read one line of create (or pull and push)."""
    return Progress(
        as_text(line, "status"),
        as_text(line, "digest"),
        as_number(line, "total"),
        as_number(line, "completed"),
    )


def parse_generate_piece(line: Json) -> Piece:
    """Read one line of `/api/generate`."""
    return _piece(line, as_text(line, "response"), line)


def parse_chat_piece(line: Json) -> Piece:
    """Read one line of `/api/chat`."""
    message = as_object(line.get("message"))
    return _piece(line, as_text(message, "content"), message)


def _piece(line: Json, content: str, said: Json) -> Piece:
    return Piece(
        content=content,
        thinking=as_text(said, "thinking"),
        tool_calls=tuple(_tool_call(item) for item in as_items(said.get("tool_calls"))),
        done=line.get("done") is True,
        done_reason=as_text(line, "done_reason"),
        metrics=Metrics(
            total_duration=as_number(line, "total_duration"),
            load_duration=as_number(line, "load_duration"),
            prompt_eval_count=as_number(line, "prompt_eval_count"),
            prompt_eval_duration=as_number(line, "prompt_eval_duration"),
            eval_count=as_number(line, "eval_count"),
            eval_duration=as_number(line, "eval_duration"),
        ),
    )


def _tool_call(item: object) -> ToolCall:
    function = as_object(as_object(item).get("function"))
    return ToolCall(as_text(function, "name"), as_object(function.get("arguments")))
