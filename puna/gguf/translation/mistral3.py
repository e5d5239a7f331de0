"""Mistral Small 3.1 and later: Pixtral's encoder inside, whose heads the engine has in another
order, and a token between the rows of an image.
"""

from __future__ import annotations

from collections.abc import Iterator

from puna.errors import BadModelFile
from puna.gguf.translation.clip import CLIP_PIXELS, begin_eye
from puna.gguf.translation.draft import Draft, Source

__all__ = ["eye", "is_foreign", "text"]

_OLD_KEYS = {
    "mistral3.rope.scaling.beta_fast": "mistral3.rope.scaling.yarn_beta_fast",
    "mistral3.rope.scaling.beta_slow": "mistral3.rope.scaling.yarn_beta_slow",
    "mistral3.rope.scaling.mscale_all_dim": "mistral3.rope.scaling.yarn_log_multiplier",
    "mistral3.rope.scaling_beta": "mistral3.attention.temperature_scale",
}
_SCALING = "mistral3.rope.scaling."
_PRE = "tokenizer.ggml.pre"
_BREAK = "[IMG_BREAK]"

_RENAMES = (
    (r"^v\.patch_conv\.", "v.patch_embd."),
    (r"^v\.encoder_norm\.", "v.pre_ln."),
    (r"\.attn_output\.", ".attn_out."),
    (r"\.attn_norm\.", ".ln1."),
    (r"\.ffn_norm\.", ".ln2."),
    (r"^mm\.linear_([12])\.", r"mm.\1."),
    (r"^mm\.norm\.", "mm.input_norm."),
    (r"^mm\.patch_merger\.merging_layer\.", "mm.patch_merger."),
)


def is_foreign(source: Source) -> bool:
    """Whether it was written by the reference."""
    return source.has("v.", "mm.") or any(key in source.header.metadata for key in _OLD_KEYS)


def text(source: Source) -> Draft:
    """The text model. Where positions are not scaled the reference says so by an empty name, which
    the engine does not take.
    """
    draft = Draft(source)
    draft.drop("v.", "mm.")
    for old, new in _OLD_KEYS.items():
        draft.copy_key(old, new)
    if source.header.metadata.get(f"{_SCALING}type") == "":
        draft.keys = {
            name: key for name, key in draft.keys.items() if not name.startswith(_SCALING)
        }
    if source.header.metadata.get(_PRE, "") in {"", "default"}:
        draft.put(_PRE, "tekken")
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    draft = begin_eye(
        source, "pixtral", renames=_RENAMES, pixels=CLIP_PIXELS, act="silu", norm_eps=1e-5
    )
    draft.put("clip.vision.spatial_merge_size", source.need("spatial_merge_size", 1))
    n_heads = source.need("vision.attention.head_count")
    for block in range(source.count("vision.block_count")):
        for part in "qk":
            name = f"v.blk.{block}.attn_{part}.weight"
            draft.regroup_rows(name, _unrotated(source.tensor(name).shape[-1], n_heads))
    draft.widen("v.patch_embd.weight")
    _add_break(draft)
    return draft


def _unrotated(n_rows: int, n_heads: int) -> Iterator[int]:
    """Rows of heads that rotate halves, as heads that rotate neighbours."""
    if n_heads < 1 or n_rows % (2 * n_heads):
        raise BadModelFile(f"{n_rows} rows are not those of {n_heads} heads")
    size = n_rows // n_heads
    for head in range(n_heads):
        for pair in range(size // 2):
            yield head * size + pair
            yield head * size + size // 2 + pair


def _add_break(draft: Draft) -> None:
    """Between rows stands the text model's embedding of a token; nothing, if it has none."""
    source = draft.source
    width = source.need("embedding_length")
    row = source.find_token(_BREAK)
    whole = Draft(source, beginnings=("token_embd.weight",)).need("token_embd.weight")
    spans = [] if row is None else [draft.part(whole, row * width, width)]
    draft.add("v.token_embd.img_break", (width,), "F32", spans)
