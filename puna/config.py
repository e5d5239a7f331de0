"""Settings: read once from the environment into one frozen value and handed down.

The names of the reference stay (`OLLAMA_…`); settings of our own are `PUNA_…`. Facts: CLI spec,
section 3.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from puna import values
from puna.host import Host, parse_host
from puna.values import FOREVER

__all__ = [
    "FOREVER",
    "Host",
    "Settings",
    "child_environment",
    "parse_host",
    "read_settings",
    "server_environment",
    "service_environment",
    "user_environment",
]


def env(name: str, read: Callable[[str], Any], default: Any, about: str) -> Any:
    """A field of Settings that comes from the environment variable `name`."""
    about_it = {"env": name, "read": read, "about": about}
    return field(default=default, repr=read not in values.SECRET, metadata=about_it)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, read once. The manual's table of variables is made from these fields."""

    host: Host = env("OLLAMA_HOST", parse_host, Host(), "address to listen on and to connect to")
    models: Path | None = env(
        "OLLAMA_MODELS", values.folder, None, "model store (default: models in PUNA_HOME)"
    )
    home: Path = env(
        "PUNA_HOME", values.folder, Path("~/.puna"), "folder for models, logs, keys and history"
    )
    second_store: Path | None = env(
        "PUNA_SECOND_STORE",
        values.folder_or_none,
        Path("~/.ollama/models"),
        "model store that is only read, or off (default ~/.ollama/models)",
    )
    keep_alive: float = env(
        "OLLAMA_KEEP_ALIVE",
        values.keep_alive,
        300.0,
        "idle time before a model is unloaded: a duration or seconds; negative: never (default 5m)",
    )
    load_timeout: float = env(
        "OLLAMA_LOAD_TIMEOUT",
        values.limit,
        300.0,
        "how long a load may make no progress; 0: no limit (default 5m)",
    )
    step_timeout: float = env(
        "PUNA_STEP_TIMEOUT",
        values.limit,
        300.0,
        "how long a runner may do nothing while requests wait for it, before it is ended; "
        "0: no limit (default 5m)",
    )
    context_length: int = env(
        "OLLAMA_CONTEXT_LENGTH",
        values.whole,
        0,
        "default num_ctx; 0: by the memory of graphics cards, 4096 without (default 0)",
    )
    num_parallel: int = env(
        "OLLAMA_NUM_PARALLEL",
        values.whole,
        0,
        "the most contexts of num_ctx tokens that the shared pool of a model holds; "
        "0: as many as there is room for, up to 4 (default 0)",
    )
    max_loaded_models: int = env(
        "OLLAMA_MAX_LOADED_MODELS",
        values.whole,
        0,
        "models loaded at a time; 0: three for each card, three without (default 0)",
    )
    spread: bool = env(
        "OLLAMA_SCHED_SPREAD", values.flag, False, "use all graphics cards for every model"
    )
    gpu_overhead: int = env(
        "OLLAMA_GPU_OVERHEAD", values.size, 0, "memory that stays free on every graphics card"
    )
    max_replicas: int = env(
        "PUNA_MAX_REPLICAS",
        values.whole,
        1,
        "runners of one model, each on a graphics card that is free, where many wait (default 1)",
    )
    max_queue: int = env(
        "OLLAMA_MAX_QUEUE", values.whole, 512, "requests that may wait for a model (default 512)"
    )
    max_transfer_streams: int = env(
        "OLLAMA_MAX_TRANSFER_STREAMS",
        values.whole,
        4,
        "blobs of a model stored tensor by tensor that are pushed at once (default 4)",
    )
    origins: tuple[str, ...] = env(
        "OLLAMA_ORIGINS",
        values.items,
        (),
        "more browser origins that may call the server, by commas",
    )
    no_prune: bool = env("OLLAMA_NOPRUNE", values.flag, False, "keep blobs that no model uses")
    no_history: bool = env("OLLAMA_NOHISTORY", values.flag, False, "write no history of the prompt")
    editor: str = env(
        "OLLAMA_EDITOR", str, "", "editor that Ctrl+G opens in the prompt (default vi)"
    )
    skills: Path | None = env(
        "OLLAMA_SKILLS",
        values.folder,
        None,
        "folder with skills of the agent (default: skills in PUNA_HOME)",
    )
    no_agent_shell: bool = env(
        "OLLAMA_AGENT_DISABLE_SHELL", values.flag, False, "the agent runs no shell commands"
    )
    no_agent_web: bool = env(
        "OLLAMA_AGENT_DISABLE_WEBSEARCH", values.flag, False, "the agent fetches no pages"
    )
    flash_attention: bool | None = env(
        "OLLAMA_FLASH_ATTENTION",
        values.flag,
        None,
        "force flash attention on or off (default: automatic)",
    )
    go_template: bool | None = env(
        "OLLAMA_GO_TEMPLATE",
        values.flag,
        None,
        "where a model has a Go template and a Jinja one, force the former on or off "
        "(default: the one that can do more)",
    )
    kv_cache_type: str = env(
        "OLLAMA_KV_CACHE_TYPE", str.lower, "f16", "type of the KV cache: f16, q8_0 or q4_0"
    )
    log_level: int = env(
        "OLLAMA_DEBUG", values.level, 20, "log more: 1 debug, 2 trace; -1 warnings only (default 0)"
    )
    log_format: Literal["text", "json"] = env(
        "PUNA_LOG_FORMAT", values.log_format, "text", "log lines as text or as json (default text)"
    )
    log_requests: bool = env(
        "OLLAMA_DEBUG_LOG_REQUESTS",
        values.flag,
        False,
        "keep the bodies of requests for models, and scripts that send them again, in a folder "
        "that the log names",
    )
    max_sequences: int = env(
        "PUNA_MAX_SEQUENCES",
        values.whole,
        32,
        "requests that one model decodes together (default 32)",
    )
    speculation: str = env(
        "PUNA_SPECULATION",
        values.speculation,
        "on",
        "guess coming tokens: on (from text that was there before and by the model's draft model), "
        "lookup (from the text only) or off (default on)",
    )
    kv_cache_ram: int = env(
        "PUNA_KV_CACHE_RAM",
        values.size,
        1 << 30,
        "memory for prefixes of models that are not loaded; 0: none (default 1GiB)",
    )
    kv_cache_dir: Path | None = env(
        "PUNA_KV_CACHE_DIR", values.folder, None, "folder where such prefixes outlive the server"
    )
    kv_cache_size: int = env(
        "PUNA_KV_CACHE_SIZE", values.size, 10 << 30, "the most that folder may hold (default 10GiB)"
    )
    image_urls: tuple[str, ...] = env(
        "PUNA_IMAGE_URLS",
        values.image_hosts,
        (),
        "whether images are fetched that requests name by an address: off, on (from public "
        "addresses only), or hosts, by commas, which may be private (default off)",
    )
    read_timeout: float = env(
        "PUNA_READ_TIMEOUT",
        values.limit,
        30.0,
        "how long a client may take for the head of a request, or send nothing of its body; "
        "0: no limit (default 30s)",
    )
    drain_timeout: float = env(
        "PUNA_DRAIN_TIMEOUT",
        values.limit_or_none,
        5.0,
        "how long a server that is to end lets running answers go on; 0: not at all (default 5s)",
    )
    hosts: tuple[str, ...] = env(
        "PUNA_HOSTS",
        values.host_names,
        (),
        "names, by commas, under which browsers may call the server; *: any",
    )
    responses_age: float = env(
        "PUNA_RESPONSES_AGE",
        values.keep_alive,
        7 * 86400.0,
        "how long /v1/responses are stored: a duration or seconds; 0: none are; "
        "negative: for ever (default 168h)",
    )
    responses_size: int = env(
        "PUNA_RESPONSES_SIZE",
        values.size,
        256 << 20,
        "the most that stored responses may take; 0: none are stored (default 256MiB)",
    )
    api_keys: tuple[str, ...] = env(
        "PUNA_API_KEY",
        values.keys,
        (),
        "keys, by commas, of which the server wants one with every request; "
        "commands send the first (default: none is wanted)",
    )
    model_aliases: tuple[str, ...] = env(
        "PUNA_MODEL_ALIASES",
        values.model_aliases,
        (),
        "models that answer in the OpenAI and Anthropic APIs where clients ask for others: "
        "name=model, by commas; * in a name is any text",
    )
    registry_realms: tuple[str, ...] = env(
        "PUNA_REGISTRY_REALMS",
        values.realms,
        (),
        "more hosts that may issue tokens for a registry: registry=host, by commas",
    )
    docker_config: Path = env(
        "DOCKER_CONFIG",
        values.folder,
        Path("~/.docker"),
        "folder whose config.json has the passwords of registries (default ~/.docker)",
    )
    otel_disabled: bool = env(
        "OTEL_SDK_DISABLED", values.is_true, False, "true: no traces, whatever else is set"
    )
    otel_exporter: str = env(
        "OTEL_TRACES_EXPORTER",
        str.lower,
        "",
        "where traces go: otlp, console or none (default: otlp where an address is set)",
    )
    otel_endpoint: str = env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        values.token,
        "",
        "address of a collector of traces, to which /v1/traces is added",
    )
    otel_traces_endpoint: str = env(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", values.token, "", "the same, taken as it is"
    )
    otel_protocol: str = env(
        "OTEL_EXPORTER_OTLP_PROTOCOL", str.lower, "", "http/protobuf, which is the default"
    )
    otel_content: bool = env(
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        values.captures,
        False,
        "true or span_only: traces hold what users and models write",
    )
    hf_token: str = env(
        "HF_TOKEN", values.token, "", "token for private and gated repositories of Hugging Face"
    )
    hf_endpoint: str = env(
        "HF_ENDPOINT",
        values.endpoint,
        "https://huggingface.co",
        "address that stands in for Hugging Face (default https://huggingface.co)",
    )
    no_start: bool = env(
        "PUNA_NO_START", values.flag, False, "commands do not start a server by themselves"
    )
    warnings: tuple[str, ...] = ()
    """What was wrong in the environment and what was used instead."""

    @property
    def models_dir(self) -> Path:
        """The folder of the model store."""
        return self.models if self.models is not None else self.home / "models"

    @property
    def api_key(self) -> str:
        """The key that commands send, "" for none; what no header can hold is not sent."""
        key = self.api_keys[0] if self.api_keys else ""
        return key if key.isascii() and key.isprintable() else ""

    @property
    def server_log(self) -> Path:
        """Where a server logs that a command starts."""
        return self.home / "logs" / "server.log"

    def skill_folders(self) -> tuple[Path, ...]:
        """Where the user's skills are; later folders win."""
        if self.skills is not None:
            return (self.skills,)
        shared = user_environment().get("XDG_CONFIG_HOME", "")
        theirs = (
            Path(shared) / "ollama" if shared.startswith("/") else Path("~/.ollama").expanduser()
        )
        return theirs / "skills", self.home / "skills"


_CHILD_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "GLIBC_TUNABLES",
    }
)
_CHILD_PREFIXES = (
    "LC_",
    "CUDA_",
    "HIP_",
    "ROCR_",
    "HSA_",
    "GPU_",
    "GGML_",
    "VK_",
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
    found: dict[str, Any] = {}
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
            found[spec.name] = parse_host(text, warnings.append)
            continue
        try:
            found[spec.name] = spec.metadata["read"](text)
        except ValueError:
            shown = text if spec.repr else "…"
            warnings.append(
                f"invalid environment variable, using default: {name}={shown} "
                f"default={spec.default}"
            )
    found.setdefault("editor", source.get("VISUAL") or source.get("EDITOR") or "vi")
    home = Path(found.get("home", Settings.__dataclass_fields__["home"].default)).expanduser()
    found["home"] = home
    second = found.get("second_store", Settings.__dataclass_fields__["second_store"].default)
    found["second_store"] = second and Path(second).expanduser()
    found["max_sequences"] = min(256, max(1, found.get("max_sequences", 32)))
    return Settings(**found, warnings=tuple(warnings))


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


def user_environment() -> dict[str, str]:
    """This process's environment: for a program that the user runs through us, and for what it
    says of the terminal."""
    return dict(os.environ)  # noqa: TID251 - the one place


def service_environment(settings: Settings) -> dict[str, str]:
    """What is set of our variables, for a server that the system starts: no tokens, no relative
    paths, and nothing that is for commands only. The keys that it is to ask for are among them.
    """
    names = {
        spec.metadata["env"]
        for spec in dataclasses.fields(Settings)
        if "env" in spec.metadata and spec.metadata["read"] is not values.token
    }
    everything = server_environment(settings)
    given = {name for name in names if name in os.environ}  # noqa: TID251 - the one place
    return {name: everything[name] for name in sorted(given - {"PUNA_NO_START"})}
