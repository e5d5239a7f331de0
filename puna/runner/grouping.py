"""How an order for vectors is cut into frames, so that no job is long before others'. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from puna.runner.protocol import Embedding

__all__ = ["split_order"]

MOST_INPUTS = 64  # what the runner tokenises before it looks for other requests
MOST_LENGTH = 1 << 20  # characters, where there is more than one input


def split_order(order: Embedding) -> Iterator[Embedding]:
    """The order in parts, cut between inputs. None for an order without inputs."""
    group: list[str] = []
    length = 0
    for text in order.inputs:
        if group and (len(group) == MOST_INPUTS or length + len(text) > MOST_LENGTH):
            yield structs.replace(order, inputs=tuple(group))
            group, length = [], 0
        group.append(text)
        length += len(text)
    if group:
        yield structs.replace(order, inputs=tuple(group))
