"""A checkpoint as a Hugging Face folder and as GGUF.

python -m training.cria.export --checkpoint build/cria/checkpoint.pt --out build/cria/export
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from training.cria.chat import BEGIN, END, SPECIAL, TEMPLATE_FILE, USER_DEFINED
from training.cria.model import Cria
from training.cria.tokenizer import write_config
from training.cria.train import load_checkpoint

__all__ = ["gguf_name", "main", "write_folder", "write_gguf"]

GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}


def main() -> None:
    """Read the command line and write both forms."""
    parser = argparse.ArgumentParser(description="Export cria.")
    parser.add_argument("--checkpoint", type=Path, default=Path("build/cria/checkpoint.pt"))
    parser.add_argument("--out", type=Path, default=Path("build/cria/export"))
    args = parser.parse_args()
    model = load_checkpoint(args.checkpoint)
    tokenizer = args.checkpoint.parent / "tokenizer.json"
    write_folder(model, tokenizer, args.out)
    write_gguf(model, tokenizer, args.out / "cria-f32.gguf", gguf.GGMLQuantizationType.F32)
    write_gguf(model, tokenizer, args.out / "cria-q8_0.gguf", gguf.GGMLQuantizationType.Q8_0)


def write_folder(model: Cria, tokenizer: Path, folder: Path) -> None:
    """Write the files that `transformers` and Puna's conversion read."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {_hf_name(name): t.contiguous() for name, t in model.state_dict().items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    write_config(folder)
    _write_json(folder / "config.json", _config(model))
    generation = {
        "bos_token_id": SPECIAL.index(BEGIN),
        "eos_token_id": SPECIAL.index(END),
        "do_sample": True,
        "temperature": 0.3,
        "top_p": 0.9,
    }
    _write_json(folder / "generation_config.json", generation)


def _hf_name(name: str) -> str:
    for part in ("gate_proj", "up_proj", "down_proj"):
        name = name.replace(f".{part}.", f".mlp.{part}.")
    return f"model.{name}"


def _config(model: Cria) -> dict[str, object]:
    shape = model.shape
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.max_position_embeddings,
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_theta": shape.rope_theta,
        "attention_bias": False,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "torch_dtype": "float32",
        "bos_token_id": SPECIAL.index(BEGIN),
        "eos_token_id": SPECIAL.index(END),
    }


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_gguf(model: Cria, tokenizer: Path, path: Path, kind: gguf.GGMLQuantizationType) -> None:
    """Write the model as GGUF: matrices as `kind`, norms as float32."""
    shape = model.shape
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("cria")
    writer.add_description("The small model that comes with Puna.")
    writer.add_license("mit")
    writer.add_size_label(f"{round(sum(p.numel() for p in model.parameters()) / 1e6)}M")
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    file_type = gguf.LlamaFileType.MOSTLY_Q8_0
    if kind == gguf.GGMLQuantizationType.F32:
        file_type = gguf.LlamaFileType.ALL_F32
    writer.add_file_type(file_type)
    _add_tokenizer(writer, tokenizer)
    for name, tensor in model.state_dict().items():
        _add_tensor(writer, gguf_name(name), tensor, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    state = json.loads(path.read_text())["model"]
    tokens = sorted(state["vocab"], key=lambda token: state["vocab"][token])
    kinds = dict.fromkeys(SPECIAL, gguf.TokenType.CONTROL)
    kinds |= dict.fromkeys(USER_DEFINED, gguf.TokenType.USER_DEFINED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.get(t, gguf.TokenType.NORMAL) for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in state["merges"]])
    writer.add_bos_token_id(SPECIAL.index(BEGIN))
    writer.add_eos_token_id(SPECIAL.index(END))
    writer.add_pad_token_id(SPECIAL.index(END))
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE_FILE.read_text())


def gguf_name(name: str) -> str:
    """The name in a GGUF of a tensor of the model's state."""
    fixed = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
    if name in fixed:
        return fixed[name]
    _, number, rest = name.split(".", 2)
    return f"blk.{number}.{GGUF_NAMES[rest.removesuffix('.weight')]}.weight"


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, tensor: Tensor, kind: gguf.GGMLQuantizationType
) -> None:
    values: NDArray[np.float32] = tensor.to(torch.float32).contiguous().numpy()
    if values.ndim == 1 or kind == gguf.GGMLQuantizationType.F32:
        writer.add_tensor(name, values)
    else:
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


if __name__ == "__main__":
    main()
