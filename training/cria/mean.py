"""The mean of two checkpoints of one training: run as `python -m training.cria.mean`.

Weights a little back on the way that a training went say on the whole what those at its end do, and
waver less in single answers (Izmailov et al., 2018, stochastic weight averaging).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def main() -> None:
    """Read the command line and write the checkpoint."""
    parser = argparse.ArgumentParser(description="Average two checkpoints.")
    parser.add_argument("earlier", type=Path)
    parser.add_argument("later", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.1, help="of the earlier one")
    args = parser.parse_args()
    earlier, later = (
        torch.load(path, map_location="cpu", weights_only=True)
        for path in (args.earlier, args.later)
    )
    for name, weight in later["model"].items():
        weight.lerp_(earlier["model"][name], args.share)
    torch.save(later, args.out)


if __name__ == "__main__":
    main()
