"""Settings: read once from the environment into one frozen value and handed down.

The names of the reference stay (`OLLAMA_…`); settings of our own are `PUNA_…`. Facts: CLI spec,
section 3.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from puna.fmt import SECOND, BadDuration, parse_duration

__all__ = [
    "FOREVER",
    "Host",
    "Settings",
    "child_environment",
    "parse_host",
    "read_settings",
    "server_environment",
]

FOREVER = float("inf")
"""A keep-alive that never ends, in seconds."""

DEFAULT_PORT = 11434
_MAX_DIGITS = 18  # what 64 bits certainly hold


@dataclass(frozen=True, slots=True)
class Host:
    """Where a server listens, and where clients find it: `http://127.0.0.1:11434`."""

    scheme: str = "http"
    name: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    path: str = ""

    @property
    def authority(self) -> str:
        """`name:port`, with brackets around an IPv6 address."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The address with its path prefix, without a closing slash."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def connectable(self) -> Host:
        """The address to dial: where every interface is meant, this machine's loopback."""
        name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.name, self.name)
        return dataclasses.replace(self, name=name)


def parse_host(text: str, warn: Callable[[str], None] = lambda _: None) -> Host:
    """Read an OLLAMA_HOST value (CLI spec, section 3.2). Bad parts fall back to defaults."""
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
        port = DEFAULT_PORT
        if text == "ollama.com":
            scheme, port = "https", 443
    else:
        port = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
    authority, slash, path = rest.partition("/")
    name, number = _split_authority(authority)
    if number is not None:
        try:
            given = int(number) if number.isascii() and number.isdigit() else -1
        except ValueError:
            given = -1
        if 0 <= given <= 65535:
            port = given
        else:
            warn(f"invalid port, using default: port={number} default={port}")
    return Host(scheme, name, port, (slash + path).rstrip("/"))


def _split_authority(authority: str) -> tuple[str, str | None]:
    """Split `name:port`; the port is None when there is none."""
    bare = authority.removeprefix("[").removesuffix("]")
    try:
        ipaddress.IPv6Address(bare)
    except ValueError:
        pass
    else:
        return bare, None
    if authority.startswith("["):
        name, _, number = authority[1:].partition("]")
        return name, number.removeprefix(":") if number.startswith(":") else None
    name, colon, number = authority.rpartition(":")
    if not colon:
        return authority or "127.0.0.1", None
    return name, number


class _BadValue(ValueError):
    """A setting's text that cannot be read; the default is used and a warning given."""


def _flag(value: str) -> bool:
    """Go's ParseBool; anything unreadable counts as true."""
    return value not in {"0", "f", "F", "FALSE", "false", "False"}


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > _MAX_DIGITS:
        raise _BadValue(value)
    return int(value)


def _seconds(value: str) -> float:
    """A Go duration, or a whole number of seconds."""
    try:
        return parse_duration(value) / SECOND
    except BadDuration:
        digits = value.removeprefix("-" if value.startswith("-") else "+")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > _MAX_DIGITS:
            raise _BadValue(value) from None
        return float(int(value))


def _keep_alive(value: str) -> float:
    seconds = _seconds(value)
    return FOREVER if seconds < 0 else seconds


def _limit(value: str) -> float:
    """A time limit where zero and below mean none."""
    seconds = _seconds(value)
    return FOREVER if seconds <= 0 else seconds


def _items(value: str) -> tuple[str, ...]:
    return tuple(value.split(","))


def _realms(value: str) -> tuple[str, ...]:
    """Pairs `registry=host`, in lower case."""
    pairs = tuple(pair.strip() for pair in value.lower().split(","))
    if not all(re.fullmatch(r"[^\s=/]+=[^\s=/]+", pair) for pair in pairs):
        raise _BadValue(value)
    return pairs


def _endpoint(value: str) -> str:
    """An http or https address, without a slash at its end."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _BadValue(value) from None
    has_more = parts.query or parts.fragment or parts.username or not value.isprintable()
    if parts.scheme not in {"http", "https"} or not host or has_more:
        raise _BadValue(value)
    return value.rstrip("/")


def _token(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise _BadValue(value)
    return value


def _speculation(value: str) -> str:
    if value.lower() not in {"on", "lookup", "off"}:
        raise _BadValue(value)
    return value.lower()


def _log_format(value: str) -> str:
    if value.lower() not in {"text", "json"}:
        raise _BadValue(value)
    return value.lower()


def _level(value: str) -> int:
    """OLLAMA_DEBUG as a `logging` level: 0 INFO, 1 DEBUG, 2 TRACE (5), -1 WARNING, -2 ERROR."""
    number = 1
    if value.removeprefix("-").isdigit():
        number = int(value)
    elif not _flag(value):
        number = 0
    return {0: 20, 1: 10, -1: 30}.get(number, 5 if number > 0 else 40)


def _bytes(value: str) -> int:
    """A size: bytes, or a number with K, M, G or T, which count in 1024s."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)(?:i?b)?", value.lower(), re.ASCII)
    if not match or len(match[1]) > _MAX_DIGITS:
        raise _BadValue(value)
    return int(match[1]) << 10 * " kmgt".index(match[2] or " ")


def _host_names(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.lower().split(","))
    if not all(re.fullmatch(r"\*|[\w.-]+", name) for name in names):
        raise _BadValue(value)
    return names


def _image_hosts(value: str) -> tuple[str, ...]:
    """`off`, or `on` and names of hosts."""
    entries = tuple(entry.strip() for entry in value.lower().split(","))
    if not all(re.fullmatch(r"[^\s/]+", entry) for entry in entries):
        raise _BadValue(value)
    return () if entries == ("off",) else entries


def _folder(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # the home of a user who is not there
        raise _BadValue(value) from None


def _folder_or_none(value: str) -> Path | None:
    return None if value.lower() in {"off", "0", "false"} else _folder(value)


def env(name: str, read: Callable[[str], Any], default: Any, about: str) -> Any:
    """A field of Settings that comes from the environment variable `name`."""
    about_it = {"env": name, "read": read, "about": about}
    return field(default=default, repr=read is not _token, metadata=about_it)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, read once. The manual's table of variables is made from these fields."""

    host: Host = env("OLLAMA_HOST", parse_host, Host(), "address to listen on and to connect to")
    models: Path | None = env(
        "OLLAMA_MODELS", _folder, None, "model store (default: models in PUNA_HOME)"
    )
    home: Path = env(
        "PUNA_HOME", _folder, Path("~/.puna"), "folder for models, logs, keys and history"
    )
    second_store: Path | None = env(
        "PUNA_SECOND_STORE",
        _folder_or_none,
        Path("~/.ollama/models"),
        "model store that is only read, or off (default ~/.ollama/models)",
    )
    keep_alive: float = env(
        "OLLAMA_KEEP_ALIVE",
        _keep_alive,
        300.0,
        "idle time before a model is unloaded: a duration or seconds; negative: never (default 5m)",
    )
    load_timeout: float = env(
        "OLLAMA_LOAD_TIMEOUT",
        _limit,
        300.0,
        "how long a load may make no progress; 0: no limit (default 5m)",
    )
    context_length: int = env(
        "OLLAMA_CONTEXT_LENGTH",
        _whole,
        0,
        "default num_ctx; 0: by the memory of graphics cards, 4096 without (default 0)",
    )
    num_parallel: int = env(
        "OLLAMA_NUM_PARALLEL",
        _whole,
        0,
        "the most contexts of num_ctx tokens that the shared pool of a model holds; "
        "0: as many as there is room for, up to 4 (default 0)",
    )
    max_loaded_models: int = env(
        "OLLAMA_MAX_LOADED_MODELS", _whole, 0, "models loaded at a time; 0: 3 (default 0)"
    )
    spread: bool = env(
        "OLLAMA_SCHED_SPREAD", _flag, False, "use all graphics cards for every model"
    )
    gpu_overhead: int = env(
        "OLLAMA_GPU_OVERHEAD", _bytes, 0, "memory that stays free on every graphics card"
    )
    max_queue: int = env(
        "OLLAMA_MAX_QUEUE", _whole, 512, "requests that may wait for a model (default 512)"
    )
    max_transfer_streams: int = env(
        "OLLAMA_MAX_TRANSFER_STREAMS",
        _whole,
        4,
        "blobs of a model stored tensor by tensor that are pushed at once (default 4)",
    )
    origins: tuple[str, ...] = env(
        "OLLAMA_ORIGINS", _items, (), "more browser origins that may call the server, by commas"
    )
    no_prune: bool = env("OLLAMA_NOPRUNE", _flag, False, "keep blobs that no model uses")
    no_history: bool = env("OLLAMA_NOHISTORY", _flag, False, "write no history of the prompt")
    editor: str = env(
        "OLLAMA_EDITOR", str, "", "editor that Ctrl+G opens in the prompt (default vi)"
    )
    flash_attention: bool | None = env(
        "OLLAMA_FLASH_ATTENTION",
        _flag,
        None,
        "force flash attention on or off (default: automatic)",
    )
    go_template: bool | None = env(
        "OLLAMA_GO_TEMPLATE",
        _flag,
        None,
        "where a model has a Go template and a Jinja one, force the former on or off "
        "(default: the one that can do more)",
    )
    kv_cache_type: str = env(
        "OLLAMA_KV_CACHE_TYPE", str.lower, "f16", "type of the KV cache: f16, q8_0 or q4_0"
    )
    log_level: int = env(
        "OLLAMA_DEBUG", _level, 20, "log more: 1 debug, 2 trace; -1 warnings only (default 0)"
    )
    log_format: Literal["text", "json"] = env(
        "PUNA_LOG_FORMAT", _log_format, "text", "log lines as text or as json (default text)"
    )
    max_sequences: int = env(
        "PUNA_MAX_SEQUENCES", _whole, 32, "requests that one model decodes together (default 32)"
    )
    speculation: str = env(
        "PUNA_SPECULATION",
        _speculation,
        "on",
        "guess coming tokens: on (from text that was there before and by the model's draft model), "
        "lookup (from the text only) or off (default on)",
    )
    kv_cache_ram: int = env(
        "PUNA_KV_CACHE_RAM",
        _bytes,
        1 << 30,
        "memory for prefixes of models that are not loaded; 0: none (default 1GiB)",
    )
    kv_cache_dir: Path | None = env(
        "PUNA_KV_CACHE_DIR", _folder, None, "folder where such prefixes outlive the server"
    )
    kv_cache_size: int = env(
        "PUNA_KV_CACHE_SIZE", _bytes, 10 << 30, "the most that folder may hold (default 10GiB)"
    )
    image_urls: tuple[str, ...] = env(
        "PUNA_IMAGE_URLS",
        _image_hosts,
        (),
        "whether images are fetched that requests name by an address: off, on (from public "
        "addresses only), or hosts, by commas, which may be private (default off)",
    )
    read_timeout: float = env(
        "PUNA_READ_TIMEOUT",
        _limit,
        30.0,
        "how long a client may take for the head of a request, or send nothing of its body; "
        "0: no limit (default 30s)",
    )
    hosts: tuple[str, ...] = env(
        "PUNA_HOSTS",
        _host_names,
        (),
        "names, by commas, under which browsers may call the server; *: any",
    )
    responses_age: float = env(
        "PUNA_RESPONSES_AGE",
        _keep_alive,
        7 * 86400.0,
        "how long /v1/responses are stored: a duration or seconds; 0: none are; "
        "negative: for ever (default 168h)",
    )
    responses_size: int = env(
        "PUNA_RESPONSES_SIZE",
        _bytes,
        256 << 20,
        "the most that stored responses may take; 0: none are stored (default 256MiB)",
    )
    registry_realms: tuple[str, ...] = env(
        "PUNA_REGISTRY_REALMS",
        _realms,
        (),
        "more hosts that may issue tokens for a registry: registry=host, by commas",
    )
    docker_config: Path = env(
        "DOCKER_CONFIG",
        _folder,
        Path("~/.docker"),
        "folder whose config.json has the passwords of registries (default ~/.docker)",
    )
    hf_token: str = env(
        "HF_TOKEN", _token, "", "token for private and gated repositories of Hugging Face"
    )
    hf_endpoint: str = env(
        "HF_ENDPOINT",
        _endpoint,
        "https://huggingface.co",
        "address that stands in for Hugging Face (default https://huggingface.co)",
    )
    no_start: bool = env(
        "PUNA_NO_START", _flag, False, "commands do not start a server by themselves"
    )
    warnings: tuple[str, ...] = ()
    """What was wrong in the environment and what was used instead."""

    @property
    def models_dir(self) -> Path:
        """The folder of the model store."""
        return self.models if self.models is not None else self.home / "models"


_CHILD_NAMES = frozenset(
    {"PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV"}
)
_CHILD_PREFIXES = (
    "LC_",
    "CUDA_",
    "HIP_",
    "ROCR_",
    "HSA_",
    "GPU_",
    "GGML_",
    "OMP_",
    "GOMP_",
    "NVIDIA_",
)


def child_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The small environment a child process gets: paths, language, graphics cards; no secrets."""
    source = os.environ if environ is None else environ  # noqa: TID251 - the one place
    return {
        name: value
        for name, value in source.items()
        if name in _CHILD_NAMES or name.startswith(_CHILD_PREFIXES)
    }


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process, or of the given environment. Never fails."""
    values: dict[str, Any] = {}
    warnings: list[str] = []
    source = os.environ if environ is None else environ  # noqa: TID251 - the one place
    for spec in dataclasses.fields(Settings):
        if "env" not in spec.metadata:
            continue
        name = spec.metadata["env"]
        text = source.get(name, "").strip().strip("\"'")
        if not text:
            continue
        if spec.metadata["read"] is parse_host:
            values[spec.name] = parse_host(text, warnings.append)
            continue
        try:
            values[spec.name] = spec.metadata["read"](text)
        except ValueError:
            shown = "…" if spec.metadata["read"] is _token else text
            warnings.append(
                f"invalid environment variable, using default: {name}={shown} "
                f"default={spec.default}"
            )
    values.setdefault("editor", source.get("VISUAL") or source.get("EDITOR") or "vi")
    home = Path(values.get("home", Settings.__dataclass_fields__["home"].default)).expanduser()
    values["home"] = home
    second = values.get("second_store", Settings.__dataclass_fields__["second_store"].default)
    values["second_store"] = second and Path(second).expanduser()
    values["max_sequences"] = min(256, max(1, values.get("max_sequences", 32)))
    return Settings(**values, warnings=tuple(warnings))


def server_environment(settings: Settings) -> dict[str, str]:
    """This process's environment for a server in another folder: relative paths made absolute."""
    folders = {"PUNA_HOME": str(settings.home.absolute())}
    if settings.models is not None:
        folders["OLLAMA_MODELS"] = str(settings.models.absolute())
    if settings.second_store is not None:
        folders["PUNA_SECOND_STORE"] = str(settings.second_store.absolute())
    if settings.kv_cache_dir is not None:
        folders["PUNA_KV_CACHE_DIR"] = str(settings.kv_cache_dir.absolute())
    return {**os.environ, **folders}  # noqa: TID251 - the one place
