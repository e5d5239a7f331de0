"""Sizes of buffers out of the engine's log."""

from __future__ import annotations

import pytest

from puna.runner.llama.buffers import Buffers

MIB = 1024 * 1024

LOGS: dict[str, tuple[list[str], float, float]] = {
    "everything on the host": (
        [
            "load_tensors:   CPU_Mapped model buffer size =    10.00 MiB",
            "llama_context:        CPU  output buffer size =     0.50 MiB",
            "llama_kv_cache:        CPU KV buffer size =     4.00 MiB",
            "sched_reserve:        CPU compute buffer size =     3.00 MiB",
        ],
        17.5,
        0,
    ),
    "two kinds of cells": (
        [
            "llama_kv_cache:        CPU KV buffer size =     2.00 MiB",
            "llama_kv_cache:        CPU KV buffer size =    10.00 MiB",
        ],
        12,
        0,
    ),
    "what is told again counts once": (
        [
            "sched_reserve:        CPU compute buffer size =     3.00 MiB",
            "sched_reserve:        CPU compute buffer size =     5.00 MiB",
        ],
        5,
        0,
    ),
    "two files": (
        [
            "load_tensors:   CPU_Mapped model buffer size =    10.00 MiB",
            "load_tensors:   CPU_Mapped model buffer size =    12.00 MiB",
        ],
        22,
        0,
    ),
    "weights in another order beside the mapped file": (
        [
            "load_tensors:   CPU_Mapped model buffer size =    10.00 MiB",
            "load_tensors:  CPU_REPACK model buffer size =     6.00 MiB",
        ],
        10,
        0,
    ),
    "mapped into a card's memory, which is the machine's": (
        [
            "load_tensors:   CPU_Mapped model buffer size =     2.00 MiB",
            "load_tensors:  MTL0_Mapped model buffer size =     8.00 MiB",
            "llama_kv_cache:       MTL0 KV buffer size =     4.00 MiB",
        ],
        12,
        12,
    ),
    "on a card": (
        [
            "load_tensors:   CPU_Mapped model buffer size =    10.00 MiB",
            "load_tensors:        CUDA0 model buffer size =     8.00 MiB",
            "llama_kv_cache:      CUDA0 KV buffer size =     4.00 MiB",
            "llama_context:  CUDA_Host  output buffer size =     0.50 MiB",
            "sched_reserve:      CUDA0 compute buffer size =     3.00 MiB",
            "sched_reserve:  CUDA_Host compute buffer size =     1.00 MiB",
        ],
        18.5,
        15,
    ),
}


@pytest.mark.parametrize("case", LOGS)
def test_sizes_are_summed(case: str) -> None:
    lines, total, on_cards = LOGS[case]
    buffers = Buffers()
    for line in lines:
        buffers.read(line, "")
    assert buffers.sizes().total == int(total * MIB)
    assert buffers.sizes().on_cards == int(on_cards * MIB)
    assert buffers.n_told == len(lines)


def test_a_part_that_failed_does_not_count() -> None:
    buffers = Buffers()
    buffers.read("x: CPU KV buffer size = 2.00 MiB", "")
    buffers.read("x: CPU KV buffer size = 3.00 MiB", "private")
    assert buffers.sizes().total == 5 * MIB
    buffers.forget("private")
    assert buffers.sizes().total == 2 * MIB
