"""`puna create MODEL`: read a Modelfile, send the files it names, let the server make the model.

Facts: CLI spec, section 1.9; models spec, sections 15.6, 20.4 and 20.5.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from puna.cli.command import command, exactly, json_option, option
from puna.cli.follow import follow, progress, telling
from puna.cli.local_store import find_local_store
from puna.cli.upload import give_files
from puna.client.client import Client
from puna.client.fields import Json
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest, ClientError, InvalidName
from puna.models.create_plan import CreatePlan, make_create_plan
from puna.models.local_files import request_names
from puna.models.modelfile import parse_modelfile
from puna.models.name import Name
from puna.term.progress import Progress, Spinner

__all__ = ["COMMAND"]

NO_MODELFILE = b"FROM .\n"
OLD_SERVER = "path or Modelfile are required"


@command("create", completes=("",), usage="MODEL", words=exactly(1), help="Create a model")
@option("-f", "--file", help='Name of the Modelfile (default "Modelfile")')
@option("-q", "--quantize", help="Quantize model to this level (e.g. q4_K_M)")
@option("--draft-quantize", help="Quantize draft model to this level (e.g. q4_K_M)")
@option("--imatrix", help="File that says which weights matter, for --quantize")
@option("--allow-pickle", kind="bool", help="Read the tensors of torch's .bin and .pth files")
@option("--experimental", kind="bool", help="Changes nothing: folders of safetensors need no flag")
@json_option
def COMMAND(
    words: tuple[str, ...],
    file: str,
    quantize: str,
    draft_quantize: str,
    imatrix: str,
    allow_pickle: bool,
    experimental: bool,
    json: bool,
) -> None:
    model = words[0]
    try:
        Name.parse(model)
    except InvalidName as error:
        raise BadRequest(f"invalid model name: {model}") from error
    with connect(read_settings()) as client, progress(as_json=json) as shown:
        gathering = Spinner("gathering model components")
        shown.add(gathering)
        plan = read_plan(Path(file or "Modelfile"))
        if draft_quantize and not plan.drafts:
            raise BadRequest("--draft-quantize requires a DRAFT model")
        matrix = [_matrix(imatrix, quantize)] if imatrix else []
        for warning in plan.warnings:
            print(warning, file=sys.stderr)
        paths = [*plan.files, *plan.adapters, *plan.drafts, *matrix]
        with give_files(
            client, find_local_store(client) if paths else None, paths, shown
        ) as all_given:
            gathering.stop()
            digests = {path: given.digest for path, given in all_given.items()}
            request = make_request(model, plan, digests, quantize, draft_quantize)
            if matrix:
                request["imatrix"] = digests[matrix[0]]
            if allow_pickle:
                request["allow_pickle"] = True
            create(client, request, shown, as_json=json)


def _matrix(text: str, quantize: str) -> Path:
    """The file of the importance matrix. Raises BadRequest."""
    if not quantize:
        raise BadRequest("--imatrix is of use only with --quantize")
    path = Path(text).expanduser()
    if not path.is_file():
        raise BadRequest(f"{path}: no such file")
    return path


def read_plan(path: Path) -> CreatePlan:
    """Read a Modelfile; without one, take the files of its folder. Raises OSError, BadRequest."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raw = NO_MODELFILE
    return make_create_plan(parse_modelfile(raw), path.absolute().parent)


def make_request(
    model: str,
    plan: CreatePlan,
    digests: dict[Path, str],
    quantize: str = "",
    draft_quantize: str = "",
) -> Json:
    """The create request for a plan whose files the server has; absent parts are left out."""

    def named(paths: Sequence[Path]) -> dict[str, str]:
        return {name: digests[path] for name, path in request_names(paths).items()}

    parts: Json = {
        "from": plan.from_,
        "files": named(plan.files),
        "adapters": named(plan.adapters),
        "draft_files": named(plan.drafts),
        "template": plan.template,
        "system": plan.system,
        "renderer": plan.renderer,
        "parser": plan.parser,
        "requires": plan.requires,
        "license": list(plan.licenses),
        "parameters": dict(plan.parameters),
        "messages": [{"role": role, "content": content} for role, content in plan.messages],
        "quantize": quantize,
        "draft_quantize": draft_quantize,
    }
    return {"model": model, **{key: value for key, value in parts.items() if value}}


def create(client: Client, request: Json, progress: Progress, *, as_json: bool = False) -> None:
    """Let the server work and show how far it is. Raises ClientError."""
    try:
        with closing(client.create(request)) as steps:
            follow(telling(steps, as_json=as_json), progress)
    except ClientError as error:
        if OLD_SERVER not in str(error):
            raise
        text = "the puna server must be updated to use `puna create` with this client"
        raise ClientError(text, error.status) from error
