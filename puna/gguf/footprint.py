"""What a model's memory depends on, from its header alone: bytes of weights layer by layer, what a
token and a sequence keep in each layer, and the widths of what is computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from puna.gguf.describe import Keys
from puna.gguf.reader import Header
from puna.gguf.values import ArrayInfo

__all__ = ["Footprint", "LayerShape", "footprint_of"]

_BLOCK = re.compile(r"blk\.(\d{1,6})\.")
_MOST_LAYERS = 1 << 12  # a number from the file: no list is made as long as it likes
_TOKEN_SHIFTS = 2  # states of RWKV's token shift, where the file does not say


@dataclass(frozen=True, slots=True)
class LayerShape:
    """One layer: `weights` in bytes, a token's key and value and a sequence's state in elements."""

    weights: int = 0
    key: int = 0
    value: int = 0
    state: int = 0


@dataclass(frozen=True, slots=True)
class Footprint:
    """A model's sizes. Weights in bytes, widths in elements; 0 where the file does not say.

    `output` are the weights after the last layer: where the embedding also gives the output
    (`is_tied`), those of the embedding. `other` are the weights that no layer has, `output`
    excluded. `query` is the width of all heads' queries, `query_plain` what it is before they are
    compressed, in models whose cells are. `n_masks` counts the kinds of attention (full, sliding)
    that tell cells apart.
    """

    layers: tuple[LayerShape, ...]
    other: int
    output: int
    is_tied: bool
    n_vocab: int
    n_embd: int
    n_ff: int
    n_head: int
    query: int
    query_plain: int
    n_masks: int
    n_expert: int
    n_expert_used: int
    n_ff_expert: int
    inner: int
    n_ctx_train: int

    @property
    def weights(self) -> int:
        """Bytes of all weights, each once."""
        layers = sum(layer.weights for layer in self.layers)
        return layers + self.other + (0 if self.is_tied else self.output)

    @property
    def is_recurrent(self) -> bool:
        """Whether some layer keeps a state for each sequence."""
        return any(layer.state for layer in self.layers)


def footprint_of(header: Header) -> Footprint:
    """Measure a model by its header, read with or without its arrays."""
    keys = Keys(header.metadata)
    n_layers = min(keys.whole("block_count") or 0, _MOST_LAYERS)
    weights = [0] * n_layers
    other = output = embedding = 0
    n_vocab = 0
    for tensor in header.tensors:
        match = _BLOCK.match(tensor.name)
        if match and int(match[1]) < n_layers:
            weights[int(match[1])] += tensor.n_bytes
        elif tensor.name.startswith("output"):
            output += tensor.n_bytes
        else:
            other += tensor.n_bytes
        if tensor.name == "token_embd.weight":
            embedding = tensor.n_bytes
            n_vocab = tensor.shape[-1] if len(tensor.shape) > 1 else 0
    is_tied = "output.weight" not in {tensor.name for tensor in header.tensors}
    if is_tied:  # its norm stays with what no layer has
        other, output = other + output, embedding
    heads = keys.each("attention.head_count", n_layers) or ()
    n_head = max(heads, default=0)
    n_embd = keys.whole("embedding_length") or 0
    head_size = n_embd // n_head if n_head else 0
    key_length = keys.whole("attention.key_length") or head_size
    plain_length = keys.whole("attention.key_length_mla") or key_length
    kinds = _layers(keys, weights, heads, head_size)
    return Footprint(
        layers=kinds,
        other=other,
        output=output,
        is_tied=is_tied,
        n_vocab=n_vocab or _n_tokens(keys),
        n_embd=n_embd,
        n_ff=max(keys.each("feed_forward_length", n_layers) or (0,), default=0),
        n_head=n_head,
        query=n_head * key_length,
        query_plain=n_head * plain_length,
        n_masks=1 + bool(keys.whole("attention.sliding_window")),
        n_expert=keys.whole("expert_count") or 0,
        n_expert_used=keys.whole("expert_used_count") or 0,
        n_ff_expert=keys.whole("expert_feed_forward_length") or 0,
        inner=keys.whole("ssm.inner_size") or 0,
        n_ctx_train=keys.whole("context_length") or 0,
    )


def _n_tokens(keys: Keys) -> int:
    tokens = keys.find("tokenizer.ggml.tokens")
    if isinstance(tokens, ArrayInfo):
        return tokens.count
    return len(tokens) if isinstance(tokens, tuple) else keys.whole("vocab_size") or 0


def _layers(
    keys: Keys, weights: list[int], heads: tuple[int, ...], head_size: int
) -> tuple[LayerShape, ...]:
    """What each layer keeps.

    Layers without heads for keys, and in some families all but every n-th, have a state instead.
    """
    count = len(weights)
    kv_heads = keys.each("attention.head_count_kv", count) or heads or (0,) * count
    key = keys.whole("attention.key_length") or head_size
    value = keys.whole("attention.value_length") or head_size
    if keys.whole("attention.key_length_mla"):
        value = 0  # what a token keeps is compressed, keys and values in one
    state = _state(keys)
    interval = keys.whole("full_attention_interval") or 0
    has_both = keys.architecture == "falcon-h1"
    shapes = []
    for index, bytes_ in enumerate(weights):
        n_heads = kv_heads[index] if index < len(kv_heads) else 0
        keeps_state = bool(state) and (not n_heads or has_both or _between(index, interval))
        attends = n_heads > 0 and (has_both or not keeps_state)
        shapes.append(
            LayerShape(
                weights=bytes_,
                key=n_heads * key if attends else 0,
                value=n_heads * value if attends else 0,
                state=state if keeps_state else 0,
            )
        )
    return tuple(shapes)


def _between(index: int, interval: int) -> bool:
    return interval > 1 and (index + 1) % interval != 0


def _state(keys: Keys) -> int:
    """Elements of a sequence's state in one layer, 0 for models that keep none."""
    n_embd = keys.whole("embedding_length") or 0
    if head := keys.whole("wkv.head_size"):
        return n_embd * ((keys.whole("token_shift_count") or _TOKEN_SHIFTS) + head)
    if reach := keys.whole("shortconv.l_cache"):
        return n_embd * (reach - 1)
    inner, width = keys.whole("ssm.inner_size") or 0, keys.whole("ssm.state_size") or 0
    reach = keys.whole("ssm.conv_kernel") or 1
    groups = keys.whole("ssm.group_count") or 0
    return (reach - 1) * (inner + 2 * groups * width) + width * inner if inner else 0
