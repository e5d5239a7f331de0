"""`puna stop MODEL`: unload a model."""

from __future__ import annotations

from puna.cli.command import command, exactly, json_option
from puna.cli.output import print_object
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import ClientError, quoted

__all__ = ["COMMAND"]


@command(
    "stop", completes=("loaded",), usage="MODEL", words=exactly(1), help="Stop a running model"
)
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    model = words[0]
    with connect(read_settings()) as client:
        try:
            client.load({"model": model, "keep_alive": 0})
        except ClientError as error:
            if "not found" in str(error):
                raise ClientError(f"couldn't find model {quoted(model)} to stop") from error
            raise
    if json:
        print_object({"stopped": model})
