"""What a response builds on, out of the store, and what of it is put there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from puna.errors import InvalidField, ResponseNotFound
from puna.server.openai.replies import encode
from puna.server.openai.responses.items import Item
from puna.server.openai.responses.shapes import ItemPage, Response, new_item_id
from puna.service.response_store import Kept, ResponseStore, StoredItem

__all__ = ["earlier_items", "item_page", "kept_of", "resolved"]

_MOST_REFERENCES = 1000
_MOST_LISTED = 100
_LISTED = 20

_decode = msgspec.json.Decoder().decode


class _PreviousNotFound(ResponseNotFound):
    code = "previous_response_not_found"
    param = "previous_response_id"


class _ItemNotFound(ResponseNotFound):
    code = "item_not_found"
    param = "input"


async def earlier_items(store: ResponseStore, client: str, previous: str | None) -> list[Item]:
    """The items of all responses up to `previous`. Raises ResponseNotFound."""
    if not previous:
        return []
    try:
        stored = await store.history(client, previous)
    except ResponseNotFound:
        message = f"Previous response with id '{previous}' not found."
        raise _PreviousNotFound(previous, message) from None
    return [_decode(body) for _, body in stored]


async def resolved(store: ResponseStore, client: str, items: Sequence[Item]) -> list[Item]:
    """The items, with those in place that are only referred to. Raises ResponseNotFound."""
    wanted = [str(item.get("id")) for item in items if item["type"] == "item_reference"]
    if not wanted:
        return list(items)
    if len(wanted) > _MOST_REFERENCES:
        raise InvalidField(f"at most {_MOST_REFERENCES} items can be referred to", "input")
    found = await store.items(client, wanted)
    out = []
    for item in items:
        if item["type"] != "item_reference":
            out.append(item)
            continue
        item_id = str(item.get("id"))
        if item_id not in found:
            raise _ItemNotFound(item_id, f"Item with id '{item_id}' not found.")
        out.append(_decode(found[item_id]))
    return out


def kept_of(response: Response, items: Sequence[Item]) -> Kept:
    """What is stored of a response that is complete: itself, and the `items` that it answers."""
    return Kept(
        id=response.id,
        previous=response.previous_response_id,
        body=encode(response),
        inputs=[_stored(_typed(item)) for item in items],
        outputs=[(item.id, encode(item)) for item in response.output],
    )


def _stored(item: Item) -> StoredItem:
    return item["id"], encode(item)


def _typed(item: Item) -> Item:
    """An item as it is listed: with an id, a message with parts."""
    item_id = item.get("id")
    if not isinstance(item_id, str) or not item_id:
        item_id = new_item_id("msg" if item["type"] == "message" else "item")
    content = item.get("content")
    if item["type"] == "message" and isinstance(content, str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        part: dict[str, Any] = {"type": kind, "text": content}
        if kind == "output_text":
            part["annotations"] = []
        item = item | {"content": [part]}
    return {"status": "completed"} | item | {"id": item_id}


def item_page(stored: Sequence[StoredItem], query: Mapping[str, str]) -> ItemPage:
    """A page of a list of items: `limit`, `order` and `after`, as the query has them. Raises
    InvalidField."""
    order, text = query.get("order", "desc"), query.get("limit", str(_LISTED))
    if order not in {"asc", "desc"}:
        raise InvalidField('order must be "asc" or "desc"', "order")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= limit <= _MOST_LISTED:
        raise InvalidField(f"limit must be between 1 and {_MOST_LISTED}", "limit")
    rows = list(stored) if order == "asc" else list(reversed(stored))
    if after := query.get("after"):
        ids = [item_id for item_id, _ in rows]
        if after not in ids:
            raise InvalidField(f"there is no item '{after}' in this list", "after")
        rows = rows[ids.index(after) + 1 :]
    page = rows[:limit]
    return ItemPage(
        data=[msgspec.Raw(body) for _, body in page],
        first_id=page[0][0] if page else None,
        last_id=page[-1][0] if page else None,
        has_more=len(rows) > limit,
    )
