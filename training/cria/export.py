"""A checkpoint as a Hugging Face folder, which `to_gguf` makes GGUF of.

python -m training.cria.export --checkpoint build/cria/checkpoint.pt --out build/cria/export
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from safetensors.torch import save_file

from training.cria.chat import BEGIN, END, SPECIAL
from training.cria.model import Cria
from training.cria.tokenizer import write_config
from training.cria.train import load_checkpoint

__all__ = ["main", "write_folder"]


def main() -> None:
    """Read the command line and write the folder."""
    parser = argparse.ArgumentParser(description="Export cria.")
    parser.add_argument("--checkpoint", type=Path, default=Path("build/cria/checkpoint.pt"))
    parser.add_argument("--out", type=Path, default=Path("build/cria/export"))
    args = parser.parse_args()
    model = load_checkpoint(args.checkpoint)
    tokenizer = args.checkpoint.parent / "tokenizer.json"
    write_folder(model, tokenizer, args.out)


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


if __name__ == "__main__":
    main()
