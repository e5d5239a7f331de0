"""Which well-known chat template a file brings, and the stop words that belong to it.

Facts: models spec, section 18; prompting spec, appendix B. The reference compares with the texts of
37 templates and takes what is fewer than 100 edits away. Here the texts are known by length and
hash, which finds those very templates; a changed one counts as the same where its length could be
that few edits away, and it has the marks that make the format.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["KNOWN", "Known", "detect"]

_NEAR = 100  # edits, and so characters of length


@dataclass(frozen=True, slots=True)
class Known:
    """A format. `texts` are its templates: characters, and the first digits of their SHA-256."""

    name: str
    texts: tuple[tuple[int, str], ...]
    stop: tuple[str, ...]
    marks: tuple[str, ...] = ()
    """What a template of this format contains; its stop words, unless it builds some of them."""
    foreign: tuple[str, ...] = ()
    """What makes it another one."""

    def has_marks(self, chat_template: str) -> bool:
        """Whether the text can be this format's."""
        return all(mark in chat_template for mark in self.marks or self.stop) and not any(
            mark in chat_template for mark in self.foreign
        )

    def distance(self, chat_template: str) -> int:
        """The least number of edits that may be between the text and one of the known ones."""
        length = len(chat_template)
        return min(abs(length - size) for size, _ in self.texts)


_IM = ("<|im_start|>", "<|im_end|>")

KNOWN = (
    Known(
        "chatml",
        (
            (441, "91aa728ae59c"),
            (291, "58c1a1f04baa"),
            (358, "3ce2fe9753f9"),
            (209, "a805e50fed68"),
            (196, "153280e3ff55"),
            (328, "793202280c09"),
            (327, "af9c0233881b"),
            (450, "e6f6e5c19265"),
            (306, "f42d04ffb2e4"),
            (629, "f02c53419301"),
            (1842, "faf1f8b675be"),
        ),
        _IM,
    ),
    Known(
        "zephyr",
        ((410, "66291cf0045c"), (306, "bf61473d7119")),
        ("<|system|>", "</s>", "<|user|>", "<|assistant|>"),
        ("<|user|>", "<|assistant|>", "eos_token"),
        foreign=("<|end|>",),
    ),
    Known(
        "openchat",
        ((222, "901b10d47195"),),
        ("<|end_of_turn|>",),
        ("GPT4 Correct", "<|end_of_turn|>"),
    ),
    Known(
        "mistral-instruct",
        ((470, "26a59556925c"), (477, "7e995b379ec0")),
        _IM,  # the reference's own: no template of the format writes them
        ("[INST]", "[/INST]", "eos_token"),
        foreign=("<<SYS>>",),
    ),
    Known(
        "starcoder2-instruct",
        ((574, "6de66c5b4eb2"),),
        ("### Instruction", "### Response", "<|endoftext|>"),
        ("### Instruction", "### Response"),
    ),
    Known(
        "llama2-chat",
        ((813, "ea2472f29dbd"), (815, "e8d5b5a546d3")),
        ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
    ),
    Known(
        "codellama-70b-instruct",
        ((531, "75678d463085"),),
        ("Source:", "Destination:", "<step>"),
    ),
    Known("alpaca", ((1041, "993c0af704ba"),), ("### Instruction:", "### Response")),
    Known(
        "chatqa",
        ((459, "8aeba567270f"), (690, "cd3636885332")),
        ("System:", "User:", "Assistant:", "<|begin_of_text|>"),
        ("User:", "Assistant:"),
    ),
    Known("gemma-instruct", ((591, "ecd6ae513fe1"),), ("<start_of_turn>", "<end_of_turn>")),
    Known(
        "gemma3-instruct",
        ((1532, "7de1c58e208e"),),
        ("<end_of_turn>",),
        ("<start_of_turn>", "<end_of_turn>"),
    ),
    Known(
        "llama3-instruct",
        ((389, "ba03a121d097"), (4614, "e10ca381b1cc")),
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ),
    Known("granite-instruct", ((376, "e84ee90c8a81"),), ("System:", "Question:", "Answer:")),
    Known("magicoder", ((571, "230527c8a608"),), ("@@ Instruction", "@@ Response")),
    Known(
        "alfred",
        ((533, "071cfb2d4c79"),),
        ("<start_system>", "<end_message>", "<start_user>", "<start_assistant>"),
    ),
    Known(
        "phi-3",
        ((254, "605841622bcb"), (269, "268b6082ceb7"), (218, "b0e53f5e7bae")),
        ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>"),
        ("<|end|>", "<|assistant|>"),
    ),
    Known(
        "falcon-instruct",
        ((356, "2c575663fbb6"), (340, "f6084d6ec1cb")),
        ("User:", "Assistant:"),
        ("User:", "Falcon:"),
    ),
    Known(
        "solar-instruct",
        ((409, "b8e5e922a7a4"),),
        ("### System:", "### User:", "### Assistant"),
    ),
    Known(
        "command-r",
        ((1204, "9db2cf47ce03"),),
        ("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    ),
)

_BY_TEXT = {text: known for known in KNOWN for text in known.texts}


def detect(chat_template: str) -> Known | None:
    """The format of a Jinja template; None for one that is not well-known."""
    digits = hashlib.sha256(chat_template.encode("utf-8", "replace")).hexdigest()[:12]
    exact = _BY_TEXT.get((len(chat_template), digits))
    if exact is not None:
        return exact
    nearest = min(
        (known for known in KNOWN if known.has_marks(chat_template)),
        key=lambda known: known.distance(chat_template),
        default=None,
    )
    return nearest if nearest and nearest.distance(chat_template) < _NEAR else None
