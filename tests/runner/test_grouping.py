"""Orders for vectors go out in frames of bounded size, and nothing is lost or moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from puna.runner.grouping import MOST_INPUTS, MOST_LENGTH, split_order
from puna.runner.protocol import Embedding


@given(st.lists(st.sampled_from([0, 1, 1000, MOST_LENGTH // 2, 2 * MOST_LENGTH]), max_size=200))
def test_parts(lengths: list[int]) -> None:
    texts = {length: "x" * length for length in lengths}
    order = Embedding(inputs=tuple(texts[each] for each in lengths), query="q", n_ctx=7)
    parts = list(split_order(order))
    assert tuple(text for part in parts for text in part.inputs) == order.inputs
    for part in parts:
        assert (part.query, part.n_ctx, part.truncate) == ("q", 7, True)
        assert 1 <= len(part.inputs) <= MOST_INPUTS
        assert len(part.inputs) == 1 or sum(map(len, part.inputs)) <= MOST_LENGTH
