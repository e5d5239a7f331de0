"""Encoders: what projectors make of an image or a recording, compared with what transformers makes
of it.

python -m tests.convert.parity.vision make FOLDER [CASE…]      where torch and transformers are
python -m tests.convert.parity.vision compare FOLDER [CASE…]   where Puna is
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import sys
import zlib
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.convert.parity.encoders import ENCODERS, Case
from tests.convert.parity.rewritten import REWRITTEN

__all__ = ["main"]

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "conversion.md"
BEGIN, END = "<!-- vision parity: begin -->", "<!-- vision parity: end -->"

_FIRST = 104  # tokens of the engine's first part of a recording for Qwen 3's
_BREAK = 300  # the token's id, beyond the vocabulary of bytes
_MEAN, _STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


def _folder(folder: Path, name: str) -> Path:
    return folder / f"vision-{name.replace(', ', '-').replace(' ', '-')}"


def _make(folder: Path, wanted: list[str]) -> int:
    torch = importlib.import_module("torch")
    write_tokenizer = importlib.import_module("tests.convert.parity.make").write_tokenizer
    own = importlib.import_module("tests.convert.parity.eyes").OWN
    for name in wanted or ENCODERS:
        case = ENCODERS[name]
        target = _folder(folder, name)
        torch.manual_seed(zlib.crc32(name.encode()))
        model = None if case.architecture in own else _saved(case, target)
        target.mkdir(parents=True, exist_ok=True)
        write_tokenizer(target, "bytes")
        _add_break(target / "tokenizer.json")
        if case.audio:
            medium = _sound()
            vectors = _heard(torch, model, medium)
            breaks = np.zeros(len(vectors), bool)
        else:
            settings = {"image_mean": _MEAN, "image_std": _STD, **case.processor}
            (target / "preprocessor_config.json").write_text(json.dumps(settings))
            medium = np.random.default_rng(7).integers(0, 256, (*case.size, 3), np.uint8)
            medium[:] = medium[0, 0] if case.plain else medium
            if model:
                vectors = _features(torch, model, model.config, medium)
                embedding = _embedding(model)
                breaks = (vectors[:, : len(embedding)] == embedding).all(1)
            else:
                vectors = own[case.architecture](case, target, _planes(torch, medium)).numpy()
                breaks = np.zeros(len(vectors), bool)
        np.savez(target / "expected.npz", medium=medium, vectors=vectors, breaks=breaks)
    return 0


def _saved(case: Case, target: Path) -> Any:
    """A model of a class of transformers, saved as it does or as the maker would."""
    transformers = importlib.import_module("transformers")
    sense = "audio" if case.audio else "vision"
    config = transformers.AutoConfig.for_model(
        **{**case.config, "text_config": case.text, f"{sense}_config": case.audio or case.vision}
    )
    config.architectures = [case.architecture]
    class_name, rewrite = REWRITTEN.get(case.architecture, (case.architecture, None))
    model = getattr(transformers, class_name)(config).eval()
    importlib.import_module("tests.convert.parity.eyes").spread(model)
    model.save_pretrained(target)
    if rewrite:
        rewrite(target)
    return model


def _add_break(path: Path) -> None:
    """The token that Pixtral has between the rows of an image; others do not mind it."""
    state = json.loads(path.read_text())
    state["added_tokens"].append({"id": _BREAK, "content": "[IMG_BREAK]", "special": True})
    path.write_text(json.dumps(state))


def _sound() -> np.ndarray[Any, Any]:
    """30 seconds at 16 kHz: a sweep, in noise."""
    time = np.arange(30 * 16_000) / 16_000
    noise = np.random.default_rng(7).standard_normal(len(time))
    return (0.5 * np.sin(2 * np.pi * (100 + 100 * time) * time) + 0.05 * noise).astype(np.float32)


def _heard(torch: Any, model: Any, sound: np.ndarray[Any, Any]) -> Any:
    """What the text model gets of a recording."""
    transformers = importlib.import_module("transformers")
    inner = getattr(model, "model", model)
    tower = inner.audio_tower
    extractor = transformers.WhisperFeatureExtractor(feature_size=tower.config.num_mel_bins)
    made = extractor(sound, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        frames = made["input_features"]
        mask = torch.ones(1, frames.shape[-1], dtype=torch.long)  # all of it is sound
        if tower.config.model_type == "qwen3_asr_encoder":
            states = tower(frames, mask).last_hidden_state[None, :_FIRST]
        elif tower.config.model_type == "audioflamingo3_encoder":
            states = tower(frames, mask).last_hidden_state
        else:
            states = tower(frames).last_hidden_state
        return inner.multi_modal_projector(states)[0].numpy()


def _planes(torch: Any, pixels: np.ndarray[Any, Any]) -> Any:
    """The image as normalised planes of colour."""
    values = ((pixels / 255.0 - np.array(_MEAN)) / np.array(_STD)).astype(np.float32)
    return torch.from_numpy(values.transpose(2, 0, 1).copy())


def _features(torch: Any, model: Any, config: Any, pixels: np.ndarray[Any, Any]) -> Any:
    """What the text model gets, in the engine's order of rows."""
    planes = _planes(torch, pixels)
    kind, patch = config.vision_config.model_type, getattr(config.vision_config, "patch_size", 1)
    patch = patch[0] if isinstance(patch, (list, tuple)) else patch
    height, width = (int(n) // patch for n in pixels.shape[:2])
    with torch.no_grad():
        if kind == "hunyuan_vl_vision":
            flat = planes.reshape(3, height, patch, width, patch).permute(1, 3, 0, 2, 4)
            sizes = torch.tensor([[1, height, width]])
            model.model.vision_tower.embeddings.interpolate_pos_encoding = partial(
                _spread_places, torch, model.model.vision_tower.embeddings
            )
            found = model.model.get_image_features(flat.reshape(height * width, -1), sizes)
        elif kind.startswith(("qwen", "glm", "exaone")):
            sizes = torch.tensor([[1, height, width]])
            found = model.get_image_features(_pairs(torch, planes, patch), image_grid_thw=sizes)
            deep = getattr(found, "deepstack_features", None) or []
            found = torch.cat([each[0] for each in (found.pooler_output, *deep)], -1)
        elif kind == "siglip2_vision_model":
            flat = planes.reshape(3, height, patch, width, patch).permute(1, 3, 2, 4, 0)
            found = model.get_image_features(
                flat.reshape(1, height * width, -1),
                spatial_shapes=torch.tensor([[height, width]]),
                pixel_attention_mask=torch.ones(1, height * width),
            )
        elif kind == "pixtral":
            sizes = torch.tensor([pixels.shape[:2]])
            found = model.get_image_features(pixel_values=planes[None], image_sizes=sizes)
        elif kind == "llama4_vision_model":
            states = model.get_image_features(pixel_values=planes[None]).last_hidden_state
            found = model.multi_modal_projector(states.reshape(-1, states.shape[-1]))
            side = math.isqrt(len(found))
            found = found.reshape(side, side, -1).transpose(0, 1).flatten(0, 1)  # see its row
        elif kind == "unlimited_ocr_vision":
            page = planes[:, :1, :1].expand(3, 1024, 1024)
            found = model.get_image_features(pixel_values=page[None])
        elif kind == "paddleocr_vl_vision":
            flat = planes.reshape(3, height, patch, width, patch).permute(1, 3, 0, 2, 4)
            sizes = torch.tensor([[1, height, width]])
            found = model.get_image_features(
                flat.reshape(-1, 3, patch, patch), image_grid_thw=sizes
            )
        elif kind == "gemma4_vision":
            flat = planes.reshape(3, height, patch, width, patch).permute(1, 3, 2, 4, 0)
            places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).flip(-1)
            found = model.get_image_features(
                flat.reshape(1, height * width, -1), image_position_ids=places[None]
            )
        elif kind in ("smolvlm_vision", "idefics3_vision"):
            found = model.get_image_features(pixel_values=planes[None, None])
        elif kind == "janus_vision_model":
            found = model.model.get_image_features(planes[None])
        elif kind == "minicpmv4_6_vision":
            sizes = torch.tensor([[height, width]])
            found = model.model.get_image_features(planes[None], sizes)
        elif kind == "clip_vision_model":
            return _class_last(torch, model, planes)
        else:
            found = model.get_image_features(pixel_values=planes[None])
    found = getattr(found, "pooler_output", found)
    found = found[0] if isinstance(found, (list, tuple)) else found
    rows: np.ndarray[Any, Any] = found.detach().reshape(-1, found.shape[-1]).float().numpy()
    if kind != "pixtral" or config.model_type == "lighton_ocr":
        return rows
    # the engine puts a token between rows of the image; transformers has it in the prompt
    line = width // getattr(config, "spatial_merge_size", 1)
    lines = [np.vstack([part, _embedding(model)]) for part in np.split(rows, len(rows) // line)]
    return np.vstack(lines)[:-1]


def _embedding(model: Any) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = model.get_input_embeddings().weight[_BREAK].detach().numpy()
    return values


def _spread_places(torch: Any, tower: Any, _patches: Any, height: int, width: int) -> Any:
    """HunYuan's places as its maker spreads them, and the engine: by a tenth of a patch more."""
    side = tower.position_edge
    places = tower.position_embedding.weight[1:].T.view(1, -1, side, side)
    scale = ((int(height) + 0.1) / side, (int(width) + 0.1) / side)
    spread = torch.nn.functional.interpolate(places, scale_factor=scale, mode="bilinear")
    return spread.flatten(2).transpose(1, 2)


def _class_last(torch: Any, model: Any, planes: Any) -> Any:
    """The engine's reading of CLIP: the class has the last position, not the first, and stands for
    the last patch, not for itself.
    """
    tower = model.model.vision_tower
    places = tower.embeddings.position_embedding.weight
    usual = places.clone()
    places.copy_(torch.roll(usual, 1, 0))
    states = tower(planes[None], output_hidden_states=True).hidden_states[-2][0]
    places.copy_(usual)
    moved = torch.roll(states, -1, 0)
    return model.model.multi_modal_projector(moved[1:]).numpy()


def _pairs(torch: Any, planes: Any, patch: int) -> Any:
    """Patches of an image that stands for two frames, four neighbours after each other."""
    _, height, width = planes.shape
    grid = torch.stack([planes, planes]).reshape(
        1, 2, 3, height // patch // 2, 2, patch, width // patch // 2, 2, patch
    )
    return grid.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, 3 * 2 * patch * patch)


async def _convert(source: Path, target: Path, kind: str) -> None:
    conversion = importlib.import_module("puna.convert.conversion")
    work = conversion.Conversion("model", source, target, kind)
    async with aclosing(conversion.convert(work)) as steps:
        async for _ in steps:
            pass


def _difference(source: Path, kind: str) -> float:
    """The largest difference, relative to the largest value."""
    vectors_of = importlib.import_module("puna.convert.check").vectors_of
    expected = np.load(source / "expected.npz")
    target = source / f"{kind}.gguf"
    asyncio.run(_convert(source, target, kind))
    projector = target.with_name(f"{target.name}.projector")
    found = vectors_of(target, projector, expected["medium"])
    wanted = expected["vectors"]
    if found.shape != wanted.shape:
        raise ValueError(f"shapes {found.shape} and {wanted.shape}")
    # between rows Pixtral's graph adds to memory that nobody has filled, times zero
    empty = expected["breaks"] & ~np.isfinite(found).all(1)
    found, wanted = found[~empty], wanted[~empty]
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def _compare(folder: Path, wanted: list[str]) -> int:
    lines = ["| encoder | architecture | F32 | F16 | |", "|---|---|---|---|---|"]
    failed = False
    for name in wanted or ENCODERS:
        case = ENCODERS[name]
        full, half = (_difference(_folder(folder, name), kind) for kind in ("F32", "F16"))
        near = full <= case.tolerance and half <= 4 * case.tolerance
        failed = failed or not near
        sys.stdout.write(f"{'ok  ' if near else 'FAIL'} {name:28} f32 {full:.2e}  f16 {half:.2e}\n")
        lines.append(f"| {name} | `{case.architecture}` | {full:.1e} | {half:.1e} | {case.note} |")
    if not wanted:
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        table = "\n".join(lines)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
    return int(failed)


def main(arguments: list[str]) -> int:
    """Read the command line; gives the exit status."""
    what, folder, *wanted = arguments
    return {"make": _make, "compare": _compare}[what](Path(folder), wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
