"""Models whose encoder is in the same file, as the reference's library has them, say and see what
the engine's own two files do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from puna.convert.conversion import Conversion, Order
from puna.convert.model import convert_model
from tests.fakes.monoliths import FORMS, name_pre, round_eye, write_monolith
from tests.fakes.projectors import make_image
from tests.fakes.sighted import CHECKPOINTS
from tests.runner.seers import Seer, what_follows

CHECKPOINT_OF = {
    "gemma3": "gemma3",
    "qwen25vl": "qwen2.5-vl",
    "mistral3": "mistral3",
    "llama4": "llama4",
    "qwen3vl": "qwen3-vl",
    "lfm2": "lfm2-vl",
}
SIZES = {"mistral3": (112, 112)}  # several rows, for what stands between them
QUESTION = "the dog [img-0] said"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Seer, Seer]]:
    """The engine's two files of an architecture, and the one file of the reference's."""
    folder = tmp_path_factory.mktemp("monoliths")
    made: dict[str, tuple[Seer, Seer]] = {}

    def make(name: str) -> tuple[Seer, Seer]:
        if name not in made:
            source, form = CHECKPOINTS[CHECKPOINT_OF[name]], FORMS[name]
            text = folder / f"{name}.gguf"
            eye = Conversion("model", text, text).projector
            written = str(source.write(folder / name))
            order = Order("model", written, str(text), "F32", projector=str(eye))
            convert_model(order, lambda done, total: None)
            name_pre(text, form)
            one = write_monolith(folder / f"{name}-whole.gguf", text, round_eye(eye, form), form)
            made[name] = Seer(text, eye, source.tokens), Seer(one, one, source.tokens)
        return made[name]

    return make


@pytest.mark.parametrize("name", FORMS)
def test_both_forms_are_one_model(pair: Callable[[str], tuple[Seer, Seer]], name: str) -> None:
    two, one = pair(name)
    width, height = SIZES.get(name, CHECKPOINTS[CHECKPOINT_OF[name]].size)
    images = [make_image(width, height, seed=seed) for seed in (1, 2)]
    seen = [what_follows(two, QUESTION, [image]) for image in images]
    for image, expected in zip(images, seen, strict=True):
        np.testing.assert_array_equal(what_follows(one, QUESTION, [image]), expected)
    assert not np.array_equal(seen[0], seen[1])
    plain = what_follows(two, "the dog said", [])
    np.testing.assert_array_equal(what_follows(one, "the dog said", []), plain)
