"""Encoders that transformers has no class for, put together of its parts: MiniCPM-V's queries.
Runs where torch is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from tests.convert.parity.layers import norm

__all__ = ["OWN", "spread"]

_HEAD, _PLACES, _EPS = 128, 70, 1e-5
_LEARNED = 16  # places along a side, of RADIO
_SIZES = ("hidden_size", "intermediate_size", "num_attention_heads")
Planes = Any
Eye = Callable[[Any, Path, Planes], Any]
"""Of a row of the table, its folder, in which a checkpoint is written, and normalised planes of
colour: the vectors of their image.
"""


def spread(model: Any) -> None:
    """Weights so large that a fault shows, and bounds that cut."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                scale = parameter.shape[1:].numel() ** 0.5
                parameter.normal_(0, 1.6 / scale)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.3)
        for name, bound in model.named_buffers():
            if name.endswith(("put_min", "put_max")):
                bound.fill_(-3.0 if name.endswith("min") else 3.0)


class _Queries(nn.Module):  # type: ignore[misc] # torch is not there when types are checked
    """Learned queries that look at patches, each of which has its place added to it."""

    def __init__(self, n_queries: int, text: int, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(n_queries, text))
        self.kv_proj = nn.Linear(width, text, bias=False)
        self.attn = nn.MultiheadAttention(text, text // _HEAD)
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(text, eps=1e-6) for _ in range(3))
        self.proj = nn.Parameter(torch.zeros(text, text))

    def forward(self, patches: Any, height: int, width: int) -> Any:
        """Of patches of shape (place, value), row by row, a vector for each query."""
        values = self.ln_kv(self.kv_proj(patches))
        places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).flip(-1)
        quarter = values.shape[-1] // 4
        angles = places[..., None] * 10000.0 ** (-torch.arange(quarter) / quarter)
        keys = values + torch.cat([angles.sin(), angles.cos()], -1).flatten(1)
        return self.ln_post(self.attn(self.ln_q(self.query), keys, values)[0]) @ self.proj


def _minicpm_v(case: Any, folder: Path, planes: Planes) -> Any:
    text = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**case.text))
    tower = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**case.vision))
    tower = getattr(tower, "vision_model", tower)
    queries = _Queries(case.config["query_num"], case.text["hidden_size"], tower.config.hidden_size)
    for model in (text, tower, queries):
        spread(model.eval())
    parts = {"llm": text, "vpm": tower, "resampler": queries}
    weights = {
        f"{prefix}.{name}": values.contiguous().clone()
        for prefix, model in parts.items()
        for name, values in model.state_dict().items()
        if ".head." not in name and not name.startswith("head.") and "position_ids" not in name
    }
    settings = {**case.text, **case.config, "architectures": [case.architecture]}
    settings["vision_config"] = {**case.vision, "model_type": "siglip"}
    (folder / "config.json").write_text(json.dumps(settings))
    save_file(weights, folder / "model.safetensors")
    patch = tower.config.patch_size
    height, width = planes.shape[1] // patch, planes.shape[2] // patch
    rows, columns = (torch.arange(n) * _PLACES // n for n in (height, width))
    with torch.no_grad():
        found = tower.embeddings.patch_embedding(planes[None]).flatten(2).transpose(1, 2)
        places = (rows[:, None] * _PLACES + columns).flatten()
        found = found + tower.embeddings.position_embedding(places)
        found = tower.encoder(inputs_embeds=found).last_hidden_state
        return queries(tower.post_layernorm(found)[0], height, width)


def _normed(weights: Mapping[str, Any], name: str, x: Any, eps: float = 1e-5) -> Any:
    scale, offset = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.layer_norm(x, x.shape[-1:], scale, offset, eps)


def _linear(weights: Mapping[str, Any], name: str, x: Any) -> Any:
    return functional.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def _seen(query: Any, key: Any, value: Any) -> Any:
    """All places look at all; heads of shape (place, head, value)."""
    query, key, value = (part.transpose(0, 1) for part in (query, key, value))
    return functional.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1)


def _merged(x: Any, height: int, width: int) -> Any:
    """Four neighbours side by side."""
    grid = x.view(height // 2, 2, width // 2, 2, -1).permute(0, 2, 1, 3, 4)
    return grid.reshape(height * width // 4, 4, -1)


def _drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    weights = {}
    for name, shape in shapes.items():
        is_norm = len(shape) == 1 and name.endswith("weight")
        scale = math.prod(shape[1:]) ** 0.5 if len(shape) > 1 else 1.0
        spread = 1.6 / scale if len(shape) > 1 else 0.3
        weights[name] = torch.randn(shape) * spread + float(is_norm)
    return weights


def _patches(weights: Mapping[str, Any], name: str, planes: Planes) -> tuple[Any, int, int]:
    kernel = weights[f"{name}.weight"]
    found = functional.conv2d(
        planes[None], kernel, weights[f"{name}.bias"], stride=kernel.shape[-1]
    )[0]
    return found.flatten(1).T, found.shape[1], found.shape[2]


def _write(
    case: Any, folder: Path, text: Any, weights: dict[str, Any], prefix: str, **settings: Any
) -> None:
    """A checkpoint of a text model, and of tensors beside it."""
    spread(text.eval())
    whole = {f"{prefix}{name}": values.clone() for name, values in text.state_dict().items()}
    save_file(whole | weights, folder / "model.safetensors")
    settings |= {**case.config, "architectures": [case.architecture], "vision_config": case.vision}
    (folder / "config.json").write_text(json.dumps(settings))


def _kimi_vl(case: Any, folder: Path, planes: Planes) -> Any:
    """MoonViT: a pair of a head's values turns by column, the next by row, and so on."""
    own = case.vision
    width, ffn, n_heads = (own[key] for key in _SIZES)
    side, size, text = own["init_pos_emb_height"], own["patch_size"], case.text["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "vision_tower.patch_embed.proj.weight": (width, 3, size, size),
        "vision_tower.patch_embed.proj.bias": (width,),
        "vision_tower.patch_embed.pos_emb.weight": (side, side, width),
        **_rows("multi_modal_projector.linear_1", 4 * width, 4 * width),
        **_rows("multi_modal_projector.linear_2", text, 4 * width),
    }
    for name in ("vision_tower.encoder.final_layernorm", "multi_modal_projector.pre_norm"):
        shapes |= _rows(name, width)
    for number in range(own["num_hidden_layers"]):
        stem = f"vision_tower.encoder.blocks.{number}"
        shapes |= _rows(f"{stem}.norm0", width) | _rows(f"{stem}.norm1", width)
        shapes |= _rows(f"{stem}.wqkv", 3 * width, width) | _rows(f"{stem}.wo", width, width)
        shapes |= _rows(f"{stem}.mlp.fc0", ffn, width) | _rows(f"{stem}.mlp.fc1", width, ffn)
    weights = _drawn(shapes)
    model = transformers.DeepseekV3ForCausalLM(transformers.DeepseekV3Config(**case.text))
    _write(case, folder, model, weights, "language_model.", text_config=case.text)
    x, height, length = _patches(weights, "vision_tower.patch_embed.proj", planes)
    x = x + weights["vision_tower.patch_embed.pos_emb.weight"].flatten(0, 1)
    rows, columns = _grid(height, length)
    speeds = 10000.0 ** (-torch.arange(0, width // n_heads, 4) / (width // n_heads))
    angles = torch.stack([columns[:, None] * speeds, rows[:, None] * speeds], -1).flatten(1)
    for number in range(own["num_hidden_layers"]):
        stem = f"vision_tower.encoder.blocks.{number}"
        joined = _linear(weights, f"{stem}.wqkv", _normed(weights, f"{stem}.norm0", x))
        query, key, value = (part.view(len(x), n_heads, -1) for part in joined.chunk(3, -1))
        query, key = (_turned_pairs(part, angles) for part in (query, key))
        x = x + _linear(weights, f"{stem}.wo", _seen(query, key, value))
        h = _linear(weights, f"{stem}.mlp.fc0", _normed(weights, f"{stem}.norm1", x))
        x = x + _linear(weights, f"{stem}.mlp.fc1", functional.gelu(h, approximate="tanh"))
    x = _merged(_normed(weights, "vision_tower.encoder.final_layernorm", x), height, length)
    x = _normed(weights, "multi_modal_projector.pre_norm", x).flatten(1)
    h = functional.gelu(_linear(weights, "multi_modal_projector.linear_1", x))
    return _linear(weights, "multi_modal_projector.linear_2", h)


def _dots_ocr(case: Any, folder: Path, planes: Planes) -> Any:
    """Half of a head turns by row, half by column, each value with the one half a head further."""
    own = case.vision
    width, ffn, n_heads = own["embed_dim"], own["intermediate_size"], own["num_attention_heads"]
    size, tower = own["patch_size"], "vision_tower"
    shapes: dict[str, tuple[int, ...]] = {
        f"{tower}.patch_embed.patchifier.proj.weight": (width, 3, size, size),
        f"{tower}.patch_embed.patchifier.proj.bias": (width,),
        f"{tower}.patch_embed.patchifier.norm.weight": (width,),
        f"{tower}.post_trunk_norm.weight": (width,),
        **_rows(f"{tower}.merger.ln_q", width),
        **_rows(f"{tower}.merger.mlp.0", 4 * width, 4 * width),
        **_rows(f"{tower}.merger.mlp.2", case.text["hidden_size"], 4 * width),
    }
    for number in range(own["num_hidden_layers"]):
        stem = f"{tower}.blocks.{number}"
        shapes |= {f"{stem}.norm1.weight": (width,), f"{stem}.norm2.weight": (width,)}
        for name, n_rows, n_columns in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", ffn, width),
            ("mlp.fc2", width, ffn),
            ("mlp.fc3", ffn, width),
        ):
            shapes[f"{stem}.{name}.weight"] = (n_rows, n_columns)
    weights = _drawn(shapes)
    model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**case.text))
    _write(case, folder, model, weights, "", **case.text)
    x, height, length = _patches(weights, f"{tower}.patch_embed.patchifier.proj", planes)
    x = norm(weights, f"{tower}.patch_embed.patchifier.norm", x, _EPS)
    quarter = width // n_heads // 4
    speeds = 10000.0 ** (-torch.arange(quarter) / quarter)
    places = [each[:, None] * speeds for each in _grid(height, length)]
    angles = torch.cat(places * 2, -1)[:, None]
    for number in range(own["num_hidden_layers"]):
        stem = f"{tower}.blocks.{number}"
        joined = _linear(weights, f"{stem}.attn.qkv", norm(weights, f"{stem}.norm1", x, _EPS))
        query, key, value = (part.view(len(x), n_heads, -1) for part in joined.chunk(3, -1))
        query, key = (
            part * angles.cos()
            + torch.cat([-part.chunk(2, -1)[1], part.chunk(2, -1)[0]], -1) * angles.sin()
            for part in (query, key)
        )
        x = x + _linear(weights, f"{stem}.attn.proj", _seen(query, key, value))
        h = norm(weights, f"{stem}.norm2", x, _EPS)
        gate, up = (_linear(weights, f"{stem}.mlp.fc{part}", h) for part in (1, 3))
        x = x + _linear(weights, f"{stem}.mlp.fc2", functional.silu(gate) * up)
    x = norm(weights, f"{tower}.post_trunk_norm", x, _EPS)
    x = _merged(_normed(weights, f"{tower}.merger.ln_q", x, 1e-6), height, length).flatten(1)
    h = functional.gelu(_linear(weights, f"{tower}.merger.mlp.0", x))
    return _linear(weights, f"{tower}.merger.mlp.2", h)


def _nemotron_vl(case: Any, folder: Path, planes: Planes) -> Any:
    """RADIO: vectors of its own stand before the patches, and are left out behind the blocks."""
    own, tower = case.vision, "vision_model.radio_model.model"
    width, ffn, n_heads = (own[key] for key in _SIZES)
    size, n_before, text = own["patch_size"], 10, case.text["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        f"{tower}.patch_generator.embedder.weight": (width, 3 * size**2),
        f"{tower}.patch_generator.pos_embed": (1, _LEARNED**2, width),
        f"{tower}.patch_generator.cls_token.token": (n_before, width),
        "mlp1.0.weight": (4 * width,),
        "mlp1.1.weight": (case.config["projector_hidden_size"], 4 * width),
        "mlp1.3.weight": (text, case.config["projector_hidden_size"]),
    }
    for number in range(own["num_hidden_layers"]):
        stem = f"{tower}.blocks.{number}"
        shapes |= _rows(f"{stem}.norm1", width) | _rows(f"{stem}.norm2", width)
        shapes |= _rows(f"{stem}.attn.qkv", 3 * width, width)
        shapes |= _rows(f"{stem}.attn.proj", width, width)
        shapes |= _rows(f"{stem}.mlp.fc1", ffn, width) | _rows(f"{stem}.mlp.fc2", width, ffn)
    weights = _drawn(shapes)
    model = transformers.NemotronHForCausalLM(transformers.NemotronHConfig(**case.text))
    _write(case, folder, model, weights, "language_model.", llm_config=case.text)
    side = planes.shape[1] // size
    grid = planes.view(3, side, size, side, size).permute(1, 3, 0, 2, 4).reshape(side**2, -1)
    learned = weights[f"{tower}.patch_generator.pos_embed"].view(_LEARNED, _LEARNED, width)
    places = functional.interpolate(
        learned.permute(2, 0, 1)[None], size=(side, side), mode="bilinear", align_corners=False
    )
    x = functional.linear(grid, weights[f"{tower}.patch_generator.embedder.weight"])
    x = x + places[0].flatten(1).T
    x = torch.cat([weights[f"{tower}.patch_generator.cls_token.token"], x])
    for number in range(own["num_hidden_layers"]):
        stem = f"{tower}.blocks.{number}"
        joined = _linear(weights, f"{stem}.attn.qkv", _normed(weights, f"{stem}.norm1", x, 1e-6))
        query, key, value = (part.view(len(x), n_heads, -1) for part in joined.chunk(3, -1))
        x = x + _linear(weights, f"{stem}.attn.proj", _seen(query, key, value))
        h = _linear(weights, f"{stem}.mlp.fc1", _normed(weights, f"{stem}.norm2", x, 1e-6))
        x = x + _linear(weights, f"{stem}.mlp.fc2", functional.gelu(h))
    x = _merged(x[n_before:], side, side).flatten(1)
    h = _linear(weights, "mlp1.1", norm(weights, "mlp1.0", x, 1e-6)).relu() ** 2
    return _linear(weights, "mlp1.3", h)


def _rows(name: str, rows: int, *columns: int) -> dict[str, tuple[int, ...]]:
    """A matrix or a norm, and its offset."""
    return {f"{name}.weight": (rows, *columns), f"{name}.bias": (rows,)}


def _grid(height: int, width: int) -> tuple[Any, Any]:
    """Of all places the row and the column."""
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    return places[:, 0], places[:, 1]


def _turned_pairs(x: Any, angles: Any) -> Any:
    """Each value with its neighbour."""
    first, second, angles = x[..., ::2], x[..., 1::2], angles[:, None]
    both = (
        first * angles.cos() - second * angles.sin(),
        second * angles.cos() + first * angles.sin(),
    )
    return torch.stack(both, -1).flatten(-2)


OWN: Mapping[str, Eye] = MappingProxyType(
    {
        "MiniCPMV": _minicpm_v,
        "KimiVLForConditionalGeneration": _kimi_vl,
        "DotsOCRForCausalLM": _dots_ocr,
        "NemotronH_Nano_VL_V2": _nemotron_vl,
    }
)
"""By the architecture what writes a checkpoint and computes."""
