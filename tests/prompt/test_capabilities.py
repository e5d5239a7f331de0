"""The words of `capabilities`, and their order (API spec, 13.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.gguf.describe import Description
from puna.prompt.capabilities import capabilities_of
from puna.prompt.layer import LayerTemplate


def described(
    architecture: str = "llama",
    *,
    pooling: bool = False,
    vision: bool = False,
    audio: bool = False,
) -> Description:
    return Description(
        architecture=architecture,
        kind="model",
        parameter_count=1,
        file_type="F16",
        quantization="F16",
        context_length=8,
        embedding_length=8,
        block_count=1,
        head_count_kv=(1,),
        key_length=8,
        value_length=8,
        chat_template=None,
        has_pooling=pooling,
        has_vision=vision,
        has_audio=audio,
        has_audio_encoder=False,
        split_count=0,
        split_no=None,
        file_size=1,
    )


THINKS = "<think></think>"
CASES: dict[str, tuple[tuple[str, ...], Description | None, bool, str | None, str]] = {
    "plain": ((), described(), False, None, "completion"),
    "embedding instead of completion": ((), described(pooling=True), False, None, "embedding"),
    "media": ((), described(vision=True, audio=True), False, None, "completion vision audio"),
    "template first": ((), described(), False, THINKS, "thinking completion"),
    "tools are not promised": ((), described(), False, "{{ tools }} tool_call", "completion"),
    "config before all": (("tools", "vision"), described(), False, None, "tools vision completion"),
    "projector": ((), described(), True, None, "completion vision"),
    "each word once": (("vision",), described(vision=True), True, None, "vision completion"),
    "audio that counts for nothing": (
        (),
        described("nemotron_h_omni", audio=True),
        False,
        None,
        "completion",
    ),
    "gpt-oss": ((), described("gptoss"), False, None, "completion thinking"),
    "gpt-oss, spelt so": ((), described("gpt-oss"), False, THINKS, "thinking completion"),
    "no file": (("completion",), None, False, None, "completion"),
}


@pytest.mark.parametrize(
    ("config", "description", "projector", "template", "words"), CASES.values(), ids=CASES
)
def test_capabilities(
    config: tuple[str, ...],
    description: Description | None,
    projector: bool,
    template: str | None,
    words: str,
) -> None:
    projectors = [None] if projector else []
    assert capabilities_of(config, description, projectors, template) == tuple(words.split())


def test_a_projector_that_hears_brings_audio() -> None:
    hears = replace(described("clip"), kind="projector", has_audio_encoder=True)
    sees = replace(hears, has_audio_encoder=False)
    for projectors, words in (([hears], "vision audio"), ([sees], "vision"), ([None], "vision")):
        found = capabilities_of((), described(), projectors, None)
        assert found == ("completion", *words.split())
    assert "audio" not in capabilities_of((), described("nemotron_h_omni"), [hears], None)


LAYERS = {
    "{{ .Prompt }}": "completion",
    "{{ .Tools }}{{ range .Messages }}{{ end }}": "completion tools",
    "{{ .Prompt }}{{ .Suffix }}": "completion insert",
    "{{ range .Messages }}<t>{{ .Thinking }}</t>{{ end }}": "completion thinking",
    "{{ $.Tools }}{{ .Suffix }}{{ range .Messages }}<t>{{ .Thinking }}</t>{{ end }}": (
        "completion tools insert thinking"
    ),
}


@pytest.mark.parametrize(("source", "words"), LAYERS.items(), ids=LAYERS)
def test_capabilities_of_template_layers(source: str, words: str) -> None:
    layer = LayerTemplate.parse(source)
    assert capabilities_of((), described(), [], None, layer) == tuple(words.split())
    with_config = capabilities_of(("tools",), described(), [None], None, layer)
    assert set(with_config) == {"tools", "vision", *words.split()}
