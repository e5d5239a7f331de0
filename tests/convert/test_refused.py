"""What is said of architectures that are not converted."""

from __future__ import annotations

from puna.convert.families.refused import REFUSED, reason_of
from puna.convert.families.registry import families


def test_what_is_converted_is_not_refused_and_nothing_twice() -> None:
    refused = [name for names in REFUSED.values() for name in names.split()]
    assert len(refused) == len(set(refused))
    assert not set(refused) & set(families())


def test_a_name_has_its_reason() -> None:
    assert "whole text" in reason_of("T5ForConditionalGeneration")
    assert not reason_of("LlamaForCausalLM")
