"""A stand-in for the Hugging Face Hub, and a real store that pulls from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from puna.models.layers import Model, load_model
from puna.models.name import Name
from tests.fakes.hub import FakeHub
from tests.service.pulling import Puller
from tests.service.pulling import play as play_there

NAME = "hf.co/org/Tiny-GGUF"

Scene = Callable[[Puller], Awaitable[None]]


def play(hub: FakeHub, root: Path, scene: Scene, **settings: Any) -> None:
    play_there(root, scene, hf_endpoint=hub.url, **settings)


async def pull(place: Puller, name: str = NAME, **fields: Any) -> list[str]:
    """What was reported, each status once."""
    steps = await place.pull(name, insecure=False, **fields)
    return list(dict.fromkeys(step.status for step in steps))


def model(place: Puller, name: str = NAME) -> Model:
    return load_model(place.library, Name.parse(name))
