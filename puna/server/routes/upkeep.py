"""Routes of our own under /api/puna/: where the store is, prune, verify, update."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from puna.api.events import Progress
from puna.api.upkeep import (
    PruneRequest,
    Updated,
    UpdateRequest,
    UpdateResponse,
    Verified,
    VerifyRequest,
    VerifyResponse,
)
from puna.server.body import read_as
from puna.server.faults import NATIVE
from puna.server.routes.replies import json_reply
from puna.server.services import Kit
from puna.server.streams import Reply, Wire

__all__ = ["prune", "store", "update", "verify"]


async def store(request: Request, kit: Kit) -> Response:
    """Where the store is."""
    return json_reply(await kit.services.store())


async def prune(request: Request, kit: Kit) -> Response:
    """Delete what no model needs."""
    return json_reply(await kit.services.prune(await read_as(PruneRequest, request)))


async def verify(request: Request, kit: Kit) -> ASGIApp:
    """Hash installed models; unstreamed, the answer is `models`, a list of verdicts."""
    order = await read_as(VerifyRequest, request)
    steps = kit.services.verify(order)
    wire = _models_wire(_verified)
    return Reply(steps, wire, stream=order.stream is not False, closing=kit.closing)


async def update(request: Request, kit: Kit) -> ASGIApp:
    """Bring models up to date; unstreamed, the answer is `models`, what became of each."""
    order = await read_as(UpdateRequest, request)
    steps = kit.services.update(order)
    wire = _models_wire(_updated)
    return Reply(steps, wire, stream=order.stream is not False, closing=kit.closing)


def _models_wire(
    whole: Callable[[Sequence[Progress | Verified | Updated]], Struct],
) -> Wire[Progress | Verified | Updated]:
    return Wire(
        piece=lambda step: msgspec.json.encode(step) + b"\n",
        whole=lambda steps: msgspec.json.encode(whole(steps)),
        is_final=lambda step: isinstance(step, Progress) and step.status == "success",
        is_alone=lambda step: False,
        envelope=NATIVE,
    )


def _verified(steps: Sequence[Progress | Verified | Updated]) -> VerifyResponse:
    return VerifyResponse([each for each in steps if isinstance(each, Verified)])


def _updated(steps: Sequence[Progress | Verified | Updated]) -> UpdateResponse:
    return UpdateResponse([each for each in steps if isinstance(each, Updated)])
