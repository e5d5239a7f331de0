"""Well-known chat templates, told from others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.models.digest import Digest
from puna.models.layers import encode_params
from puna.prompt.detect import KNOWN, Known, detect

# two of the formats in words of our own, as long as known templates are
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PHI = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
NAMES = {
    "chatml": (CHATML, "chatml"),
    "a little more": (CHATML + "{# a remark #}", "chatml"),
    "phi-3": (PHI, "phi-3"),
    "far longer": (CHATML + "{# " + "x" * 1000 + " #}", None),
    "as long, of another format": (CHATML.replace("<|im_start|>", "<|open_it|>"), None),
    "ends of phi-3 in zephyr's words": (
        "<|user|><|assistant|>{{ eos_token }}<|end|>".ljust(400), None,
    ),
    "nothing known": ("{{ messages }}", None),
    "empty": ("", None),
}  # fmt: skip


@pytest.mark.parametrize(("template", "name"), NAMES.values(), ids=NAMES)
def test_formats_are_told_apart(template: str, name: str | None) -> None:
    found = detect(template)
    assert (found.name if found else None) == name


STOPS = {
    "alfred": "c7290af178fa", "alpaca": "afa0ae3294fb", "chatml": "f02dd72bb242",
    "chatqa": "a1e3e06d9fd0", "codellama-70b-instruct": "8d452cd1939c",
    "command-r": "36b9655abe6a", "falcon-instruct": "19f2fb9e8bc6",
    "gemma-instruct": "2490e7468436", "gemma3-instruct": "d3a76cb8c4a0",
    "granite-instruct": "f1406f0e20d0", "llama2-chat": "fa304d675061",
    "llama3-instruct": "56bb8bd477a5", "magicoder": "e1c9e0f13383",
    "mistral-instruct": "f02dd72bb242", "openchat": "40c59278652c", "phi-3": "0d79f567714c",
    "solar-instruct": "e691c102255f", "starcoder2-instruct": "94f516516088",
    "zephyr": "b9fe8949313d",
}  # fmt: skip


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_params_layers_have_the_digests_of_the_reference(known: Known) -> None:
    digest = Digest.of(encode_params({"stop": list(known.stop)}))
    assert digest.hex.startswith(STOPS[known.name])


def test_every_fingerprint_is_of_one_format() -> None:
    texts = [text for known in KNOWN for text in known.texts]
    assert len(set(texts)) == len(texts) == 37


@given(st.text())
def test_any_text_is_one_or_none(text: str) -> None:
    found = detect(text)
    assert found is None or found in KNOWN
