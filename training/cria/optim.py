"""Two optimisers in one step: Muon for the matrices of the layers, AdamW for everything else.

Muon makes each update orthogonal by a few Newton-Schulz steps. It was not compared with AdamW
alone on this corpus.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["Muon", "grouped"]

_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonal(g: Tensor) -> Tensor:
    """The nearest orthogonal matrices, about; `g` is a stack of matrices of one shape."""
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        a = x @ x.mT
        x = _A * x + (_B * a + _C * (a @ a)) @ x
    return (x.mT if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal. Matrices of one shape are worked on as one stack."""

    def __init__(
        self, matrices: Iterable[Tensor], lr: float, momentum: float, decay: float
    ) -> None:
        super().__init__(list(matrices), {"lr": lr, "momentum": momentum, "weight_decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step with the gradients at hand."""
        for group in self.param_groups:
            stacks: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    stacks.setdefault(p.shape, []).append(p)
            for same in stacks.values():
                self._step_stack(same, group)

    def _step_stack(self, same: list[Tensor], group: dict[str, float]) -> None:
        updates = []
        for p in same:
            state = self.state[p]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(p)
            kept = state["momentum"]
            grad = p.grad if p.grad is not None else torch.zeros_like(p)
            kept.lerp_(grad, 1 - group["momentum"])
            updates.append(torch.lerp(grad, kept, group["momentum"]))
        made = orthogonal(torch.stack(updates))
        scale = max(1.0, same[0].shape[0] / same[0].shape[1]) ** 0.5
        for p, update in zip(same, made, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(update, alpha=-group["lr"] * scale)


def grouped(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The matrices of the layers, and all other parameters."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, p in model.named_parameters():
        (matrices if p.ndim == 2 and "embed" not in name else others).append(p)
    return matrices, others
