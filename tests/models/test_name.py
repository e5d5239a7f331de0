"""Model names: checks N1 to N13 of the models spec, as tables and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import InvalidName
from puna.models.name import Name, Parts, Source, is_namespace, split_name, split_source

FULL = {
    "bare model": ("model", "registry.ollama.ai/library/model:latest"),
    "with a tag": ("model:7b", "registry.ollama.ai/library/model:7b"),
    "with a namespace": ("me/model", "registry.ollama.ai/me/model:latest"),
    "host with a port, no tag": ("host:5000/ns/m", "host:5000/ns/m:latest"),
    "host with a word for a port": (
        "host:port/namespace/model",
        "host:port/namespace/model:latest",
    ),
    "scheme is dropped": ("http://host/ns/m:t", "host/ns/m:t"),
    "dots in the model": ("a..b", "registry.ollama.ai/library/a..b:latest"),
    "closing dot": ("a.", "registry.ollama.ai/library/a.:latest"),
    "hub repository": ("hf.co/u/r-GGUF:Q4_K_M", "hf.co/u/r-GGUF:Q4_K_M"),
    "misspelt suffix is a tag": ("gpt-oss:clod", "registry.ollama.ai/library/gpt-oss:clod"),
}

BARE_VALID = [
    "_why/_the/_lucky:_stiff",
    "h/n/m:t",
    "host:https/namespace/model:tag",
    "/".join(["a" * 80] * 3) + ":" + "b" * 80,
    "h" * 350 + "/n/m:t",
]

BARE_INVALID = [
    "", "m", "n/m:", "h/n/m", "@t", "m@d", "^", "mm:", "/nn/mm", "//", "//mm", "hh//", "//mm:@",
    "00@", "-hh/nn/mm:tt", "hh/-nn/mm:tt", "hh/nn/-mm:tt", "hh/nn/mm:-tt",
    "host/name:space/model:tag", "h" * 351 + "/n/m:t", "h/" + "n" * 81 + "/m:t",
    "h/n/" + "m" * 81 + ":t", "h/n/m:" + "t" * 81, "h/n/m:t\n", "h/n/mé:t", "h/n/m\0:t",
]  # fmt: skip

NEVER = [
    "..",
    ".",
    ".hidden",
    "../x",
    "a/..",
    "h/../m",
    "m:..",
    "m:",
    ":t",
    "http://host/m",
    "",
    "m\n",
]


@pytest.mark.parametrize(("text", "full"), FULL.values(), ids=FULL)
def test_names_are_completed(text: str, full: str) -> None:
    assert str(Name.parse(text)) == full


@pytest.mark.parametrize("text", BARE_VALID)
def test_bare_names_that_are_complete(text: str) -> None:
    assert split_name(text).is_valid


@pytest.mark.parametrize("text", BARE_INVALID)
def test_bare_names_that_are_not(text: str) -> None:
    assert not split_name(text).is_valid


@pytest.mark.parametrize("text", NEVER)
def test_names_that_no_default_saves(text: str) -> None:
    with pytest.raises(InvalidName, match="invalid model name"):
        Name.parse(text)


def test_scheme_and_port_are_told_apart() -> None:
    parts = split_name("scheme://host:port/namespace/model:tag")
    assert parts == Parts("scheme", "host:port", "namespace", "model", "tag")


SHORT = {
    "default host and namespace": ("registry.ollama.ai/library/model", "model:latest"),
    "in another case": ("Registry.Ollama.AI/Library/model:t", "model:t"),
    "own namespace": ("me/model", "me/model:latest"),
    "another host keeps everything": ("host/library/model:tag", "host/library/model:tag"),
}


@pytest.mark.parametrize(("text", "short"), SHORT.values(), ids=SHORT)
def test_short_form(text: str, short: str) -> None:
    assert Name.parse(text).short == short


def test_path_and_repository() -> None:
    name = Name.parse("host:5000/Ns/Model:Tag")
    assert str(name.relative_path) == "host:5000/Ns/Model/Tag"
    assert name.repository == "Ns/Model"
    assert name.folded == ("host:5000", "ns", "model", "tag")


@pytest.mark.parametrize(
    ("text", "answer"), [("a", True), ("", False), ("a:b", False), ("a/b", False), ("a.", False)]
)
def test_namespace_check(text: str, answer: bool) -> None:
    assert is_namespace(text) is answer


SOURCES = {
    "plain": ("qwen3", "qwen3", Source.UNSPECIFIED, "qwen3"),
    "blanks around": ("  qwen3:8b ", "qwen3:8b", Source.UNSPECIFIED, "qwen3:8b"),
    "cloud tag": ("gpt-oss:20b:cloud", "gpt-oss:20b", Source.CLOUD, "gpt-oss:20b-cloud"),
    "cloud dash": ("gpt-oss:20b-cloud", "gpt-oss:20b", Source.CLOUD, "gpt-oss:20b-cloud"),
    "cloud alone": ("qwen3:cloud", "qwen3", Source.CLOUD, "qwen3:cloud"),
    "any case": ("qwen3:CLOUD", "qwen3", Source.CLOUD, "qwen3:cloud"),
    "local": ("qwen3:8b:Local", "qwen3:8b", Source.LOCAL, "qwen3:8b"),
    "dash without a tag": (
        "my-cloud-model",
        "my-cloud-model",
        Source.UNSPECIFIED,
        "my-cloud-model",
    ),
    "slash after the colon": (
        "foo:bar-cloud/baz",
        "foo:bar-cloud/baz",
        Source.UNSPECIFIED,
        "foo:bar-cloud/baz",
    ),
    "host with a port": (
        "localhost:11434/library/foo:cloud",
        "localhost:11434/library/foo",
        Source.CLOUD,
        "localhost:11434/library/foo:cloud",
    ),
}


@pytest.mark.parametrize(("text", "base", "source", "storable"), SOURCES.values(), ids=SOURCES)
def test_source_suffixes(text: str, base: str, source: Source, storable: str) -> None:
    reference = split_source(text)
    assert (reference.base, reference.source, reference.storable) == (base, source, storable)


@pytest.mark.parametrize("text", ["foo:cloud:local", "foo:local:cloud", "foo:1-cloud:local"])
def test_two_sources_are_refused(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        split_source(f" {text} ")
    assert str(caught.value) == f'use either :local or :cloud, not both: "{text}"'


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_a_model_is_required(text: str) -> None:
    with pytest.raises(InvalidName, match=r"^model is required$"):
        split_source(text)


def test_a_source_without_a_model_is_no_name() -> None:
    with pytest.raises(InvalidName, match="invalid model name"):
        Name.parse(split_source("::cloud").base)


PART = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,20}", fullmatch=True)


@given(PART, PART, PART, PART)
def test_valid_names_print_back(host: str, namespace: str, model: str, tag: str) -> None:
    text = f"{host}/{namespace}/{model}:{tag}"
    assert split_name(text).is_valid
    assert str(split_name(text)) == text
    assert str(Name.parse(text)) == text
    assert Name.parse(Name.parse(text).short) == Name.parse(text)


@given(st.one_of(st.text(), st.text(alphabet="aB_.-/:@")))
def test_any_text_is_a_name_or_an_error(text: str) -> None:
    try:
        name = Name.parse(text)
    except InvalidName:
        return
    assert not {"", ".", ".."} & set(name.relative_path.parts)
    assert len(name.relative_path.parts) == 4
    assert Name.parse(name.short) == name or name.host.lower() == "registry.ollama.ai"


@given(st.text(alphabet="aB/:", max_size=12))
def test_complete_bare_names_print_back_exactly(text: str) -> None:
    parts = split_name(text)
    if parts.is_valid and not parts.scheme:
        assert str(parts) == text
