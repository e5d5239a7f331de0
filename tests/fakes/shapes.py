"""Tiny random models of other shapes than Llama's: windows, states, both at once, experts."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from tests.fakes.ggufs import CONSTANT, EMBD, FFN, HEADS, add_vocabulary, make_vocabulary

__all__ = [
    "WINDOW",
    "Array",
    "Draw",
    "make_norm",
    "make_tiny_experts",
    "make_tiny_hybrid",
    "make_tiny_latent",
    "make_tiny_mamba",
    "make_tiny_window",
    "write_model",
]

WINDOW = 32
_WINDOW_LAYERS = 6  # every sixth layer of this shape sees everything
_INNER, _STATE, _RANK, _KERNEL = 128, 16, 4, 4
_EXPERTS = 4
_LATENT, _PLAIN, _ROPE = 64, 16, 16  # of a compressed vector, and of a head without and with places

Array = npt.NDArray[np.float32]


class Draw:
    """Random weights whose dimension 0 carries a bias for each token, as in the tiny Llama."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def normal(self, rows: int, columns: int, scale: float, *, silent: bool = False) -> Array:
        drawn = (self._random.standard_normal((rows, columns)) * scale).astype(np.float32)
        if silent:
            drawn[0, :] = 0  # nothing is written to dimension 0
        return drawn

    def experts(self, rows: int, columns: int, scale: float, *, silent: bool = False) -> Array:
        """One matrix for each expert."""
        return np.stack([self.normal(rows, columns, scale, silent=silent) for _ in range(_EXPERTS)])

    def ends(self) -> dict[str, Array]:
        """Embedding, output and its norm."""
        vocabulary = make_vocabulary()
        embedding = self.normal(len(vocabulary.tokens), EMBD, 0.7)
        embedding[:, 0] = CONSTANT
        output = self.normal(len(vocabulary.tokens), EMBD, 0.5)
        output[:, 0] = np.asarray(vocabulary.biases, dtype=np.float32) / 3
        return {
            "token_embd.weight": embedding,
            "output_norm.weight": np.ones(EMBD, np.float32),
            "output.weight": output,
        }


def make_norm() -> Array:
    """Weights of a norm before a layer, blind to dimension 0."""
    norm = np.ones(EMBD, np.float32)
    norm[0] = 0
    return norm


def make_tiny_window(path: Path, *, seed: int = 0, n_ctx: int = 512, n_heads: int = HEADS) -> Path:
    """Write a random model of Gemma 3's shape, whose layers but one look back 32 tokens."""
    draw = Draw(seed)
    weights = draw.ends()
    ones = np.ones(EMBD // n_heads, np.float32)
    for layer in range(_WINDOW_LAYERS):
        weights |= {
            f"blk.{layer}.attn_norm.weight": make_norm(),
            f"blk.{layer}.attn_q.weight": draw.normal(EMBD, EMBD, 0.15),
            f"blk.{layer}.attn_k.weight": draw.normal(EMBD, EMBD, 0.15),
            f"blk.{layer}.attn_v.weight": draw.normal(EMBD, EMBD, 0.2),
            f"blk.{layer}.attn_output.weight": draw.normal(EMBD, EMBD, 0.2),
            f"blk.{layer}.attn_q_norm.weight": ones,
            f"blk.{layer}.attn_k_norm.weight": ones,
            f"blk.{layer}.post_attention_norm.weight": make_norm(),
            f"blk.{layer}.ffn_norm.weight": make_norm(),
            f"blk.{layer}.ffn_gate.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_up.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_down.weight": draw.normal(EMBD, FFN, 0.1),
            f"blk.{layer}.post_ffw_norm.weight": make_norm(),
        }
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_block_count(_WINDOW_LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(n_heads)
    writer.add_key_length(EMBD // n_heads)
    writer.add_value_length(EMBD // n_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_sliding_window(WINDOW)
    return _write(writer, weights, path)


def make_tiny_mamba(path: Path, *, seed: int = 0, n_ctx: int = 512) -> Path:
    """Write a random two-layer model of Mamba's shape: one state for each sequence, no cells."""
    draw = Draw(seed)
    weights = draw.ends()
    for layer in range(2):
        weights |= {
            f"blk.{layer}.attn_norm.weight": make_norm(),
            f"blk.{layer}.ssm_in.weight": draw.normal(2 * _INNER, EMBD, 0.2),
            f"blk.{layer}.ssm_conv1d.weight": draw.normal(_INNER, _KERNEL, 0.4),
            f"blk.{layer}.ssm_conv1d.bias": np.zeros(_INNER, np.float32),
            f"blk.{layer}.ssm_x.weight": draw.normal(_RANK + 2 * _STATE, _INNER, 0.2),
            f"blk.{layer}.ssm_dt.weight": draw.normal(_INNER, _RANK, 0.3),
            f"blk.{layer}.ssm_dt.bias": np.full(_INNER, -2.0, np.float32),
            f"blk.{layer}.ssm_a": -np.tile(np.arange(1, _STATE + 1, dtype=np.float32), (_INNER, 1)),
            f"blk.{layer}.ssm_d": np.ones(_INNER, np.float32),
            f"blk.{layer}.ssm_out.weight": draw.normal(EMBD, _INNER, 0.2, silent=True),
        }
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(2)
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_RANK)
    writer.add_layer_norm_rms_eps(1e-5)
    return _write(writer, weights, path)


def make_tiny_hybrid(path: Path, *, seed: int = 0, n_ctx: int = 512) -> Path:
    """Write a random model of LFM2's shape: short convolutions with a state, and attention."""
    draw = Draw(seed)
    weights = draw.ends()
    weights["token_embd_norm.weight"] = weights.pop("output_norm.weight")  # its name in this shape
    ones = np.ones(EMBD // HEADS, np.float32)
    n_heads_kv = [0, HEADS, 0, HEADS]
    for layer, n_heads in enumerate(n_heads_kv):
        weights |= {
            f"blk.{layer}.attn_norm.weight": make_norm(),
            f"blk.{layer}.ffn_norm.weight": make_norm(),
            f"blk.{layer}.ffn_gate.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_up.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_down.weight": draw.normal(EMBD, FFN, 0.1, silent=True),
        }
        if n_heads:
            weights |= {
                f"blk.{layer}.attn_q.weight": draw.normal(EMBD, EMBD, 0.15),
                f"blk.{layer}.attn_k.weight": draw.normal(EMBD, EMBD, 0.15),
                f"blk.{layer}.attn_v.weight": draw.normal(EMBD, EMBD, 0.2),
                f"blk.{layer}.attn_output.weight": draw.normal(EMBD, EMBD, 0.2, silent=True),
                f"blk.{layer}.attn_q_norm.weight": ones,
                f"blk.{layer}.attn_k_norm.weight": ones,
            }
        else:
            weights |= {
                f"blk.{layer}.shortconv.conv.weight": draw.normal(EMBD, _KERNEL, 0.4),
                f"blk.{layer}.shortconv.in_proj.weight": draw.normal(3 * EMBD, EMBD, 0.2),
                f"blk.{layer}.shortconv.out_proj.weight": draw.normal(EMBD, EMBD, 0.3, silent=True),
            }
    writer = gguf.GGUFWriter(path, "lfm2")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_block_count(len(n_heads_kv))
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(n_heads_kv)
    writer.add_shortconv_l_cache(_KERNEL)
    writer.add_layer_norm_rms_eps(1e-5)
    return _write(writer, weights, path)


def make_tiny_experts(path: Path, *, seed: int = 0, n_ctx: int = 512) -> Path:
    """Write a random two-layer Llama whose feed-forward layers are four experts, two at work."""
    draw = Draw(seed)
    weights = draw.ends()
    for layer in range(2):
        weights |= {
            f"blk.{layer}.attn_norm.weight": make_norm(),
            f"blk.{layer}.attn_q.weight": draw.normal(EMBD, EMBD, 0.15),
            f"blk.{layer}.attn_k.weight": draw.normal(EMBD, EMBD, 0.15),
            f"blk.{layer}.attn_v.weight": draw.normal(EMBD, EMBD, 0.2),
            f"blk.{layer}.attn_output.weight": draw.normal(EMBD, EMBD, 0.2, silent=True),
            f"blk.{layer}.ffn_norm.weight": make_norm(),
            f"blk.{layer}.ffn_gate_inp.weight": draw.normal(_EXPERTS, EMBD, 0.3),
            f"blk.{layer}.ffn_gate_exps.weight": draw.experts(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_up_exps.weight": draw.experts(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_down_exps.weight": draw.experts(EMBD, FFN, 0.1, silent=True),
        }
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_block_count(2)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBD // HEADS)
    writer.add_expert_count(_EXPERTS)
    writer.add_expert_used_count(2)
    return _write(writer, weights, path)


def make_tiny_latent(path: Path, *, seed: int = 0, n_ctx: int = 512) -> Path:
    """Write a random two-layer model of DeepSeek 2's shape, whose cells hold keys and values in one
    compressed vector.
    """
    draw = Draw(seed)
    weights = draw.ends()
    for layer in range(2):
        weights |= {
            f"blk.{layer}.attn_norm.weight": make_norm(),
            f"blk.{layer}.attn_q_a.weight": draw.normal(_LATENT, EMBD, 0.15),
            f"blk.{layer}.attn_q_a_norm.weight": np.ones(_LATENT, np.float32),
            f"blk.{layer}.attn_q_b.weight": draw.normal(HEADS * (_PLAIN + _ROPE), _LATENT, 0.2),
            f"blk.{layer}.attn_kv_a_mqa.weight": draw.normal(_LATENT + _ROPE, EMBD, 0.15),
            f"blk.{layer}.attn_kv_a_norm.weight": np.ones(_LATENT, np.float32),
            f"blk.{layer}.attn_k_b.weight": np.stack(
                [draw.normal(_LATENT, _PLAIN, 0.2) for _ in range(HEADS)]
            ),
            f"blk.{layer}.attn_v_b.weight": np.stack(
                [draw.normal(_PLAIN, _LATENT, 0.2) for _ in range(HEADS)]
            ),
            f"blk.{layer}.attn_output.weight": draw.normal(EMBD, HEADS * _PLAIN, 0.2, silent=True),
            f"blk.{layer}.ffn_norm.weight": make_norm(),
            f"blk.{layer}.ffn_gate.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_up.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_down.weight": draw.normal(EMBD, FFN, 0.1, silent=True),
        }
    writer = gguf.GGUFWriter(path, "deepseek2")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_block_count(2)
    writer.add_leading_dense_block_count(2)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_q_lora_rank(_LATENT)
    writer.add_kv_lora_rank(_LATENT)
    writer.add_key_length(_LATENT + _ROPE)
    writer.add_value_length(_LATENT)
    writer.add_key_length_mla(_PLAIN + _ROPE)
    writer.add_value_length_mla(_PLAIN)
    writer.add_rope_dimension_count(_ROPE)
    writer.add_expert_feed_forward_length(FFN)
    writer.add_expert_shared_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    return _write(writer, weights, path)


def _write(writer: gguf.GGUFWriter, weights: dict[str, Array], path: Path) -> Path:
    add_vocabulary(writer, make_vocabulary())
    return write_model(writer, weights, path)


def write_model(writer: gguf.GGUFWriter, weights: dict[str, Array], path: Path) -> Path:
    """Finish a file whose metadata is set."""
    writer.add_file_type(0)
    for name, tensor in weights.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
