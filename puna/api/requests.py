"""The bodies that clients send on the native routes. Facts: API spec, 3, 7, 8, 13-17."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from puna.api.fields import Deadline, KeepAlive, MediaData, Think

__all__ = [
    "ChatRequest",
    "CopyRequest",
    "CreateRequest",
    "DeleteRequest",
    "EmbedRequest",
    "EmbeddingsRequest",
    "FunctionCall",
    "GenerateRequest",
    "Message",
    "PullRequest",
    "PushRequest",
    "ShowRequest",
    "Token",
    "Tokens",
    "ToolCall",
]


Token = Annotated[int, Meta(ge=0, lt=2**31)]


class Tokens(tuple[int, ...]):
    """An input for embeddings that is in tokens already; no JSON value becomes one by itself."""

    __slots__ = ()


class FunctionCall(Struct, kw_only=True):
    """The function of a tool call, with its arguments as an object."""

    index: int = 0
    name: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


class ToolCall(Struct, kw_only=True, omit_defaults=True):
    """A call that the model asks for."""

    id: str = ""
    function: FunctionCall = field(default_factory=FunctionCall)


class Message(Struct, kw_only=True, omit_defaults=True):
    """One message of a chat; the role is lower-cased when it is read."""

    role: str = ""
    content: str = ""
    thinking: str = ""
    images: list[MediaData] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_name: str = ""
    tool_call_id: str = ""

    def __post_init__(self) -> None:
        self.role = self.role.lower()


class _Inference(Struct, kw_only=True):
    """What generate and chat have in common."""

    model: str = ""
    stream: bool | None = None
    format: Any = None
    grammar: str = ""
    regex: str = ""
    keep_alive: KeepAlive | None = None
    options: dict[str, Any] = field(default_factory=dict)
    think: Think | None = None
    think_if_able: bool = field(default=False, name="_think_if_able")
    """Whether a wish to think is dropped where the model cannot; for APIs that take it so."""
    thinking_budget: int = 0
    """After how many tokens of thoughts the model is to answer; 0 leaves that to the model."""
    truncate: bool | None = None
    shift: bool | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    priority: str = ""
    client: str = field(default="", name="_client")
    """Who asks: the server says so, whatever the body does."""
    deadline: Deadline | None = None
    """How long it may wait for the model; what was not begun by then is refused."""
    progress: bool = False
    """Whether a stream tells what the request waits for."""
    debug_render_only: bool = field(default=False, name="_debug_render_only")


class GenerateRequest(_Inference, kw_only=True):
    """POST /api/generate. `tokens`, from other APIs, are a prompt that is in tokens already."""

    prompt: str = ""
    tokens: list[Token] = field(default_factory=list, name="_tokens")
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: list[Token] | None = None
    raw: bool = False
    images: list[MediaData] = field(default_factory=list)


class ChatRequest(_Inference, kw_only=True):
    """POST /api/chat."""

    messages: list[Message] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = None
    """As in OpenAI's API; service/tool_choice.py reads it."""
    parallel_tool_calls: bool | None = None
    call_pieces: bool = field(default=False, name="_call_pieces")
    """Whether calls are told of while they are written, for APIs that can show it."""


class EmbedRequest(Struct, kw_only=True):
    """POST /api/embed. `input` is a text or a list of them; service/embedding.py checks it."""

    model: str = ""
    input: Any = None
    truncate: bool | None = None
    dimensions: int = 0
    keep_alive: KeepAlive | None = None
    options: dict[str, Any] = field(default_factory=dict)
    priority: str = ""
    client: str = field(default="", name="_client")
    deadline: Deadline | None = None


class EmbeddingsRequest(Struct, kw_only=True):
    """POST /api/embeddings, which old clients use."""

    model: str = ""
    prompt: str = ""
    keep_alive: KeepAlive | None = None
    options: dict[str, Any] = field(default_factory=dict)
    priority: str = ""
    client: str = field(default="", name="_client")
    deadline: Deadline | None = None


class _Named(Struct, kw_only=True):
    """A request whose model may also be spelled `name`, as old clients do."""

    model: str = ""
    name: str = ""

    @property
    def target(self) -> str:
        """The model that is meant; `model` wins."""
        return self.model or self.name


class ShowRequest(_Named, kw_only=True):
    """POST /api/show."""

    verbose: bool = False
    system: str = ""
    options: dict[str, Any] = field(default_factory=dict)


class DeleteRequest(_Named, kw_only=True):
    """DELETE /api/delete."""


class CopyRequest(Struct, kw_only=True):
    """POST /api/copy."""

    source: str = ""
    destination: str = ""


class _Transfer(_Named, kw_only=True):
    """Name and password are for registries that ask for them."""

    insecure: bool = False
    username: str = ""
    password: str = ""
    stream: bool | None = None


class PullRequest(_Transfer, kw_only=True):
    """POST /api/pull."""


class PushRequest(_Transfer, kw_only=True):
    """POST /api/push."""


class CreateRequest(_Named, kw_only=True):
    """POST /api/create. `from_` is the field `from`.

    Fields of our own: with `keep_parts` a model in several files stays in them; `imatrix` is the
    digest of an importance matrix for quantising; `allow_pickle` lets weights be read from files of
    torch's.
    """

    from_: str = field(default="", name="from")
    files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    draft_files: dict[str, str] | None = None
    draft_quantize: str = ""
    template: str = ""
    system: str = ""
    license: Any = None
    parameters: dict[str, Any] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    quantize: str = ""
    quantization: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    remote_host: str = ""
    keep_parts: bool = False
    imatrix: str = ""
    allow_pickle: bool = False
    stream: bool | None = None
