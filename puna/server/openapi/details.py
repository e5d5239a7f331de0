"""What a field takes or holds where its type leaves it open. Types in schemas stand for references
to them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from puna.api.anthropic import Block, InputMessage, MessagesRequest, Source
from puna.api.openai import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionRequest,
    EmbeddingRequest,
    Extensions,
)
from puna.api.openai_responses import ResponsesRequest
from puna.api.options import KINDS
from puna.api.requests import (
    ChatRequest,
    CreateRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    ShowRequest,
)
from puna.api.responses import (
    EmbeddingsResponse,
    EmbedResponse,
    InstalledModel,
    RunningModel,
    RunningResponse,
    TagsResponse,
)
from puna.api.texts import RerankRequest, TextRequest
from puna.server.openai.embedding import EmbeddingList, EmbeddingRow
from puna.server.openai.responses.shapes import ItemPage, Response

__all__ = ["DETAILS", "NAMED"]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
VECTOR: Schema = {"type": "array", "items": {"type": "number"}}

_JSON_TYPES: dict[str, Schema] = {
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "float32": {"type": "number", "minimum": -1e30, "maximum": 1e30},
    "boolean": {"type": "boolean"},
    "array": {"type": "array", "items": TEXT},
    "object": {
        "type": "object",
        "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
        "maxProperties": 1024,
        "propertyNames": {"minLength": 1, "maxLength": 256},
    },
}
NAMED: dict[str, Schema] = {
    "Options": {
        "type": "object",
        "description": "Options of the model and of sampling; unknown ones are ignored.",
        "properties": {name: _JSON_TYPES[kind] for name, kind in KINDS.items()},
    }
}
"""Schemas that no struct stands for."""

OPTIONS: Schema = {"$ref": "#/components/schemas/Options"}
FORMAT: Schema = {
    "anyOf": [{"const": "json"}, {"type": "object"}, {"type": "null"}],
    "description": "`json`, or the JSON Schema that the answer is held to.",
}
TOOLS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type", "function"],
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": TEXT,
                    "description": TEXT,
                    "parameters": {"type": "object", "description": "A JSON Schema."},
                },
            },
        },
    },
}
TOKENS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
TEXTS_OR_TOKENS: Schema = {
    "anyOf": [
        TEXT,
        {"type": "array", "items": TEXT, "minItems": 1},
        TOKENS,
        {"type": "array", "items": TOKENS, "minItems": 1},
    ],
    "description": "A text, tokens, or a list of texts or of lists of tokens.",
}
STOP: Schema = {
    "anyOf": [TEXT, {"type": "array", "items": TEXT}, {"type": "null"}],
    "description": "Texts that end the answer.",
}
PART: Schema = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type", "text"],
            "properties": {"type": {"const": "text"}, "text": TEXT},
        },
        {
            "type": "object",
            "required": ["type", "image_url"],
            "properties": {
                "type": {"const": "image_url"},
                "image_url": {
                    "type": "object",
                    "required": ["url"],
                    "properties": {"url": TEXT | {"description": "A `data:` URL."}},
                },
            },
        },
    ]
}
RESPONSE_FORMAT: Schema = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": {"enum": ["text", "json_object", "json_schema"]},
                "json_schema": {
                    "type": "object",
                    "required": ["schema"],
                    "properties": {"name": TEXT, "schema": {"type": "object"}},
                },
            },
        },
        {"type": "null"},
    ]
}
TOOL_CHOICE: Schema = {
    "anyOf": [
        {"enum": ["none", "auto", "required", None]},
        {
            "type": "object",
            "required": ["type", "function"],
            "properties": {
                "type": {"const": "function"},
                "function": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
            },
        },
        {
            "type": "object",
            "required": ["type", "allowed_tools"],
            "properties": {"type": {"const": "allowed_tools"}, "allowed_tools": {"type": "object"}},
        },
    ]
}
ITEMS: Schema = {
    "anyOf": [TEXT, {"type": "array", "items": {"type": "object"}}, {"type": "null"}],
    "description": "A text, or items: messages, calls, their results, thoughts.",
}
NOT_HERE: Schema = {"type": "null", "description": "Not supported."}
BLOCKS: Schema = {"anyOf": [TEXT, {"type": "array", "items": Block}, {"type": "null"}]}

DETAILS: dict[type[Struct], dict[str, Schema]] = {
    GenerateRequest: {"format": FORMAT, "options": OPTIONS},
    ChatRequest: {
        "format": FORMAT,
        "options": OPTIONS,
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
    },
    EmbedRequest: {
        "input": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
        "options": OPTIONS,
    },
    EmbeddingsRequest: {"options": OPTIONS},
    ShowRequest: {"options": OPTIONS},
    CreateRequest: {
        "license": {"anyOf": [TEXT, {"type": "array", "items": TEXT}, {"type": "null"}]},
        "parameters": OPTIONS,
    },
    TextRequest: {"options": OPTIONS},
    RerankRequest: {
        "documents": {
            "type": "array",
            "minItems": 1,
            "items": {
                "anyOf": [
                    TEXT,
                    {"type": "object", "required": ["text"], "properties": {"text": TEXT}},
                ]
            },
        }
    },
    TagsResponse: {"models": {"type": "array", "items": InstalledModel}},
    RunningResponse: {"models": {"type": "array", "items": RunningModel}},
    EmbedResponse: {"embeddings": {"type": "array", "items": VECTOR}},
    EmbeddingsResponse: {"embedding": VECTOR},
    ChatMessage: {"content": {"anyOf": [TEXT, {"type": "array", "items": PART}, {"type": "null"}]}},
    Extensions: {
        "guided_json": {"anyOf": [TEXT, {"type": "object"}, {"type": "null"}]},
    },
    ChatCompletionRequest: {
        "options": OPTIONS,
        "stop": STOP,
        "response_format": RESPONSE_FORMAT,
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "function_call": {"anyOf": [TEXT, {"type": "object"}]},
    },
    CompletionRequest: {"options": OPTIONS, "stop": STOP, "prompt": TEXTS_OR_TOKENS},
    ResponsesRequest: {
        "options": OPTIONS,
        "input": ITEMS,
        "instructions": ITEMS,
        "conversation": NOT_HERE,
        "prompt": NOT_HERE,
        "tool_choice": {
            "anyOf": [{"enum": ["none", "auto", "required", None]}, {"type": "object"}],
        },
    },
    Response: {
        "instructions": ITEMS,
        "tool_choice": {"anyOf": [TEXT, {"type": "object"}]},
    },
    ItemPage: {"data": {"type": "array", "items": {"type": "object"}}},
    EmbeddingRequest: {"options": OPTIONS, "input": TEXTS_OR_TOKENS},
    EmbeddingList: {"data": {"type": "array", "items": EmbeddingRow}},
    MessagesRequest: {"system": BLOCKS},
    InputMessage: {"content": BLOCKS},
    Block: {
        "content": {"description": "Of a result: text or blocks."},
        "source": {"anyOf": [Source, TEXT, {"type": "null"}]},
    },
    Source: {"content": {"description": "Of a document that is made of blocks: text or blocks."}},
}
"""Type to field to what is told of it."""
