"""`puna serve`: the server itself, in this process."""

from __future__ import annotations

from puna.cli.command import command, exactly
from puna.config import read_settings

__all__ = ["COMMAND"]

VARIABLES = (
    "OLLAMA_DEBUG",
    "OLLAMA_HOST",
    "OLLAMA_CONTEXT_LENGTH",
    "OLLAMA_KEEP_ALIVE",
    "OLLAMA_MAX_LOADED_MODELS",
    "OLLAMA_MAX_TRANSFER_STREAMS",
    "OLLAMA_MAX_QUEUE",
    "OLLAMA_MODELS",
    "OLLAMA_NUM_PARALLEL",
    "OLLAMA_NOPRUNE",
    "OLLAMA_ORIGINS",
    "OLLAMA_SCHED_SPREAD",
    "OLLAMA_FLASH_ATTENTION",
    "OLLAMA_KV_CACHE_TYPE",
    "OLLAMA_GPU_OVERHEAD",
    "OLLAMA_LOAD_TIMEOUT",
    "PUNA_HOME",
    "PUNA_MAX_SEQUENCES",
    "PUNA_SPECULATION",
    "PUNA_KV_CACHE_RAM",
    "PUNA_KV_CACHE_DIR",
    "PUNA_LOG_FORMAT",
    "PUNA_HOSTS",
    "PUNA_API_KEY",
)
"""The reference's order, without those that mean nothing here; then our own."""


@command(
    "serve",
    words=exactly(0),
    aliases=("start",),
    variables=VARIABLES,
    help="Start the server",
)
def COMMAND(words: tuple[str, ...]) -> None:
    # The command line stays light: only this command needs the server's libraries.
    from puna.server.main import serve  # noqa: PLC0415

    serve(read_settings())
