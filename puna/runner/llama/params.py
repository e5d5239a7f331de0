"""What every context of a plan has: its parameters, and the adapters over its weights."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from puna.runner.llama.library import lib, start_failure
from puna.runner.llama.model import Model
from puna.runner.protocol import LoadPlan

__all__ = ["apply_adapters", "make_params"]

_KV_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7}


def apply_adapters(context: Any, model: Model, paths: Sequence[str]) -> None:
    """Lay LoRA adapters over a context's weights, each at its full strength."""
    if not paths:
        return
    adapters = [model.adapter(path) for path in paths]
    count = len(adapters)
    handles = (lib.llama_adapter_lora_p_ctypes * count)(*adapters)
    scales = (ctypes.c_float * count)(*([1.0] * count))
    if lib.llama_set_adapters_lora(context, handles, count, scales):
        raise start_failure("failed to apply the adapters")


def make_params(plan: LoadPlan, n_threads: int) -> Any:
    """The parameters that every context of a plan has."""
    params = lib.llama_context_default_params()
    params.kv_unified = True
    params.n_threads = params.n_threads_batch = n_threads
    if plan.flash_attention is not None:
        params.flash_attn_type = (
            lib.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if plan.flash_attention
            else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
    params.type_k = params.type_v = _KV_TYPES.get(plan.kv_type, _KV_TYPES["f16"])
    params.no_perf = True
    return params
