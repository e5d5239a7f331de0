"""`puna runner`: in the reference, the process of one model. Ours is no command: the server starts
its runners itself.
"""

from __future__ import annotations

from puna.cli.command import command
from puna.errors import BadRequest

__all__ = ["COMMAND"]


@command("runner", variables=(), passes_through=True, help="Run a model's process (internal)")
def COMMAND(words: tuple[str, ...]) -> None:
    if words[:1] == ("--mlx-engine",):
        raise BadRequest("the MLX engine is no part of Puna")
    raise BadRequest("unknown runner engine, expected --mlx-engine")
