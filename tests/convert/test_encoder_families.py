"""What configurations of encoders are taken, and which are refused with a word on why."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from puna.convert.config import Config
from puna.convert.projector import EncoderConfig
from puna.convert.projectors.registry import projectors
from puna.convert.tensor import made
from puna.errors import BadCheckpoint

_EYE = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 980,
    "patch_size": 14,
}


def _encoder(architecture: str, whole: dict[str, Any], own: dict[str, Any]) -> EncoderConfig:
    (projector,) = projectors()[architecture]
    config = Config({"architectures": [architecture], "hidden_size": 256, **whole})
    return EncoderConfig(config, projector.settings(Config({**_EYE, **own})), Config({}), {})


REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "a version that nobody knows": ("MiniCPMV", {"version": 9}, {}, "'version' is '9'"),
    "hearing in a version that does not": ("MiniCPMO", {"version": 4.0}, {}, "'version' is '4.0'"),
    "a block that was taken off": (
        "MiniCPMV",
        {"version": 2.6, "drop_vision_last_layer": True},
        {},
        "drop_vision_last_layer",
    ),
    "another number of learned places": ("MiniCPMV", {"version": 2.6}, {"image_size": 448}, "70"),
    "a width that heads do not part": (
        "MiniCPMV",
        {"version": 2.6, "hidden_size": 200},
        {},
        "a multiple of 128",
    ),
    "fewer neighbours merged": (
        "MiniCPMV4_6ForConditionalGeneration",
        {"downsample_mode": "4x"},
        {},
        "16x",
    ),
    "places that are no square": (
        "KimiVLForConditionalGeneration",
        {},
        {"init_pos_emb_height": 8, "init_pos_emb_width": 4},
        "init_pos_emb_width",
    ),
    "three neighbours": ("DotsOCRForCausalLM", {}, {"spatial_merge_size": 3}, "spatial_merge_size"),
    "more of them": ("NemotronH_Nano_VL_V2", {"downsample_ratio": 0.25}, {}, "downsample_ratio"),
    "places spread in another way": (
        "HunYuanVLForConditionalGeneration",
        {},
        {"interpolate_mode": "bicubic"},
        "interpolate_mode",
    ),
}


@pytest.mark.parametrize(("architecture", "whole", "own", "word"), REFUSED.values(), ids=REFUSED)
def test_what_the_engine_computes_otherwise_is_refused(
    architecture: str, whole: dict[str, Any], own: dict[str, Any], word: str
) -> None:
    own = {"embed_dim": 48, **own}
    (projector,) = projectors()[architecture]
    with pytest.raises(BadCheckpoint, match=re.escape(word)):
        projector.keys(_encoder(architecture, whole, own))


@pytest.mark.parametrize(
    ("architecture", "version", "number"),
    [("MiniCPMV", 2.5, 2), ("MiniCPMV", 2.6, 3), ("MiniCPMO", "2.6", 4), ("MiniCPMV", 4.0, 5)],
)
def test_the_engine_counts_versions_of_minicpm_v_in_its_own_way(
    architecture: str, version: object, number: int
) -> None:
    (projector,) = projectors()[architecture]
    keys = projector.keys(_encoder(architecture, {"version": version}, {}))
    assert keys["minicpmv_version"] == number
    assert keys["vision.image_size"] == 448


def test_places_of_a_tile_lie_between_those_of_the_largest_image() -> None:
    architecture = "NemotronH_Nano_VL_V2"
    encoder = _encoder(architecture, {"force_image_size": 28}, {"hidden_size": 2})
    (projector,) = projectors()[architecture]
    rows, columns = np.mgrid[0:8, 0:8]
    learned = made(np.stack([rows, columns], -1).reshape(1, 64, 2), "places")
    name = "vision_model.radio_model.model.patch_generator.pos_embed"
    ((target, tensor),) = projector.weights(encoder, name, learned)
    assert target == "v.position_embd.weight"
    assert tensor.load().tolist() == [[1.5, 1.5], [1.5, 5.5], [5.5, 1.5], [5.5, 5.5]]
    with pytest.raises(BadCheckpoint, match="60 places are no square"):
        list(projector.weights(encoder, name, made(np.ones((1, 60, 2)), "places")))
