"""Settings from an environment: every rule of reading, the address forms, what children get."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.config import (
    FOREVER,
    Host,
    Settings,
    child_environment,
    parse_host,
    read_settings,
    server_environment,
)
from puna.models.registry.origin import origin_of

HOSTS = {
    "1.2.3.4": "http://1.2.3.4:11434",
    ":1234": "http://:1234",
    "example.com": "http://example.com:11434",
    "example.com:1": "http://example.com:1",
    ":0": "http://:0",
    ":66000": "http://:11434",
    ":-1": "http://:11434",
    ":x": "http://:11434",
    "[::1]": "http://[::1]:11434",
    "::1": "http://[::1]:11434",
    "[::]": "http://[::]:11434",
    "[::1]:1337": "http://[::1]:1337",
    ' " 1.2.3.4 " ': "http://1.2.3.4:11434",
    "http://1.2.3.4": "http://1.2.3.4:80",
    "https://1.2.3.4": "https://1.2.3.4:443",
    "https://1.2.3.4:99999": "https://1.2.3.4:443",
    "https://example.com/ollama": "https://example.com:443/ollama",
    "example.com/a/b/": "http://example.com:11434/a/b",
    "other://x": "other://x:11434",
    "ollama.com": "https://ollama.com:443",
    "": "http://127.0.0.1:11434",
}


@pytest.mark.parametrize(("text", "url"), HOSTS.items(), ids=HOSTS)
def test_addresses(text: str, url: str) -> None:
    assert read_settings({"OLLAMA_HOST": text}).host.url == url


def test_a_bad_port_is_told() -> None:
    warnings = read_settings({"OLLAMA_HOST": ":66000"}).warnings
    assert warnings == ("invalid port, using default: port=66000 default=11434",)


CONNECTABLE = {
    "0.0.0.0": "http://127.0.0.1:11434",
    "[::]": "http://[::1]:11434",
    ":5": "http://127.0.0.1:5",
    "example.com": "http://example.com:11434",
}


@pytest.mark.parametrize(("text", "url"), CONNECTABLE.items(), ids=CONNECTABLE)
def test_the_address_to_dial(text: str, url: str) -> None:
    assert parse_host(text).connectable().url == url


@given(st.text())
def test_any_text_gives_an_address(text: str) -> None:
    assert 0 <= parse_host(text).port <= 65535


VALUES: dict[str, tuple[str, str, str, object]] = {
    "true": ("OLLAMA_NOPRUNE", "true", "no_prune", True),
    "1": ("OLLAMA_NOPRUNE", "1", "no_prune", True),
    "false": ("OLLAMA_NOPRUNE", "False", "no_prune", False),
    "f": ("OLLAMA_NOPRUNE", "f", "no_prune", False),
    "an unreadable flag is true": ("OLLAMA_NOPRUNE", "maybe", "no_prune", True),
    "a flag of blanks is unset": ("OLLAMA_NOPRUNE", "  ", "no_prune", False),
    "three states, on": ("OLLAMA_FLASH_ATTENTION", "1", "flash_attention", True),
    "three states, off": ("OLLAMA_FLASH_ATTENTION", "0", "flash_attention", False),
    "three states, anything else": ("OLLAMA_FLASH_ATTENTION", "maybe", "flash_attention", True),
    "three states, unset": ("OLLAMA_FLASH_ATTENTION", "", "flash_attention", None),
    "a choice of templates": ("OLLAMA_GO_TEMPLATE", "0", "go_template", False),
    "whole": ("OLLAMA_CONTEXT_LENGTH", "8192", "context_length", 8192),
    "quotes go": ("OLLAMA_MAX_QUEUE", " '7' ", "max_queue", 7),
    "parallel": ("OLLAMA_NUM_PARALLEL", "4", "num_parallel", 4),
    "as many as there is room for": ("OLLAMA_NUM_PARALLEL", "0", "num_parallel", 0),
    "sequences have a ceiling": ("PUNA_MAX_SEQUENCES", "9999", "max_sequences", 256),
    "bytes": ("PUNA_KV_CACHE_RAM", "123", "kv_cache_ram", 123),
    "a unit": ("PUNA_KV_CACHE_SIZE", "2GiB", "kv_cache_size", 2 << 30),
    "a unit, short and small": ("PUNA_KV_CACHE_SIZE", "3 m", "kv_cache_size", 3 << 20),
    "a folder": ("PUNA_KV_CACHE_DIR", "/kv", "kv_cache_dir", Path("/kv")),
    "a duration": ("OLLAMA_KEEP_ALIVE", "1h30m", "keep_alive", 5400.0),
    "seconds": ("OLLAMA_KEEP_ALIVE", "90", "keep_alive", 90.0),
    "zero": ("OLLAMA_KEEP_ALIVE", "0", "keep_alive", 0.0),
    "negative is for ever": ("OLLAMA_KEEP_ALIVE", "-1", "keep_alive", FOREVER),
    "negative duration": ("OLLAMA_KEEP_ALIVE", "-1m", "keep_alive", FOREVER),
    "no waiting for answers": ("PUNA_DRAIN_TIMEOUT", "0", "drain_timeout", 0.0),
    "answers may go on": ("PUNA_DRAIN_TIMEOUT", "1m", "drain_timeout", 60.0),
    "no limit of a step": ("PUNA_STEP_TIMEOUT", "-1", "step_timeout", FOREVER),
    "no load limit": ("OLLAMA_LOAD_TIMEOUT", "0", "load_timeout", FOREVER),
    "load limit": ("OLLAMA_LOAD_TIMEOUT", "10s", "load_timeout", 10.0),
    "items are not trimmed": (
        "OLLAMA_ORIGINS",
        "http://a, http://b",
        "origins",
        ("http://a", " http://b"),
    ),
    "inner blanks survive": ("OLLAMA_EDITOR", "' code -w '", "editor", " code -w "),
    "cache type": ("OLLAMA_KV_CACHE_TYPE", "Q8_0", "kv_cache_type", "q8_0"),
    "guesses from the text": ("PUNA_SPECULATION", "Lookup", "speculation", "lookup"),
    "no guesses": ("PUNA_SPECULATION", "OFF", "speculation", "off"),
    "debug": ("OLLAMA_DEBUG", "1", "log_level", 10),
    "debug true": ("OLLAMA_DEBUG", "true", "log_level", 10),
    "no debug": ("OLLAMA_DEBUG", "false", "log_level", 20),
    "trace": ("OLLAMA_DEBUG", "2", "log_level", 5),
    "warnings only": ("OLLAMA_DEBUG", "-1", "log_level", 30),
    "errors only": ("OLLAMA_DEBUG", "-2", "log_level", 40),
    "store": ("OLLAMA_MODELS", "/srv/models", "models_dir", Path("/srv/models")),
    "second store": ("PUNA_SECOND_STORE", "/srv/other", "second_store", Path("/srv/other")),
    "no second store": ("PUNA_SECOND_STORE", "OFF", "second_store", None),
    "a mirror": ("HF_ENDPOINT", "http://h:1/hf/", "hf_endpoint", "http://h:1/hf"),
    "a token": ("HF_TOKEN", "hf_secret", "hf_token", "hf_secret"),
    "keys": ("PUNA_API_KEY", " a, b c,, ", "api_keys", ("a", "b c")),
    "no key at all is no open door": ("PUNA_API_KEY", ",", "api_keys", (",",)),
    "the key of commands": ("PUNA_API_KEY", "a,b", "api_key", "a"),
    "a key for no header": ("PUNA_API_KEY", "a\nb", "api_key", ""),
    "a key of other letters": ("PUNA_API_KEY", "schlüssel", "api_key", ""),
    "no key": ("PUNA_API_KEY", "", "api_key", ""),
    "aliases": (
        "PUNA_MODEL_ALIASES",
        "gpt-*=a, claude-3:1=b/c:d",
        "model_aliases",
        ("gpt-*=a", "claude-3:1=b/c:d"),
    ),
    "home": ("PUNA_HOME", "/srv/puna", "models_dir", Path("/srv/puna/models")),
}


@pytest.mark.parametrize(("name", "text", "attribute", "value"), VALUES.values(), ids=VALUES)
def test_values(name: str, text: str, attribute: str, value: object) -> None:
    settings = read_settings({name: text})
    assert getattr(settings, attribute) == value
    assert settings.warnings == ()


HUB = "https://huggingface.co"
UNREADABLE: dict[str, tuple[str, str, str, object]] = {
    "no kind of guessing": ("PUNA_SPECULATION", "1", "speculation", "on"),
    "negative": ("OLLAMA_NUM_PARALLEL", "-1", "num_parallel", 0),
    "hexadecimal": ("OLLAMA_MAX_QUEUE", "0x10", "max_queue", 512),
    "octal": ("OLLAMA_MAX_QUEUE", "0o10", "max_queue", 512),
    "words": ("OLLAMA_CONTEXT_LENGTH", "much", "context_length", 0),
    "more than a machine holds": ("OLLAMA_CONTEXT_LENGTH", "9" * 30, "context_length", 0),
    "days": ("OLLAMA_KEEP_ALIVE", "1d", "keep_alive", 300.0),
    "question marks": ("OLLAMA_KEEP_ALIVE", "???", "keep_alive", 300.0),
    "seconds without end": ("OLLAMA_KEEP_ALIVE", "9" * 400, "keep_alive", 300.0),
    "two signs": ("OLLAMA_KEEP_ALIVE", "-+1", "keep_alive", 300.0),
    "a mirror without a scheme": ("HF_ENDPOINT", "hf-mirror.com", "hf_endpoint", HUB),
    "a mirror with a port that cannot be": ("HF_ENDPOINT", "http://h:99999", "hf_endpoint", HUB),
    "a mirror with a question": ("HF_ENDPOINT", "https://h/?a", "hf_endpoint", HUB),
    "an alias of nothing": ("PUNA_MODEL_ALIASES", "gpt-4=", "model_aliases", ()),
    "an alias of many": ("PUNA_MODEL_ALIASES", "gpt-*=q*", "model_aliases", ()),
    "nobody's home": ("OLLAMA_MODELS", "~no-such-user/models", "models", None),
}


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"), UNREADABLE.values(), ids=UNREADABLE
)
def test_what_cannot_be_read_is_told_and_the_default_used(
    name: str, text: str, attribute: str, value: object
) -> None:
    settings = read_settings({name: text})
    assert getattr(settings, attribute) == value
    (warning,) = settings.warnings
    assert warning.startswith(f"invalid environment variable, using default: {name}={text} ")


def test_a_token_is_never_shown() -> None:
    settings = read_settings({"HF_TOKEN": "hf secret"})
    assert settings.hf_token == ""
    assert "secret" not in str(settings.warnings)
    shown = repr(read_settings({"HF_TOKEN": "hf_x", "PUNA_API_KEY": "pk_x"}))
    assert "_x" not in shown


@given(st.one_of(st.text(), st.from_regex(r"https?://[^\s]{1,20}", fullmatch=True)))
def test_whatever_stands_in_for_the_hub_has_an_origin(text: str) -> None:
    assert origin_of(read_settings({"HF_ENDPOINT": text}).hf_endpoint).host


def test_nothing_set() -> None:
    settings = read_settings({})
    assert settings.host == Host()
    assert settings.keep_alive == settings.load_timeout == 300.0
    assert (settings.max_queue, settings.num_parallel, settings.context_length) == (512, 0, 0)
    assert settings.models_dir == Path("~/.puna").expanduser() / "models"
    assert settings.editor == "vi"
    assert settings.warnings == ()


EDITORS = {
    "our own first": ({"OLLAMA_EDITOR": "a", "VISUAL": "b", "EDITOR": "c"}, "a"),
    "then VISUAL": ({"VISUAL": "b", "EDITOR": "c"}, "b"),
    "then EDITOR": ({"EDITOR": "c"}, "c"),
}


@pytest.mark.parametrize(("environ", "editor"), EDITORS.values(), ids=EDITORS)
def test_editors(environ: dict[str, str], editor: str) -> None:
    assert read_settings(environ).editor == editor


NAMES = [spec.metadata["env"] for spec in dataclasses.fields(Settings) if "env" in spec.metadata]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(st.characters(exclude_characters="\0"))))
def test_no_environment_keeps_a_server_from_starting(environ: dict[str, str]) -> None:
    settings = read_settings(environ)
    assert settings.num_parallel >= 0
    assert settings.home.is_absolute() or "PUNA_HOME" in environ


def test_children_get_paths_and_cards_and_no_secrets() -> None:
    """A runner sees the cards that its server was told to, in the same order."""
    kept = {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "CUDA_VISIBLE_DEVICES": "GPU-x,GPU-y",
        "HIP_VISIBLE_DEVICES": "1,0",
        "ROCR_VISIBLE_DEVICES": "0",
        "GPU_DEVICE_ORDINAL": "1",
        "GGML_VK_VISIBLE_DEVICES": "0",
        "VK_ICD_FILENAMES": "/icd.json",
        "LD_LIBRARY_PATH": "/lib",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=0",
    }
    secrets = {"AWS_SECRET_ACCESS_KEY": "x", "OLLAMA_HOST": "y", "HF_TOKEN": "z", "PYTHONPATH": "."}
    assert child_environment({**kept, **secrets}) == kept


def test_a_server_in_another_folder_finds_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = {"PUNA_HOME": "here", "OLLAMA_MODELS": "models", "PUNA_KV_CACHE_DIR": "kv"}
    settings = read_settings(relative)
    environ = server_environment(settings)
    assert environ["PUNA_HOME"] == str(tmp_path / "here")
    assert environ["OLLAMA_MODELS"] == str(tmp_path / "models")
    assert environ["PUNA_KV_CACHE_DIR"] == str(tmp_path / "kv")
