"""Makes the tiny models and what they compute, in float32. Runs where torch and transformers are.

python -m tests.convert.parity.make FOLDER [CASE…]
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from tests.convert.parity.case import PROMPT_LENGTH, VOCAB, Case
from tests.convert.parity.cases import CASES
from tests.convert.parity.originals import ORIGINALS
from tests.convert.parity.twins import as_maker

__all__ = ["main", "write_tokenizer"]

N_GREEDY = 8
Run = Callable[[list[int]], np.ndarray[Any, Any]]


def main(folder: Path, wanted: list[str]) -> int:
    """Make the cases that are not there yet; what transformers cannot make is said and
    passed over.
    """
    torch.set_num_threads(1)  # more would wait for one another
    transformers.logging.disable_progress_bar()
    for name, case in CASES.items():
        target = folder / name
        if name not in wanted if wanted else (target / "expected.npz").exists():
            continue
        try:
            _make(name, case, target)
        except Exception as failure:  # noqa: BLE001 - a class that this release lacks is one row of the table
            sys.stderr.write(f"{name}: {type(failure).__name__}: {str(failure)[:300]}\n")
            target.mkdir(parents=True, exist_ok=True)
            (target / "failure").write_text(f"{type(failure).__name__}: {str(failure)[:200]}")
    return 0


def _make(name: str, case: Case, target: Path) -> None:
    torch.manual_seed(zlib.crc32(name.encode()))
    run = _original(case, target) if case.architecture in ORIGINALS else _class(case, target)
    write_tokenizer(target, case.tokenizer)
    prompt = torch.randint(3, VOCAB - 64, (PROMPT_LENGTH,)).tolist()
    logits = run(prompt)
    if case.dense:
        logits = _dense(target, logits, case.dense)
    greedy = list(prompt)
    is_encoder = logits.shape[-1] != VOCAB
    for _ in range(0 if is_encoder else N_GREEDY):
        greedy.append(int(run(greedy)[-1].argmax()))
    np.savez(target / "expected.npz", prompt=prompt, logits=logits, greedy=greedy[len(prompt) :])


def _class(case: Case, target: Path) -> Run:
    """A model of a class of transformers, saved as it does or as the maker would."""
    config: Any = transformers.AutoConfig.for_model(case.model_type, **case.config)
    config.architectures = [case.architecture]
    config._attn_implementation = "eager"
    model: Any = getattr(transformers, case.twin or case.architecture)(config)
    model = model.to(torch.float32).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            _spread(key, parameter, case.spread)
    if case.twin:
        weights = {key: values.numpy() for key, values in model.state_dict().items()}
        settings, weights = as_maker(case.architecture, config.to_dict(), weights)
        _save(target, settings, {key: torch.tensor(values) for key, values in weights.items()})
    else:
        model.save_pretrained(target)
    # Llama 4 fails without images, but for its text model
    return partial(_run, model.language_model if case.model_type == "llama4" else model)


def _original(case: Case, target: Path) -> Run:
    """A model that is computed here."""
    shapes, compute = ORIGINALS[case.architecture]
    weights = {}
    for key, shape in shapes(case.config).items():
        is_norm = len(shape) == 1 and key.endswith("weight")
        weights[key] = torch.ones(shape) if is_norm else torch.zeros(shape)
        _spread(key, weights[key], case.spread)
    settings = {**case.config, "architectures": [case.architecture]}
    _save(target, {**settings, "model_type": case.model_type}, weights)
    return lambda tokens: compute(case.config, weights, torch.tensor(tokens)).numpy()


def _save(target: Path, settings: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(settings))
    contiguous = {key: values.contiguous() for key, values in weights.items()}
    save_file(contiguous, target / "model.safetensors")


def _spread(name: str, parameter: Any, spread: float) -> None:
    """Weights so large that a fault shows: with the usual ones a missing rotation is
    hardly seen.
    """
    if parameter.dim() > 1 and "conv1d" not in name:
        parameter.normal_(0, spread / parameter.shape[-1] ** 0.5)
    else:
        parameter.add_(torch.randn_like(parameter) * (0.05 if "A_log" in name else 0.3))


def _run(model: Any, tokens: list[int]) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        out = model(input_ids=torch.tensor([tokens]))
    values = out.logits if getattr(out, "logits", None) is not None else out.last_hidden_state
    result: np.ndarray[Any, Any] = values[0].float().numpy()
    return result


def _dense(
    folder: Path, vectors: np.ndarray[Any, Any], widths: Sequence[int]
) -> np.ndarray[Any, Any]:
    """The vectors after some matrices, which are written as sentence-transformers does. They come
    after the pooling there: by the mean it does not matter.
    """
    settings: dict[str, dict[str, Any]] = {"1_Pooling": {"pooling_mode_mean_tokens": True}}
    for number, n_out in enumerate(widths, 2):
        name = f"{number}_Dense"
        n_in = vectors.shape[-1]
        settings[name] = {"in_features": n_in, "out_features": n_out, "bias": False}
        settings[name]["activation_function"] = "torch.nn.modules.linear.Identity"
        (folder / name).mkdir(exist_ok=True)
        matrix = torch.randn(n_out, n_in) / n_in**0.5
        save_file({"linear.weight": matrix}, folder / name / "model.safetensors")
        vectors = vectors @ matrix.numpy().T
    modules = []
    for name, values in settings.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(values))
        kind = name.partition("_")[2]
        modules.append({"path": name, "type": f"sentence_transformers.models.{kind}"})
    (folder / "modules.json").write_text(json.dumps(modules))
    return vectors


def write_tokenizer(folder: Path, kind: str) -> None:
    """A tokenizer.json of bytes, words or pieces, in place of whatever is there."""
    for old in folder.glob("tokenizer*"):
        old.unlink()
    if kind == "lines":
        lines = [f"{1 + byte} {bytes([byte])!r} 1\n" for byte in range(256)]
        (folder / "rwkv_vocab_v20230424.txt").write_text("".join(lines))
        return
    state = {
        "bytes": _bytes_tokenizer,
        "images": _images_tokenizer,
        "words": _words_tokenizer,
        "pieces": _pieces_tokenizer,
    }[kind]()
    (folder / "tokenizer.json").write_text(json.dumps(state))


def _bytes_tokenizer() -> dict[str, Any]:
    """Two special tokens, the 256 bytes as GPT-2 writes them, and some merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in letters]
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    tokens = ["<s>", "</s>", *(letters[byte] for byte in range(256))]
    merges = ["t h", "i n", "th e", "a n", "an d"]
    tokens += [merge.replace(" ", "") for merge in merges]
    added = [{"id": n, "content": tokens[n], "special": True} for n in range(2)]
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {
            "type": "BPE",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": merges,
        },
    }


def _images_tokenizer() -> dict[str, Any]:
    """With the token that Pixtral has between the rows of an image, and one beyond all rows."""
    state = _bytes_tokenizer()
    for number, text in ((VOCAB - 20, "[IMG_BREAK]"), (VOCAB + 1, "<|image|>")):
        state["added_tokens"].append({"id": number, "content": text, "special": True})
    return state


def _words_tokenizer() -> dict[str, Any]:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [f"{mark}{chr(letter)}" for mark in ("", "##") for letter in range(97, 123)]
    return {
        "version": "1.0",
        "added_tokens": [{"id": n, "content": tokens[n], "special": True} for n in range(5)],
        "normalizer": {"type": "BertNormalizer", "lowercase": True, "strip_accents": None},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "vocab": {token: number for number, token in enumerate(tokens)},
        },
    }


def _pieces_tokenizer() -> dict[str, Any]:
    tokens = ["<s>", "</s>", "<unk>", "\u2581", *map(chr, range(97, 123))]
    return {
        "version": "1.0",
        "added_tokens": [{"id": n, "content": tokens[n], "special": True} for n in range(3)],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": 2, "vocab": [[t, -1.0] for t in tokens]},
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
