"""The routes under /v1/, described: those of the OpenAI API and of the Anthropic API."""

from __future__ import annotations

from puna.api.anthropic import MessagesRequest
from puna.api.openai import ChatCompletionRequest, CompletionRequest, EmbeddingRequest
from puna.api.openai_responses import ResponsesRequest
from puna.server.anthropic.models import ModelInfo, ModelPage
from puna.server.anthropic.reply import STREAMED, MessageReply, TokenCount
from puna.server.openai.chat import Chunk, Completion
from puna.server.openai.completion import TextCompletion
from puna.server.openai.embedding import EmbeddingList
from puna.server.openai.responses.shapes import Deleted, InputTokens, ItemPage, Response
from puna.server.openai.transcription import (
    Transcript,
    TranscriptDelta,
    TranscriptDone,
    VerboseTranscript,
)
from puna.server.openapi.operation import RUNS, SSE, Key, Operation, Schema, answers, streamed
from puna.server.routes.openai import ModelCard, ModelCards, ModelDeleted

__all__ = ["V1"]

_HI = [{"role": "user", "content": "Hello!"}]
_PRIORITY = {"X-Puna-Priority": "high, normal or low"}
_VERSION = {"anthropic-version": "with any value, the answer has the form of the Anthropic API"}

_EVENT: Schema = {
    "type": "object",
    "required": ["type", "sequence_number"],
    "properties": {
        "type": {"type": "string", "examples": ["response.output_text.delta"]},
        "sequence_number": {"type": "integer", "minimum": 0},
        "response": Response,
    },
}


_FORM: Schema = {
    "type": "object",
    "required": ["file", "model"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "model": {"type": "string"},
        "language": {"type": "string"},
        "prompt": {"type": "string"},
        "response_format": {"enum": ["json", "text", "verbose_json", "srt", "vtt"]},
        "stream": {"type": "boolean"},
    },
}


def _hearing(summary: str) -> Operation:
    return Operation(
        summary=summary,
        text="By a model that hears. The file is WAV, MP3, FLAC or Ogg. `text`, `srt` and `vtt` "
        "are answered as plain text; `json` and `text` can be streamed.",
        form=_FORM,
        answers=(
            streamed(
                "The text",
                [Transcript, VerboseTranscript],
                TranscriptDelta,
                TranscriptDone,
                media=SSE,
            ),
        ),
        errors=RUNS,
    )


V1: dict[Key, Operation] = {
    ("POST", "/v1/chat/completions"): Operation(
        summary="Answer a conversation",
        text="With `stream`, the events end with `data: [DONE]`.",
        body=ChatCompletionRequest,
        needs=("model", "messages"),
        example={"model": "cria", "messages": _HI, "max_tokens": 8},
        answers=(streamed("The answer", [Completion], Chunk, media=SSE),),
        errors=RUNS,
        headers=_PRIORITY,
    ),
    ("POST", "/v1/completions"): Operation(
        summary="Continue prompts",
        text="With `stream`, the events end with `data: [DONE]`.",
        body=CompletionRequest,
        needs=("model", "prompt"),
        example={"model": "cria", "prompt": "Once upon a time", "max_tokens": 8},
        answers=(streamed("The texts", [TextCompletion], TextCompletion, media=SSE),),
        errors=RUNS,
        headers=_PRIORITY,
    ),
    ("POST", "/v1/responses"): Operation(
        summary="Answer what was said, and what was said before",
        text="With `stream`, each event is named as its `type`. The response is stored for "
        "`previous_response_id` unless `store` is false.",
        body=ResponsesRequest,
        needs=("model", "input"),
        example={"model": "cria", "input": "Hello!", "max_output_tokens": 8, "store": False},
        answers=(streamed("The response", [Response], _EVENT, media=SSE),),
        errors=RUNS,
        headers=_PRIORITY,
    ),
    ("POST", "/v1/responses/input_tokens"): Operation(
        summary="How many tokens the input of a response has",
        body=ResponsesRequest,
        needs=("model", "input"),
        example={"model": "cria", "input": "Hello!"},
        answers=(answers("The number", InputTokens),),
        errors=RUNS,
    ),
    ("GET", "/v1/responses/{id}"): Operation(
        summary="A stored response",
        answers=(answers("The response", Response),),
        errors=(400, 404, 500),
    ),
    ("DELETE", "/v1/responses/{id}"): Operation(
        summary="Forget a stored response",
        answers=(answers("It is forgotten", Deleted),),
        errors=(404, 500),
    ),
    ("POST", "/v1/responses/{id}/cancel"): Operation(
        summary="Cancel a response",
        text="Refused for every response: those that are stored are complete.",
        answers=(),
        errors=(400, 404, 500),
    ),
    ("GET", "/v1/responses/{id}/input_items"): Operation(
        summary="The items that a stored response answers",
        text="In pages: the query may have `limit` (1 to 100), `order` (`asc` or `desc`) and "
        "`after`, an item's id.",
        answers=(answers("A page", ItemPage),),
        errors=(400, 404, 500),
    ),
    ("POST", "/v1/audio/transcriptions"): _hearing("Write down what is said in a recording"),
    ("POST", "/v1/audio/translations"): _hearing("Write down in English what is said"),
    ("POST", "/v1/audio/speech"): Operation(
        summary="Speak a text",
        text="Refused: no models that speak are supported yet.",
        answers=(),
        errors=(413, 501),
    ),
    ("POST", "/v1/embeddings"): Operation(
        summary="A vector for each input",
        body=EmbeddingRequest,
        needs=("model", "input"),
        example={"model": "cria", "input": "Hello!"},
        answers=(answers("The vectors", EmbeddingList),),
        errors=RUNS,
    ),
    ("GET", "/v1/models"): Operation(
        summary="The installed models",
        answers=(answers("The models", ModelCards, ModelPage),),
        headers=_VERSION,
    ),
    ("GET", "/v1/models/{model}"): Operation(
        summary="One installed model",
        answers=(answers("The model", ModelCard, ModelInfo),),
        errors=(400, 404, 500),
        headers=_VERSION,
    ),
    ("DELETE", "/v1/models/{model}"): Operation(
        summary="Delete an installed model",
        answers=(answers("It is gone", ModelDeleted),),
        errors=(400, 404, 500),
    ),
    ("POST", "/v1/messages"): Operation(
        summary="Answer a conversation",
        body=MessagesRequest,
        needs=("model", "max_tokens", "messages"),
        example={"model": "cria", "max_tokens": 8, "messages": _HI},
        answers=(streamed("The answer", [MessageReply], *STREAMED, media=SSE),),
        errors=RUNS,
        headers=_PRIORITY,
    ),
    ("POST", "/v1/messages/count_tokens"): Operation(
        summary="How many tokens the prompt of a conversation has",
        body=MessagesRequest,
        needs=("model", "messages"),
        example={"model": "cria", "messages": _HI},
        answers=(answers("The number", TokenCount),),
        errors=RUNS,
    ),
}
