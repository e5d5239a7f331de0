"""Texts that tokenizers trip over: what they split, join, fold or leave out at the edges."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

__all__ = ["NASTY", "random_texts"]

NASTY: Mapping[str, str] = {
    "nothing": "",
    "a blank": " ",
    "three blanks": "   ",
    "a line feed": "\n",
    "three line feeds": "\n\n\n",
    "tabs first": "\t\t x",
    "blanks of all kinds": " \n \n\n  \t\n a",
    "mixed ends of lines": "a\r\nb\r\n\r\nc\rd",
    "blanks at the end": "ends with blanks   ",
    "a line feed at the end": "ends with a line\n",
    "blanks at the beginning": "   begins with blanks",
    "growing blanks": "one  two   three    four",
    "many blanks": "a" + " " * 70 + "b" + " " * 24 + "c",
    "many line feeds": "a" + "\n" * 40 + "b" + "\r\n" * 9,
    "many tabs": "a" + "\t" * 17 + "b",
    "contractions": "it's I'M we'Re they'll you'D 'tis o'clock 's'T",
    "a long s": "it\u2019s 'ſ don'ſ 'S",
    "numbers": "1 12 123 1234 12345 1234567890123 3.14159 1,000,000.00 0x1F 1e-9",
    "a hundred digits": "31415926535897932384626433832795028841971693993751058209749445923078" * 2,
    "digits of others": "٣٤٥ ४५६ １２３ ² ³ ½ Ⅷ ⑨ 〇一二三",
    "signs between letters": (
        'don\'t-stop_believing/and\\or a.b.c, (d) [e] {f} <g> "h" `i` ~j~ #k @l $m %n ^o &p *q'
        " +r =s |t ?u !v"
    ),
    "runs of signs": "!!!???...---___===+++***///\\\\\\",
    "cases": "camelCaseHTTPServer snake_case_name SCREAMING kebab-case ALLCAPS123lower",
    "letters with marks": "naïve café Straße ÅNGSTRÖM",
    "letters that fold oddly": "İstanbul ıIiİ ǆ ǅ Ǆ ﬁ ﬂ ſ ẞ",
    "marks alone": "e\u0301 a\u0308\u0323 n\u0303 \u0301 \u0308x Z\u0361\u0489algo",
    "Cyrillic": "Привет, мир! Ёлка ъ ѣ",
    "Cyrillic cases": "ПриветМир МИР'S приВЕТ",
    "Greek": "Ελληνικά ΣΑΣ σας ς",
    "Arabic": "مرحبا بالعالم لا إله",
    "Arabic with marks": "السَّلَامُ عَلَيْكُمْ",
    "Hebrew": "שלום עולם",
    "Hebrew with marks": "שָׁלוֹם",
    "Hindi": "नमस्ते दुनिया क्षत्रिय ज्ञ",
    "Bengali and Tamil": "আমি বাংলায় গান গাই தமிழ் நாடு",
    "Thai": "สวัสดีชาวโลก กำลัง น้ำ",
    "Georgian, Armenian": "გამარჯობა ᲒᲐ Բարև ԲԱՐԵՎ և",
    "Chinese": "你好，世界！「引用」『書名』【】《》、。",
    "Japanese": "日本語のテキスト カ゛ ー々〆",
    "half-width Japanese": "ｶﾀｶﾅ ｶﾞ ＡＢＣ",
    "Korean": "한국어 텍스트 각",
    "Korean letters": "한 ᄀ\u1161\u11a8",
    "rare Chinese": "\U00020000\U0002a6d6 𠮷野家 \uf900",
    "faces": "😀 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷",
    "faces that are text": "1️⃣ ☺︎☺️ ❤️‍🔥 ©️ ™",
    "mathematics": "𝒳𝕪𝖟 ℌ ℵ ∑∏∫√∞≠≤ ∀x∈ℝ: ⌈x⌉ = −⌊−x⌋",
    "currencies": "€5 £6 ¥7 ₹8 $9¢ ₿ 10°C ±1 §2 ¶",
    "wide blanks": "a\u00a0b\u2003c\u3000d\u2009f\u202fg",
    "a blank of no width": "d\u200be",
    "ends of lines of others": "a\u2028b\u2029c\u000be\u000cf",
    "next line": "c\u0085d",
    "byte order mark": "\ufeffBOM first",
    "joiners": "zero\u200cwidth\u200djoin\u2060er",
    "directions": "left\u202eright\u202c \u2066x\u2069",
    "control characters": "\x01\x02\x1b[31mred\x1b[0m\x7f",
    "the zero byte": "a\0b \0",
    "private and unassigned": "\ue000\uf8ff \U000f0000 \U0010ffff \u0378",
    "replacement and no character": "\ufffd \ufffe",
    "links": "https://example.com/a?b=c&d=%20#e mail@example.org ftp://x:y@h:1",
    "C": 'for (int i = 0; i < n; ++i) {\n\tprintf("%d\\n", i);\n}\n',
    "Python": "def f(x):\n    return {\n        'a': [1, 2],\n    }\n\n\n# end",
    "HTML": "<html><body class='x'>&nbsp;&#128512;</body></html>",
    "JSON": '{"key": "va\\"lue", "n": [1.5e10, null, true]}',
    "63 letters": "a" * 63,
    "repeated words": "ababababababababababababab " * 8,
    "300 letters": "x" * 300,
    "2,000 letters": "supercalifragilistic" * 100,
    "blocks": "▁underline ▁▁ block █ ░",
    "letters for bytes": "Ġ Ċ ĉ Ã© the letters that bytes are written with",
    "tags of others": "[INST] <<SYS>> <s> </s> <unk> <0x0A> <|x|> <|im_start|>user",
    "marks of words": "## ##ing [UNK] [CLS] a##b",
}

_FRAGMENTS = (
    *(
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        ".",
        ",",
        "'s",
        "'LL",
        "-",
        "_",
        "(",
        "}",
        '"',
        "$",
        "=",
        "<|",
    ),
    *("a", "the", "The", "HTTP", "ing", "naïve", "Ä", "1", "23", "456", "½", "٣", "мир", "Мир"),
    *(
        "हिन्दी",
        "ไทย",
        "你好",
        "の",
        "한",
        "شكرا",
        "e\u0301",
        "😀",
        "👍🏽",
        "\u200d",
        "\u00a0",
        "\ufffd",
    ),
)


def random_texts(n_texts: int) -> list[str]:
    """Texts that hypothesis makes of such parts and of any characters, always the same ones."""
    found: list[str] = []
    character = st.characters(codec="utf-8")  # halves of pairs are no text
    part = st.sampled_from(_FRAGMENTS) | st.text(character, max_size=3)

    @settings(
        max_examples=n_texts,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(part, min_size=1, max_size=12).map("".join))
    def collect(text: str) -> None:
        found.append(text)

    collect()
    return list(dict.fromkeys(found))
