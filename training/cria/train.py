"""Train cria for a number of minutes. It can be stopped and started again at any time.

python -m training.cria.train --minutes 65 --out build/cria
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from training.cria.chat import pieces
from training.cria.corpus.mix import MIX, sample
from training.cria.data import Micro, Source, encode, micros
from training.cria.model import Cria, Shape
from training.cria.optim import Muon, grouped
from training.cria.tokenizer import load_tokenizer, train_tokenizer

__all__ = ["load_checkpoint", "main"]

Entropy = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

HELD_SEED = 1_000_003  # samples of this seed measure the loss and are never trained on
CHECKPOINT_SECONDS = 180.0
MEASURE_SECONDS = 900.0
WARM_UP = 0.01
LONGEST_STEP = 30.0  # seconds counted for a step: a training that was paused is not charged for it
COOL_DOWN = 0.46  # the last part of the time, in which the rates fall to nothing


def main() -> None:
    """Read the command line, then train until the time is over."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    Trainer(args).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train cria.")
    parser.add_argument("--minutes", type=float, default=65.0)
    parser.add_argument("--out", type=Path, default=Path("build/cria"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step-tokens", type=int, default=8192)
    parser.add_argument("--micro-tokens", type=int, default=2048)
    parser.add_argument("--hidden", type=int, default=Shape().hidden_size)
    parser.add_argument("--layers", type=int, default=Shape().num_hidden_layers)
    parser.add_argument("--inner", type=int, default=Shape().intermediate_size)
    parser.add_argument("--heads", type=int, default=Shape().num_attention_heads)
    parser.add_argument("--muon-rate", type=float, default=0.02)
    parser.add_argument("--adam-rate", type=float, default=0.004)
    parser.add_argument("--no-compile", action="store_true")
    return parser.parse_args()


def load_checkpoint(path: Path) -> Cria:
    """The model of a checkpoint, in float32 on the processor."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Cria(Shape(**state["shape"]))
    model.load_state_dict(state["model"])
    return model.eval()


class Trainer:
    """A training under way."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokens_file = args.out / "tokenizer.json"
        if not self.tokens_file.exists():
            train_tokenizer(args.seed, 40000).save(str(self.tokens_file))
        shape = Shape(
            vocab_size=load_tokenizer(self.tokens_file).get_vocab_size(),
            hidden_size=args.hidden, num_hidden_layers=args.layers,
            intermediate_size=args.inner, num_attention_heads=args.heads,
        )  # fmt: skip
        self.model = Cria(shape).to(self.device)
        matrices, others = grouped(self.model)
        self.muon = Muon(matrices, lr=args.muon_rate, momentum=0.95, decay=0.02)
        self.adam = torch.optim.AdamW(
            others, lr=args.adam_rate, betas=(0.9, 0.98), eps=1e-10, weight_decay=0.0
        )
        self.step = self.next_sample = self.seen = 0
        self.spent = 0.0
        self.checkpoint = args.out / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()
        self.entropy: Entropy = _entropy
        if not args.no_compile:
            self._compile()
        self._log({"parameters": sum(p.numel() for p in self.model.parameters()),
                   "device": self.device, "minutes": args.minutes, "step": self.step,
                   "shape": dataclasses.asdict(shape)})  # fmt: skip

    def _compile(self) -> None:
        """One small program serves all layers and all shapes; the whole would take minutes."""
        for layer in self.model.layers:
            layer.compile(dynamic=True)
        self.entropy = torch.compile(_entropy, dynamic=True)

    def _loss(self, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        hidden = self.model(tokens[:, :-1])
        logits = self.model.logits(hidden).flatten(0, 1)
        return self.entropy(logits, tokens[:, 1:].flatten(), weights.flatten())

    def run(self) -> None:
        """Steps until the minutes are spent; checkpoints and figures on the way."""
        source = Source(
            self.tokens_file, self.args.seed, self.next_sample, self.args.step_tokens,
            self.args.micro_tokens,
        )  # fmt: skip
        budget = self.args.minutes * 60
        last, saved, measured = time.monotonic(), self.spent, self.spent
        window, tokens = 0.0, 0
        average = 0.0
        try:
            for number, batch in source:
                done = self.spent / budget
                if done >= 1:
                    break
                value = self._step(batch, _rate(done))
                average = value if not average else 0.98 * average + 0.02 * value
                now = time.monotonic()
                taken = min(now - last, LONGEST_STEP)
                self.spent += taken
                window += taken
                last, self.next_sample, self.step = now, number, self.step + 1
                count = sum(int((m.weights > 0).sum()) for m in batch)
                self.seen += count
                tokens += count
                if self.step % 50 == 0:
                    self._log({"step": self.step, "minutes": round(self.spent / 60, 2),
                               "loss": round(average, 4), "tokens": self.seen,
                               "tokens_per_second": round(tokens / window)})  # fmt: skip
                    window, tokens = 0.0, 0
                if self.spent - saved > CHECKPOINT_SECONDS:
                    saved = self.spent
                    self._save()
                    if self.spent - measured > MEASURE_SECONDS:
                        measured = self.spent
                        self._measure()
                    last = time.monotonic()
        finally:
            source.close()
        self._save()
        self._measure()

    def _step(self, batch: list[Micro], rate: float) -> float:
        for group in self.muon.param_groups:
            group["lr"] = self.args.muon_rate * rate
        for group in self.adam.param_groups:
            group["lr"] = self.args.adam_rate * rate
        total = sum(float(m.weights.sum()) for m in batch)
        value = 0.0
        for micro in batch:
            loss = self._loss_of(micro) / total
            loss.backward()  # type: ignore[no-untyped-call]
            value += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.muon.step()
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        return value

    def _loss_of(self, micro: Micro) -> torch.Tensor:
        tokens = torch.from_numpy(micro.tokens).to(self.device)
        weights = torch.from_numpy(micro.weights).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            return self._loss(tokens, weights)

    @torch.no_grad()
    def _measure(self) -> None:
        """The loss of what is to be said, for each skill, on samples never trained on."""
        tokenizer = load_tokenizer(self.tokens_file)
        found: dict[str, list[tuple[list[int], list[float]]]] = {name: [] for name in MIX}
        number = 0
        while any(len(drawn) < 24 for drawn in found.values()):
            made = sample(HELD_SEED, number)
            number += 1
            if made.skill in found and len(found[made.skill]) < 24:
                parts = [(piece.text, piece.learnt) for piece in pieces(made)]
                numbers, weights = encode(tokenizer, parts)
                found[made.skill].append((numbers, [float(w == 1.0) for w in weights]))
        losses = {}
        for name, drawn in found.items():
            parts_of = micros(drawn, self.args.micro_tokens)
            total = sum(float(self._loss_of(m)) for m in parts_of)
            losses[name] = round(total / sum(float(m.weights.sum()) for m in parts_of), 4)
        self._log({"step": self.step, "held_loss": losses})

    def _save(self) -> None:
        state = {
            "shape": dataclasses.asdict(self.model.shape),
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "progress": [self.step, self.next_sample, self.seen, self.spent],
        }
        new = self.checkpoint.with_suffix(".new")
        torch.save(state, new)
        new.replace(self.checkpoint)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        if "muon" in state:  # a restored checkpoint has the weights only
            self.muon.load_state_dict(state["muon"])
            self.adam.load_state_dict(state["adam"])
        self.step, self.next_sample, self.seen, self.spent = state["progress"]

    def _log(self, figures: dict[str, object]) -> None:
        line = json.dumps(figures)
        print(line, flush=True)
        with (self.args.out / "log.jsonl").open("a") as log:
            log.write(line + "\n")


def _entropy(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (F.cross_entropy(logits.float(), targets, reduction="none") * weights).sum()


def _rate(done: float) -> float:
    """The share of the full learning rate at this part of the time."""
    if done < WARM_UP:
        return max(done / WARM_UP, 0.02)
    left = (1 - done) / COOL_DOWN
    return 1.0 if left >= 1 else max(0.5 - 0.5 * math.cos(math.pi * left), 0.02)


if __name__ == "__main__":
    main()
