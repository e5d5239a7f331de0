"""When a loaded model can serve a request that wants another plan (serving spec, section 2.4)."""

from __future__ import annotations

from puna.runner.protocol import LoadPlan

__all__ = ["compatible", "mismatch"]


def compatible(loaded: LoadPlan, wanted: LoadPlan) -> bool:
    """Whether a runner loaded by one plan can serve a request that wants the other."""
    return not mismatch(loaded, wanted)


def mismatch(loaded: LoadPlan, wanted: LoadPlan) -> str:
    """The name of the first option that forces a reload, empty when none does.

    A smaller context is served from the pool of a larger one, and what a request leaves to us
    (an automatic batch, negative layers, no threads, None) is whatever was chosen at the load. An
    automatic context takes what was chosen by us, but not the smaller one that somebody else asked
    for: one client's `num_ctx` would cut everybody's prompts. A draft model changes no answer, and
    a projector none without images: a runner with one serves who wants none. `n_parallel` and
    `max_sequences` size the pool and are the server's affair.
    """
    checks = (
        ("model", loaded.weights == wanted.weights),
        ("adapters", loaded.adapters == wanted.adapters),
        ("draft", wanted.draft in ("", loaded.draft)),
        ("projector", wanted.projector in ("", loaded.projector)),
        ("n_ctx", wanted.n_ctx <= loaded.n_ctx or (wanted.n_ctx_auto and loaded.n_ctx_auto)),
        ("n_batch", wanted.n_batch in (0, loaded.n_batch)),
        ("n_threads", wanted.n_threads in (0, loaded.n_threads)),
        ("n_gpu_layers", wanted.n_gpu_layers < 0 or wanted.n_gpu_layers == loaded.n_gpu_layers),
        ("main_gpu", wanted.main_gpu in (None, loaded.main_gpu)),
        ("use_mmap", wanted.use_mmap in (None, loaded.use_mmap)),
        ("flash_attention", wanted.flash_attention in (None, loaded.flash_attention)),
        ("kv_type", wanted.kv_type in ("", loaded.kv_type)),
        ("embedding_only", wanted.embedding_only or not loaded.embedding_only),
    )
    return next((name for name, fits in checks if not fits), "")
