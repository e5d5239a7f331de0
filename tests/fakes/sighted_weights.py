"""Random weights of tiny models that see, under the names that their makers give them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.checkpoints import llama_weights

__all__ = [
    "FFN",
    "LAYERS",
    "PATCH",
    "TEXT",
    "WIDTH",
    "Weights",
    "gemma3",
    "lfm2",
    "llama4",
    "llava",
    "mistral3",
    "qwen3",
    "qwen25",
]

Weights = dict[str, NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]

TEXT = 32
"""The width of all text models; encoders have another."""

WIDTH, FFN, LAYERS, PATCH = 24, 40, 2, 14
"""Of all encoders; patches in pixels."""


def _random(shapes: Shapes) -> Weights:
    draw = np.random.default_rng(3)
    return {
        name: draw.normal(0, 1.5 / max(math.prod(shape[1:]), 4) ** 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Shapes:
    shapes: Shapes = {f"{name}.weight": (rows, columns)}
    return shapes | ({f"{name}.bias": (rows,)} if bias else {})


def _norm(name: str, *, width: int = WIDTH, bias: bool = True) -> Shapes:
    names = ("weight", "bias") if bias else ("weight",)
    return {f"{name}.{each}": (width,) for each in names}


def _siglip(tower: str) -> Shapes:
    """What the encoders of CLIP and SigLIP have in common."""
    shapes: Shapes = {
        f"{tower}.embeddings.patch_embedding.weight": (WIDTH, 3, PATCH, PATCH),
        **_norm(f"{tower}.post_layernorm"),
    }
    for layer in range(LAYERS):
        block = f"{tower}.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{block}.self_attn.{name}", WIDTH, WIDTH)
        shapes |= _norm(f"{block}.layer_norm1") | _norm(f"{block}.layer_norm2")
        shapes |= _linear(f"{block}.mlp.fc1", FFN, WIDTH)
        shapes |= _linear(f"{block}.mlp.fc2", WIDTH, FFN)
    return shapes


def _within(weights: Iterable[tuple[str, NDArray[Any]]]) -> Weights:
    """The text model's weights as a part of a larger one."""
    return {f"language_model.{name}": values for name, values in weights}


def gemma3() -> Weights:
    text = {name: values for name, values in llama_weights().items() if name != "lm_head.weight"}
    for layer in range(2):
        for name in ("pre_feedforward_layernorm", "post_feedforward_layernorm"):
            text[f"model.layers.{layer}.{name}.weight"] = np.zeros(TEXT, np.float32)
        for name in ("q_norm", "k_norm"):
            text[f"model.layers.{layer}.self_attn.{name}.weight"] = np.zeros(8, np.float32)
    tower = "vision_tower.vision_model"
    return _within(text.items()) | _random(
        {
            **_siglip(tower),
            f"{tower}.embeddings.patch_embedding.bias": (WIDTH,),
            f"{tower}.embeddings.position_embedding.weight": (16, WIDTH),
            f"{tower}.head.probe": (1, 1, WIDTH),
            "multi_modal_projector.mm_soft_emb_norm.weight": (WIDTH,),
            "multi_modal_projector.mm_input_projection_weight": (WIDTH, TEXT),
        }
    )


def llava() -> Weights:
    tower = "vision_tower.vision_model"
    return _within(llama_weights().items()) | _random(
        {
            **_siglip(tower),
            f"{tower}.embeddings.class_embedding": (WIDTH,),
            f"{tower}.embeddings.position_embedding.weight": (17, WIDTH),
            **_norm(f"{tower}.pre_layrnorm"),
            **_linear("multi_modal_projector.linear_1", TEXT, WIDTH),
            **_linear("multi_modal_projector.linear_2", TEXT, TEXT),
        }
    )


def qwen25() -> Weights:
    text = llama_weights()
    for layer in range(2):
        for name, rows in (("q_proj", 32), ("k_proj", 16), ("v_proj", 16)):
            text[f"model.layers.{layer}.self_attn.{name}.bias"] = np.zeros(rows, np.float32)
    shapes: Shapes = {
        "visual.patch_embed.proj.weight": (WIDTH, 3, 2, PATCH, PATCH),
        **_norm("visual.merger.ln_q", bias=False),
        **_linear("visual.merger.mlp.0", 4 * WIDTH, 4 * WIDTH),
        **_linear("visual.merger.mlp.2", TEXT, 4 * WIDTH),
    }
    for layer in range(LAYERS):
        block = f"visual.blocks.{layer}"
        shapes |= _linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        shapes |= _linear(f"{block}.attn.proj", WIDTH, WIDTH)
        shapes |= _norm(f"{block}.norm1", bias=False) | _norm(f"{block}.norm2", bias=False)
        shapes |= _linear(f"{block}.mlp.gate_proj", FFN, WIDTH)
        shapes |= _linear(f"{block}.mlp.up_proj", FFN, WIDTH)
        shapes |= _linear(f"{block}.mlp.down_proj", WIDTH, FFN)
    return text | _random(shapes)


def mistral3() -> Weights:
    shapes: Shapes = {
        "vision_tower.patch_conv.weight": (WIDTH, 3, PATCH, PATCH),
        **_norm("vision_tower.ln_pre", bias=False),
        **_norm("multi_modal_projector.norm", bias=False),
        "multi_modal_projector.patch_merger.merging_layer.weight": (WIDTH, 4 * WIDTH),
        **_linear("multi_modal_projector.linear_1", TEXT, WIDTH, bias=False),
        **_linear("multi_modal_projector.linear_2", TEXT, TEXT, bias=False),
    }
    for layer in range(LAYERS):
        block = f"vision_tower.transformer.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes |= _linear(f"{block}.attention.{name}", WIDTH, WIDTH, bias=False)
        shapes |= _norm(f"{block}.attention_norm", bias=False)
        shapes |= _norm(f"{block}.ffn_norm", bias=False)
        for name in ("gate_proj", "up_proj"):
            shapes |= _linear(f"{block}.feed_forward.{name}", FFN, WIDTH, bias=False)
        shapes |= _linear(f"{block}.feed_forward.down_proj", WIDTH, FFN, bias=False)
    return _within(llama_weights().items()) | _random(shapes)


def qwen3() -> Weights:
    text = llama_weights()
    for layer in range(2):
        for name in ("q_norm", "k_norm"):
            text[f"model.layers.{layer}.self_attn.{name}.weight"] = np.ones(8, np.float32)
    mergers = {"merger": WIDTH, "deepstack_merger_list.0": 4 * WIDTH}
    shapes: Shapes = {
        "visual.patch_embed.proj.weight": (WIDTH, 3, 2, PATCH, PATCH),
        "visual.patch_embed.proj.bias": (WIDTH,),
        "visual.pos_embed.weight": (16, WIDTH),
    }
    for name, width in mergers.items():
        shapes |= _norm(f"visual.{name}.norm", width=width)
        shapes |= _linear(f"visual.{name}.linear_fc1", 4 * WIDTH, 4 * WIDTH)
        shapes |= _linear(f"visual.{name}.linear_fc2", TEXT, 4 * WIDTH)
    for layer in range(LAYERS):
        block = f"visual.blocks.{layer}"
        shapes |= _linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        shapes |= _linear(f"{block}.attn.proj", WIDTH, WIDTH)
        shapes |= _norm(f"{block}.norm1") | _norm(f"{block}.norm2")
        shapes |= _linear(f"{block}.mlp.linear_fc1", FFN, WIDTH)
        shapes |= _linear(f"{block}.mlp.linear_fc2", WIDTH, FFN)
    renamed = {name.replace("model.", "model.language_model.", 1): w for name, w in text.items()}
    return renamed | {f"model.{name}": values for name, values in _random(shapes).items()}


def lfm2() -> Weights:
    """One block of a short convolution, one of attention."""
    usual = llama_weights()
    text: Weights = {
        "model.embed_tokens.weight": usual["model.embed_tokens.weight"],
        "model.embedding_norm.weight": np.ones(TEXT, np.float32),
    }
    for layer in range(2):
        block = f"model.layers.{layer}"
        for name in ("operator_norm", "ffn_norm"):
            text[f"{block}.{name}.weight"] = np.ones(TEXT, np.float32)
        for ours, theirs in (("w1", "gate_proj"), ("w2", "down_proj"), ("w3", "up_proj")):
            text[f"{block}.feed_forward.{ours}.weight"] = usual[f"{block}.mlp.{theirs}.weight"]
    for ours, theirs in (("q", "q"), ("k", "k"), ("v", "v"), ("out", "o")):
        source = usual[f"model.layers.1.self_attn.{theirs}_proj.weight"]
        text[f"model.layers.1.self_attn.{ours}_proj.weight"] = source
    for letter in "qk":
        text[f"model.layers.1.self_attn.{letter}_layernorm.weight"] = np.ones(8, np.float32)
    tower = "model.vision_tower.vision_model"
    patch = f"{tower}.embeddings.patch_embedding"
    return {name.replace("model.", "model.language_model.", 1): w for name, w in text.items()} | (
        _random(
            {
                "model.language_model.layers.0.conv.conv.weight": (TEXT, 1, 3),
                "model.language_model.layers.0.conv.in_proj.weight": (3 * TEXT, TEXT),
                "model.language_model.layers.0.conv.out_proj.weight": (TEXT, TEXT),
                **_siglip(tower),
                f"{patch}.weight": (WIDTH, 3 * PATCH**2),
                f"{patch}.bias": (WIDTH,),
                f"{tower}.embeddings.position_embedding.weight": (16, WIDTH),
                **_norm("model.multi_modal_projector.layer_norm", width=4 * WIDTH),
                **_linear("model.multi_modal_projector.linear_1", FFN, 4 * WIDTH),
                **_linear("model.multi_modal_projector.linear_2", TEXT, FFN),
            }
        )
    )


def llama4() -> Weights:
    """Four blocks, the last without rotation, every second one with experts."""
    usual = llama_weights()
    text = {name: values for name, values in usual.items() if ".layers." not in name}
    shapes: Shapes = {
        "vision_model.patch_embedding.linear.weight": (WIDTH, 3 * PATCH**2),
        "vision_model.class_embedding": (WIDTH,),
        "vision_model.positional_embedding_vlm": (17, WIDTH),
        **_norm("vision_model.layernorm_pre"),
        **_norm("vision_model.layernorm_post"),
        "vision_model.vision_adapter.mlp.fc1.weight": (36, 4 * WIDTH),
        "vision_model.vision_adapter.mlp.fc2.weight": (36, 36),
        "multi_modal_projector.linear_1.weight": (TEXT, 36),
    }
    for layer in range(4):
        block, source = f"model.layers.{layer}", f"model.layers.{layer % 2}"
        for name in ("input_layernorm.weight", "post_attention_layernorm.weight"):
            text[f"{block}.{name}"] = usual[f"{source}.{name}"]
        for letter in "qkvo":
            name = f"self_attn.{letter}_proj.weight"
            text[f"{block}.{name}"] = usual[f"{source}.{name}"]
        feed = f"language_model.{block}.feed_forward"
        if layer % 2:
            shapes |= _linear(f"{feed}.router", 2, TEXT, bias=False)
            shapes[f"{feed}.experts.gate_up_proj"] = (2, TEXT, 96)
            shapes[f"{feed}.experts.down_proj"] = (2, 48, TEXT)
            feed += ".shared_expert"
        shapes |= _linear(f"{feed}.gate_proj", 48, TEXT, bias=False)
        shapes |= _linear(f"{feed}.up_proj", 48, TEXT, bias=False)
        shapes |= _linear(f"{feed}.down_proj", TEXT, 48, bias=False)
    for layer in range(LAYERS):
        block = f"vision_model.model.layers.{layer}"
        for letter in "qkvo":
            shapes |= _linear(f"{block}.self_attn.{letter}_proj", WIDTH, WIDTH)
        shapes |= _norm(f"{block}.input_layernorm") | _norm(f"{block}.post_attention_layernorm")
        shapes |= _linear(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH)
        shapes |= _linear(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
    return _within(text.items()) | _random(shapes)
