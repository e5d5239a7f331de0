"""Text models of the reference's library under other names are, for the engine, those it knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from puna.convert.unwritten import Unwritten
from puna.gguf.translation.registry import read_translation
from puna.gguf.translation.target import Target
from puna.runner.llama.floats import widen
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.llama.overrides import SPLITTERS
from puna.runner.llama.projector import Projector
from puna.runner.protocol import LoadPlan
from tests.fakes.first_gpt_oss import write_first_pair
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.inner_eyes import EYES, put_inside, write_eye
from tests.fakes.monoliths import read_gguf, write_copy
from tests.fakes.projectors import LLAVA, make_image, make_projector
from tests.fakes.renamed import RENAMED, write_pair
from tests.fakes.shapes import make_tiny_experts
from tests.runner.raw import RawEngine
from tests.runner.seers import Seer, what_follows


def written(target: Target, source: Path, path: Path) -> Path:
    with Unwritten(target, source, widen) as file:
        path.write_bytes(b"".join(file.pieces()))
    return path


def check_alike(made: Path, expected: Path) -> None:
    """Every key that is expected, and exactly its tensors."""
    (keys, weights), (wanted, values) = read_gguf(made), read_gguf(expected)
    assert {key: keys.get(key) for key in wanted} == wanted
    assert weights.keys() == values.keys()
    for key, value in values.items():
        np.testing.assert_array_equal(weights[key], value)


@pytest.mark.parametrize("name", RENAMED)
def test_the_engine_gets_the_names_that_it_knows(tmp_path: Path, name: str) -> None:
    ours, theirs = write_pair(tmp_path, RENAMED[name])
    LOG.attach(lambda level, line: None)
    for path in (ours, theirs):
        Model(LoadPlan(model=str(path)), lambda fraction: None).close()
    assert read_translation(ours) is None
    translation = read_translation(theirs)
    assert translation is not None
    check_alike(written(translation.text, theirs, tmp_path / "made.gguf"), ours)


@pytest.mark.parametrize("name", EYES)
def test_the_engine_gets_encoders_that_it_knows(tmp_path: Path, name: str) -> None:
    _, theirs = write_pair(tmp_path, RENAMED[name])
    own = write_eye(tmp_path / "eye.gguf", EYES[name])
    whole = put_inside(tmp_path / "whole.gguf", theirs, EYES[name], own)
    translation = read_translation(whole)
    assert translation is not None
    assert translation.eye is not None, translation.why_blind
    check_alike(written(translation.eye, whole, tmp_path / "made.gguf"), own)
    LOG.attach(lambda level, line: None)
    model = Model(LoadPlan(model=str(whole)), lambda fraction: None)
    Projector(str(whole), model, 1, on_card=False).close()
    model.close()


def test_a_projector_that_does_not_say_its_kind_is_llavas(tmp_path: Path) -> None:
    model = make_tiny_llama(tmp_path / "m.gguf")
    told = make_projector(tmp_path / "told.gguf", LLAVA)
    keys, weights = read_gguf(told)
    del keys["clip.projector_type"]
    untold = write_copy(tmp_path / "untold.gguf", keys, weights)
    image = make_image(seed=1)
    seen = [
        what_follows(Seer(model, eye, LLAVA.tokens), "the dog [img-0] said", [image])
        for eye in (told, untold)
    ]
    np.testing.assert_array_equal(seen[0], seen[1])


def test_the_first_files_of_gpt_oss_are_read(tmp_path: Path) -> None:
    ours, theirs = write_first_pair(tmp_path)
    translation = read_translation(theirs)
    assert translation is not None
    check_alike(written(translation.text, theirs, tmp_path / "made.gguf"), ours)
    LOG.attach(lambda level, line: None)
    seen = []
    for path in (ours, theirs):
        engine = RawEngine(path)
        seen.append(engine.logits(range(40, 72)).copy())
        engine.close()
    assert np.isfinite(seen[0]).all()
    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize("piece_bytes", [1, 50, 100])
def test_values_in_another_order_are_ordered_piece_by_piece(
    tmp_path: Path, piece_bytes: int
) -> None:
    _, theirs = write_first_pair(tmp_path)
    translation = read_translation(theirs)
    assert translation is not None
    made = []
    for size in (1 << 20, piece_bytes):
        with Unwritten(translation.text, theirs, widen, piece_bytes=size) as file:
            whole = bytearray(file.size)
            file.read_into(memoryview(whole), 0)
            made.append(bytes(whole))
    assert made[0] == made[1]


@pytest.mark.parametrize("mixed", [False, True])
def test_experts_of_the_first_mixtrals_are_put_together(tmp_path: Path, mixed: bool) -> None:
    keys, weights = read_gguf(make_tiny_experts(tmp_path / "own.gguf"))
    apart = {}
    for name, values in weights.items():
        if "_exps." not in name:
            apart[name] = values
            continue
        halved = values.astype(np.float16)
        weights[name] = halved.astype(np.float32) if mixed else halved
        for number, expert in enumerate(halved):
            wide = mixed and number == 1
            apart[name.replace("_exps", f".{number}")] = expert.astype("f4") if wide else expert
    ours = write_copy(tmp_path / "ours.gguf", keys, weights)
    theirs = write_copy(tmp_path / "theirs.gguf", keys, apart)
    translation = read_translation(theirs)
    assert translation is not None
    check_alike(written(translation.text, theirs, tmp_path / "made.gguf"), ours)
    seen = []
    for path in (ours, theirs):
        engine = RawEngine(path)
        seen.append(engine.logits(range(40, 72)).copy())
        engine.close()
    np.testing.assert_array_equal(seen[0], seen[1])


def test_how_texts_are_cut_is_bettered_for_both_names(tmp_path: Path) -> None:
    """The reference's gpt-oss does not say how; what is told in its place is known to be wrong."""
    said: list[str] = []
    LOG.attach(lambda level, line: said.append(line))
    for path in write_pair(tmp_path, RENAMED["gpt-oss"]):
        said.clear()
        Model(LoadPlan(model=str(path)), lambda fraction: None).close()
        assert any(SPLITTERS["gpt-4o"] in line for line in said), path
