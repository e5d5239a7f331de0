"""How many KV cells users take whose prompts begin alike, against one user.

Run `python -m bench.shared_cells`. It counts in the loop that serves a runner's requests; time does
not matter here, so the model is a tiny one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.prefix_reuse import text
from puna.runner.llama.context import Context
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.llama.sampler import Sampler
from puna.runner.loop import Loop
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.running import Running
from puna.runner.text import TextStream
from tests.fakes.ggufs import make_tiny_llama

GOAL = 1.2
USERS = 8
PREFIX = 1000  # characters; the tiny vocabulary has a token for each of these letters
ANSWER = 8  # tokens
N_CTX = 2048


def most_cells(path: Path, prompts: list[str]) -> int:
    """The most cells in use while all these prompts are answered together."""
    plan = LoadPlan(model=str(path), n_ctx=N_CTX, n_parallel=USERS)
    model = Model(plan, lambda _: None)
    context = Context(model, plan, 1)
    loop = Loop(model, context, lambda news: None)
    for number, prompt in enumerate(prompts):
        order = Generation(prompt=prompt, sampling=Sampling(temperature=0))
        loop.admit(
            Running(
                id=number,
                order=order,
                tokens=model.tokenize_prompt(prompt),
                sampler=Sampler(model, order.sampling, None, N_CTX),
                text=TextStream(),
                n_ctx=N_CTX,
                n_keep=0,
                max_tokens=ANSWER,
            )
        )
    most = 0
    while not loop.idle:
        loop.step()
        most = max(most, loop.n_used)
    context.close()
    model.close()
    return most


def main() -> None:
    """Print the ratio."""
    LOG.attach(lambda level, line: None)
    prefix = text(PREFIX, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = make_tiny_llama(Path(folder) / "tiny.gguf", n_ctx=N_CTX)
        one = most_cells(path, [f"{prefix} user 0"])
        many = most_cells(path, [f"{prefix} user {number}" for number in range(USERS)])
    print(
        f"{USERS} users with the same {PREFIX} letters first: {many} cells, "
        f"{many / one:.2f} times the {one} of one user (goal {GOAL})"
    )


if __name__ == "__main__":
    main()
