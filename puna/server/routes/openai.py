"""The routes of the OpenAI API: completions, embeddings and models, under /v1/."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from puna.api.openai import ChatCompletionRequest, CompletionRequest, EmbeddingRequest
from puna.api.requests import DeleteRequest, ShowRequest
from puna.fmt import SECOND
from puna.models.name import DEFAULT_NAMESPACE, split_name
from puna.server.anthropic.models import ModelInfo, model_page, speaks_anthropic
from puna.server.body import read_as, translate
from puna.server.clients import sign
from puna.server.faults import OPENAI
from puna.server.image_urls import fill_images
from puna.server.openai.chat import chat_wire
from puna.server.openai.choices import together
from puna.server.openai.completion import completion_wire
from puna.server.openai.embedding import embedding_body
from puna.server.openai.orders import chat_orders, embed_order, generate_orders
from puna.server.routes.replies import json_reply, worked_reply
from puna.server.services import Kit
from puna.server.streams import Reply

__all__ = ["chat", "completions", "delete_model", "embeddings", "model", "models"]


class ModelCard(Struct, kw_only=True):
    """A model, as it is listed."""

    id: str
    object: str = "model"
    created: int
    owned_by: str


class ModelCards(Struct, kw_only=True):
    """The installed models."""

    object: str = "list"
    data: list[ModelCard]


class ModelDeleted(Struct, kw_only=True):
    """That a model is gone."""

    id: str
    object: str = "model"
    deleted: bool = True


class _Row(Struct):
    model: str = ""
    modified_at: str = ""


async def chat(request: Request, kit: Kit) -> ASGIApp:
    """Answer a conversation."""
    asked = await read_as(ChatCompletionRequest, request)
    await fill_images(asked.messages, kit.services.fetch_image, request.receive, kit.closing)
    model = await kit.services.local_name(asked.model)
    answers = []
    for order in await translate(request, chat_orders, asked):
        order.model = model
        order.priority = asked.priority
        sign(order, request)
        answers.append(kit.services.chat(order))
    wire = chat_wire(
        asked.model,
        kit.now() // SECOND,
        len(answers),
        include_usage=asked.include_usage,
        is_older=asked.is_older,
        has_tier=bool(asked.service_tier),
    )
    return Reply(together(answers), wire, stream=asked.stream, closing=kit.closing)


async def completions(request: Request, kit: Kit) -> ASGIApp:
    """Continue one or several prompts."""
    asked = await read_as(CompletionRequest, request)
    orders = generate_orders(asked)
    model = await kit.services.local_name(asked.model)
    for order in orders:
        order.model = model
        order.priority = asked.priority
        sign(order, request)
    wire = completion_wire(
        asked.model,
        kit.now() // SECOND,
        [order.prompt if asked.echo else "" for order in orders],
        asked.n,
        include_usage=asked.include_usage,
    )
    answers = [kit.services.generate(order) for order in orders]
    return Reply(together(answers), wire, stream=asked.stream, closing=kit.closing)


async def embeddings(request: Request, kit: Kit) -> ASGIApp:
    """A vector for each input."""
    asked = await read_as(EmbeddingRequest, request)
    order = embed_order(asked)
    order.model = await kit.services.local_name(asked.model)
    sign(order, request)

    async def body() -> bytes:
        return await embedding_body(asked, await kit.services.embed(order))

    return worked_reply(body, kit, OPENAI)


async def models(request: Request, kit: Kit) -> Response:
    """The installed models, and the names that stand for some."""
    rows = [_row(each) for each in await kit.services.tags()]
    rows += [_Row(name, date) for name, date in (await kit.services.aliases()).items()]
    if speaks_anthropic(request):
        return json_reply(model_page([_info(row.model, row) for row in rows]))
    return json_reply(ModelCards(data=[_card(row.model, row) for row in rows]))


async def model(request: Request, kit: Kit) -> Response:
    """One installed model, under the name that was asked for."""
    name = request.path_params["model"]
    local = await kit.services.local_name(name)
    shown = await kit.services.show(ShowRequest(model=local), "")
    row = _row(shown)
    return json_reply(_info(name, row) if speaks_anthropic(request) else _card(name, row))


async def delete_model(request: Request, kit: Kit) -> Response:
    """Delete an installed model."""
    name = request.path_params["model"]
    await kit.services.delete(DeleteRequest(model=name))
    return json_reply(ModelDeleted(id=name))


def _info(name: str, row: _Row) -> ModelInfo:
    return ModelInfo(id=name, display_name=name, created_at=row.modified_at)


def _row(value: object) -> _Row:
    return msgspec.convert(value, _Row, from_attributes=True)


def _card(name: str, row: _Row) -> ModelCard:
    created = int(datetime.fromisoformat(row.modified_at).timestamp())
    owner = split_name(name).namespace or DEFAULT_NAMESPACE
    return ModelCard(id=name, created=created, owned_by=owner)
