"""Files that torch itself wrote: our reader must find the tensors that torch put there.

python -m tests.convert.parity.pickled make FOLDER      where torch is
python -m tests.convert.parity.pickled compare FOLDER   where Puna is
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]

_FORMS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "zip": ("pytorch_model.bin", {}),
    "before 1.6": ("pytorch_model.bin", {"_use_new_zipfile_serialization": False}),
    "zip, protocol 4": ("consolidated.00.pth", {"pickle_protocol": 4}),
    "before 1.6, protocol 4": (
        "consolidated.00.pth",
        {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
    ),
}


def _states(torch: Any) -> dict[str, Any]:
    """What is saved, by what is special of it."""
    draw = torch.Generator().manual_seed(5)

    def random(*shape: int) -> Any:
        return torch.randn(*shape, generator=draw)

    base = random(12, 20)
    module = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4))
    kinds = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8")
    plain = {kind: (random(7, 5) * 40).to(getattr(torch, kind)) for kind in kinds}
    return {
        "kinds": {**plain, "uint8": torch.arange(250).to(torch.uint8), "flags": random(9) > 0},
        "one storage": {"embedding": base, "head": base, "part": base[3:7], "column": base[:, 4]},
        "strides": {
            "turned": base.T,
            "every other": base[::2, 1::3],
            "axes": random(2, 3, 4, 5).permute(3, 1, 0, 2),
            "half": base.bfloat16()[2:, 5:].T,
        },
        "shapes": {"number": torch.tensor(2.5), "nothing": torch.empty(0, 4), "one": random(1, 1)},
        "state of a module": module.state_dict(),
        "parameters": dict(module.named_parameters()),
        "a trainer's": {"epoch": 3, "state_dict": {"a.weight": random(3, 3)}, "loss": 0.5},
    }


_REFUSED: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "a module itself": (lambda torch: torch.nn.Linear(2, 2), "may run code"),
    "one number many times": (
        lambda torch: {"a": torch.ones(1).expand(1 << 20)},
        "larger than what is stored",
    ),
    "a function": (lambda torch: {"a": torch.ones(1), "f": torch.load}, "may run code"),
    "sparse": (lambda torch: {"a": torch.eye(3).to_sparse()}, "may run code"),
}


def _make(folder: Path) -> int:
    torch = importlib.import_module("torch")
    for form, (name, how) in _FORMS.items():
        for what, state in _states(torch).items():
            target = folder / f"{form}, {what}"
            target.mkdir(parents=True, exist_ok=True)
            torch.save(state, target / name, **how)
            _expect(torch, target, state.get("state_dict", state))
        for what, (make, reason) in _REFUSED.items():
            target = folder / f"{form}, refused, {what}"
            target.mkdir(parents=True, exist_ok=True)
            torch.save(make(torch), target / name, **how)
            (target / "refused").write_text(reason)
        _make_shards(torch, folder / f"{form}, shards", how)
    return 0


def _make_shards(torch: Any, folder: Path, how: Mapping[str, Any]) -> None:
    """Two files and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    state = _states(torch)["kinds"]
    where = {name: f"pytorch_model-{i % 2 + 1:05}-of-00002.bin" for i, name in enumerate(state)}
    for file in set(where.values()):
        part = {name: state[name] for name in state if where[name] == file}
        torch.save(part, folder / file, **how)
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    _expect(torch, folder, state)


def _expect(torch: Any, folder: Path, state: Mapping[str, Any]) -> None:
    """Each tensor's bytes in its own shape, bfloat16 as what is as wide."""
    values = {}
    for name, tensor in state.items():
        plain = tensor.detach().contiguous()
        values[name] = (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy()
    np.savez(folder / "expected.npz", **values)


def _compare(folder: Path) -> int:
    read_weights = importlib.import_module("puna.convert.checkpoint").read_weights
    bad_checkpoint = importlib.import_module("puna.errors").BadCheckpoint
    wrong = 0
    for source in sorted(folder.iterdir()):
        try:
            found = read_weights(source, allow_pickle=True)
            problem = _difference(source, found)
        except bad_checkpoint as failure:
            refused = source / "refused"
            expected = refused.is_file() and refused.read_text() in str(failure)
            problem = "" if expected else str(failure)
        wrong += bool(problem)
        sys.stdout.write(f"{source.name:50} {problem or 'same'}\n")
    return int(wrong > 0)


def _difference(source: Path, found: Mapping[str, Any]) -> str:
    if (source / "refused").exists():
        return "is not refused"
    expected = np.load(source / "expected.npz")
    if set(found) != set(expected):
        return f"names {sorted(set(found) ^ set(expected))}"
    for name, wanted in expected.items():
        got = found[name].load()
        if got.shape != (wanted.shape or (1,)) or got.tobytes() != wanted.tobytes():
            return f"{name}: {got.shape} for {wanted.shape}"
    return ""


def main(arguments: list[str]) -> int:
    """Read the command line; gives the exit status."""
    what, folder = arguments
    return {"make": _make, "compare": _compare}[what](Path(folder) / "pickled")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
