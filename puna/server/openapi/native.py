"""The routes of the native API, described."""

from __future__ import annotations

from puna.api.cloud import Recommendations, WebFetchRequest, WebSearchRequest
from puna.api.events import Progress
from puna.api.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    PullRequest,
    PushRequest,
    ShowRequest,
)
from puna.api.responses import (
    EmbeddingsResponse,
    EmbedResponse,
    RunningResponse,
    ShowResponse,
    StatusResponse,
    TagsResponse,
    VersionResponse,
)
from puna.server.native import ChatReply, GenerateReply
from puna.server.openapi.operation import (
    BODY,
    MODEL,
    RUNS,
    Answer,
    Content,
    Key,
    Operation,
    Schema,
    answers,
    streamed,
    with_heads,
)

__all__ = ["NATIVE"]

_PRIORITY = {"X-Puna-Priority": "high, normal or low, where the body does not say it"}
_HI: Schema = {
    "model": "cria",
    "messages": [{"role": "user", "content": "Hello!"}],
    "options": {"num_predict": 8},
}
_PLAIN = Content("text/plain", ({"type": "string"},))


def _progress(text: str) -> Answer:
    return streamed(text, [Progress], Progress)


_OPERATIONS: dict[Key, Operation] = {
    ("GET", "/"): Operation(
        summary="Whether the server runs",
        answers=(Answer("It does", (_PLAIN,)),),
        errors=(),
    ),
    ("GET", "/api/version"): Operation(
        summary="The versions of the API and of Puna",
        answers=(answers("The versions", VersionResponse),),
        errors=(),
    ),
    ("GET", "/api/status"): Operation(
        summary="Whether there is a cloud",
        answers=(answers("There is none", StatusResponse),),
        errors=(),
    ),
    ("POST", "/api/me"): Operation(
        summary="Who is signed in",
        text="Nobody: there is no cloud here.",
        answers=(),
        errors=(401,),
    ),
    ("POST", "/api/signout"): Operation(
        summary="Sign out", text="Nobody is signed in.", answers=(), errors=(401,)
    ),
    ("DELETE", "/api/user/keys/{key}"): Operation(
        summary="Sign out, as old clients do",
        text="Nobody is signed in.",
        answers=(),
        errors=(401,),
    ),
    ("POST", "/api/experimental/web_search"): Operation(
        summary="Search the web",
        text="Refused: there is no cloud here.",
        body=WebSearchRequest,
        needs=("query",),
        answers=(),
        errors=(*BODY, 403),
    ),
    ("POST", "/api/experimental/web_fetch"): Operation(
        summary="Read a page of the web",
        text="Refused: there is no cloud here.",
        body=WebFetchRequest,
        needs=("url",),
        answers=(),
        errors=(*BODY, 403),
    ),
    ("GET", "/api/experimental/model-recommendations"): Operation(
        summary="Models for those who have none",
        answers=(answers("The models", Recommendations),),
        errors=(),
    ),
    ("POST", "/api/generate"): Operation(
        summary="Continue a prompt",
        text="Without a prompt the model is loaded, and with `keep_alive` 0 unloaded. The answer "
        "is a stream unless `stream` is false.",
        body=GenerateRequest,
        needs=("model",),
        example={"model": "cria", "prompt": "Hello!", "options": {"num_predict": 8}},
        answers=(streamed("The answer", [GenerateReply], GenerateReply),),
        errors=RUNS,
        headers=_PRIORITY,
    ),
    ("POST", "/api/chat"): Operation(
        summary="Answer a conversation",
        text="Without messages the model is loaded, and with `keep_alive` 0 unloaded. The answer "
        "is a stream unless `stream` is false.",
        body=ChatRequest,
        needs=("model",),
        example=_HI,
        answers=(streamed("The answer", [ChatReply], ChatReply),),
        errors=RUNS,
        headers=_PRIORITY,
    ),
    ("POST", "/api/embed"): Operation(
        summary="A vector for each input",
        body=EmbedRequest,
        needs=("model",),
        example={"model": "cria", "input": ["Hello!", "Good bye!"]},
        answers=(answers("The vectors", EmbedResponse),),
        errors=RUNS,
    ),
    ("POST", "/api/embeddings"): Operation(
        summary="The vector of one prompt, in the older form",
        body=EmbeddingsRequest,
        needs=("model",),
        example={"model": "cria", "prompt": "Hello!"},
        answers=(answers("The vector", EmbeddingsResponse),),
        errors=RUNS,
    ),
    ("GET", "/api/tags"): Operation(
        summary="The installed models",
        answers=(answers("The models", TagsResponse),),
    ),
    ("GET", "/api/ps"): Operation(
        summary="The loaded models",
        answers=(answers("The models", RunningResponse),),
    ),
    ("POST", "/api/show"): Operation(
        summary="Everything about a model",
        body=ShowRequest,
        needs=("model",),
        example={"model": "cria"},
        answers=(answers("The model", ShowResponse),),
        errors=MODEL,
    ),
    ("POST", "/api/copy"): Operation(
        summary="Give a model a second name",
        body=CopyRequest,
        needs=("source", "destination"),
        example={"source": "cria", "destination": "my-cria"},
        answers=(answers("Done; no body"),),
        errors=MODEL,
    ),
    ("DELETE", "/api/delete"): Operation(
        summary="Take a name away, and what no other model needs",
        body=DeleteRequest,
        needs=("model",),
        example={"model": "my-cria"},
        answers=(answers("Done; no body"),),
        errors=(*MODEL, 403),
    ),
    ("POST", "/api/create"): Operation(
        summary="Make a model",
        text="From another model (`from`) or from uploaded files (`files`, names to digests).",
        body=CreateRequest,
        needs=("model",),
        example={"model": "my-cria", "from": "cria", "system": "Be brief."},
        answers=(_progress("The progress"),),
        errors=(*MODEL, 503),
    ),
    ("POST", "/api/pull"): Operation(
        summary="Fetch a model from a registry",
        body=PullRequest,
        needs=("model",),
        example={"model": "cria"},
        answers=(_progress("The progress"),),
        errors=(*MODEL, 503),
    ),
    ("POST", "/api/push"): Operation(
        summary="Bring a model to its registry",
        body=PushRequest,
        needs=("model",),
        answers=(_progress("The progress"),),
        errors=(*MODEL, 503),
    ),
    ("HEAD", "/api/blobs/{digest}"): Operation(
        summary="Whether a blob is here",
        answers=(answers("It is; no body"),),
        errors=(400, 404, 500),
    ),
    ("POST", "/api/blobs/{digest}"): Operation(
        summary="Upload a blob, under `sha256:` and 64 hexadecimal digits",
        media="application/octet-stream",
        answers=(answers("It was here; no body"), Answer("It is new; no body", status=201)),
        errors=(*BODY, 500),
    ),
}
NATIVE = with_heads(_OPERATIONS, "/", "/api/version", "/api/tags")
"""What is told of each."""
