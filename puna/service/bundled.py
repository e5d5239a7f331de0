"""Models that come with Puna: installed into the store when somebody first asks for them.

Each is a folder of package data with a Modelfile, made into a model as `puna create` would. A
deleted one comes back on demand.
"""

from __future__ import annotations

from pathlib import Path

from puna.gguf.describe import describe
from puna.models.create_plan import make_create_plan
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import MODEL
from puna.models.modelfile import parse_modelfile
from puna.models.name import Name
from puna.service.building import ModelBuilder

__all__ = ["BUNDLED", "install_bundled", "is_bundled"]

BUNDLED = Path(__file__).resolve().parents[1] / "models" / "bundled"
"""Where they lie: a folder `<model>/` each."""

_COPY_BYTES = 1024 * 1024


def is_bundled(name: Name, folder: Path = BUNDLED) -> bool:
    """Whether Puna brings the model of this name: a plain one, in any case, without another tag."""
    plain = name.folded == Name.parse(name.model).folded
    return plain and (folder / name.model.lower() / "Modelfile").is_file()


def install_bundled(library: Library, name: Name, folder: Path = BUNDLED) -> None:
    """Copy a bundled model into the store. Doing it again, or twice at once, does no harm.

    Raises StoreFull, and OSError where the package is damaged.
    """
    home = folder / name.model.lower()
    plan = make_create_plan(parse_modelfile((home / "Modelfile").read_bytes()), home)
    builder = ModelBuilder(library)
    for path in plan.files:
        builder.add_file(MODEL, _copy(library, path))
        builder.describe(describe(path))
    builder.set_system(plan.system)
    builder.add_licenses(plan.licenses)
    builder.set_params(plan.parameters)
    builder.store()
    library.write(Name.parse(home.name), builder.finish())


def _copy(library: Library, path: Path) -> Digest:
    with path.open("rb") as source, library.blobs.writer() as writer:
        while piece := source.read(_COPY_BYTES):
            writer.write(piece)
        return writer.commit().digest
