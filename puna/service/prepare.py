"""What a generation needs before it starts: options merged, capabilities checked, a load plan."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from puna.api.fields import Think
from puna.api.media import check_media, kind_of_sound
from puna.api.options import Options, merge_options
from puna.api.requests import ChatRequest, EmbeddingsRequest, EmbedRequest, GenerateRequest
from puna.api.responses import Details
from puna.api.texts import TextRequest
from puna.config import Settings
from puna.errors import BadModelFile, BadRequest, NotFound, Unsupported, quoted
from puna.runner.protocol import Generation, LoadPlan, Priority, Sampling, SpeculationKind
from puna.scheduler.state import Need
from puna.service.catalog import Entry

__all__ = [
    "asks_for_form",
    "check_priority",
    "check_runnable",
    "check_senses",
    "check_structure",
    "check_thinking",
    "check_top_logprobs",
    "damaged_weights",
    "details_of",
    "make_generation",
    "make_need",
    "make_options",
    "plan_load",
    "weights_key",
]

log = logging.getLogger(__name__)

DEFAULT_CONTEXT = 4096
SMALLEST_CONTEXT = 4
LARGEST_CONTEXT = 2**24  # tokens: more than any model has
MOST_CELLS = 2**31  # the engine counts its pool in 32 bits
MAX_TOP_LOGPROBS = 20
_NO_SHIFT_FAMILIES = {"deepseek2"}


class InvalidFormat(BadRequest):
    """A `format` that is neither "json" nor a schema."""

    def __init__(self, value: object) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        super().__init__(
            f'invalid format: {quoted(text)}; expected "json" or a valid JSON Schema object'
        )


def check_top_logprobs(value: int) -> None:
    """Raises BadRequest outside 0 to 20."""
    if not 0 <= value <= MAX_TOP_LOGPROBS:
        raise BadRequest(f"top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")


def check_structure(order: ChatRequest | GenerateRequest) -> None:
    """Raises BadRequest when an answer is to be held to more than one thing."""
    asked = _asked(order)
    if len(asked) > 1:
        raise BadRequest(f"{' and '.join(asked)} cannot be used together")


def asks_for_form(order: ChatRequest | GenerateRequest) -> bool:
    """Whether the answer is to be held to something."""
    return bool(_asked(order))


def _asked(order: ChatRequest | GenerateRequest) -> list[str]:
    wanted = {"format": order.format, "grammar": order.grammar, "regex": order.regex}
    return [name for name, value in wanted.items() if value not in (None, "")]


def check_runnable(entry: Entry, raw: str) -> None:
    """Raises NotFound when the weights are gone, BadModelFile when they are damaged, Unsupported
    when they are of another format.
    """
    if entry.model.config.model_format == "safetensors":
        raise Unsupported("models in safetensors format cannot be run: create a GGUF model of it")
    if entry.model.weights is None or not entry.has_weights:
        raise NotFound(f"model {quoted(raw)} not found, try pulling it first")
    if entry.fault is not None:
        raise damaged_weights(raw, entry.fault)


def damaged_weights(name: str, cause: OSError | BadModelFile) -> BadModelFile:
    """The error for a model whose weights cannot be read."""
    hint = "`puna verify` says what can be done"
    return BadModelFile(f"the weights of model {quoted(name)} cannot be read: {cause}; {hint}")


def check_priority(text: str) -> Priority:
    """How important a request is; normal where it does not say. Raises BadRequest."""
    match text:
        case "":
            return "normal"
        case "high" | "normal" | "low":
            return text
    raise BadRequest(f'invalid priority {quoted(text)}: use "high", "normal" or "low"')


def check_thinking(entry: Entry, raw: str, think: Think | None) -> bool | str | None:
    """The think value to use: on by default for a model that can.

    Raises BadRequest when thinking is asked of a model that cannot.
    """
    if "thinking" in entry.capabilities:
        return True if think is None else think.value
    if think is not None and think.enabled:
        raise BadRequest(f"{quoted(raw)} does not support thinking")
    return None if think is None else False


def check_senses(entry: Entry, raw: str, files: Sequence[bytes]) -> None:
    """Raises Unsupported when images are shown to a model that cannot see, or recordings played to
    one that cannot hear, BadRequest or TooLarge when they are neither, too many or too large.
    """
    n_sounds = sum(kind_of_sound(data) is not None for data in files)
    if n_sounds and "audio" not in entry.capabilities:
        raise Unsupported(f"{quoted(raw)} does not support audio input")
    if len(files) > n_sounds and "vision" not in entry.capabilities:
        reason = f": {entry.why_blind}" if entry.why_blind else ""
        raise Unsupported(f"{quoted(raw)} does not support images{reason}")
    check_media(files)


def make_options(entry: Entry, wanted: Mapping[str, Any]) -> Options:
    """Defaults, then the model's parameters, then the request's. Raises InvalidOption."""
    options, unknown = merge_options(entry.model.params, wanted)
    if unknown:
        log.warning("invalid option provided: %s", ", ".join(sorted(unknown)))
    return options


def weights_key(entry: Entry) -> str:
    """What the scheduler knows a model by: names that share weights share a runner."""
    weights = entry.model.weights
    return ":".join(map(str, weights.paths)) if weights else entry.name.full


def plan_load(entry: Entry, options: Options, settings: Settings) -> LoadPlan:
    """How to load a model that `check_runnable` let pass for these options."""
    weights, description = entry.model.weights, entry.description
    if weights is None or description is None:
        raise NotFound(f"model {quoted(entry.name.short)} not found, try pulling it first")
    wanted = options.num_ctx or settings.context_length or DEFAULT_CONTEXT
    n_ctx = _within(wanted, SMALLEST_CONTEXT, LARGEST_CONTEXT)
    if description.context_length and n_ctx > description.context_length:
        if options.num_ctx:
            log.warning("requested context size too large for model: %d", n_ctx)
        n_ctx = description.context_length
    only_embeds = "completion" not in entry.capabilities
    return LoadPlan(
        model=str(weights.path),
        parts=tuple(str(part.path) for part in weights.more),
        adapters=tuple(str(adapter.path) for adapter in entry.model.adapters),
        draft=_draft_path(entry, settings),
        projector=_projector_path(entry, only_embeds=only_embeds),
        n_ctx=n_ctx,
        n_parallel=1 if only_embeds else min(settings.num_parallel, MOST_CELLS // n_ctx),
        max_sequences=settings.max_sequences,
        n_ctx_auto=not options.num_ctx,
        n_batch=_within(options.num_batch, 1, n_ctx) if options.num_batch else 0,
        n_threads=_within(options.num_thread, 0, 1024),
        n_gpu_layers=_within(options.num_gpu, -1, 100_000),
        main_gpu=None if options.main_gpu is None else _within(options.main_gpu, 0, 1024),
        use_mmap=options.use_mmap,
        flash_attention=settings.flash_attention,
        kv_type=_kv_type(settings),
        speculation=_speculation(settings),
        embedding_only=only_embeds,
    )


def _speculation(settings: Settings) -> SpeculationKind:
    match settings.speculation:
        case "off" | "lookup":
            return settings.speculation
    return "on"


def _draft_path(entry: Entry, settings: Settings) -> str:
    is_wanted = _speculation(settings) == "on" and "completion" in entry.capabilities
    return str(entry.draft) if entry.draft and is_wanted else ""


def _projector_path(entry: Entry, *, only_embeds: bool) -> str:
    return "" if only_embeds or entry.eye is None else str(entry.eye)


def _kv_type(settings: Settings) -> str:
    """A quantised cache needs flash attention (serving spec, section 3.6)."""
    kind = settings.kv_cache_type
    if settings.flash_attention is False and kind.startswith("q"):
        log.warning("OLLAMA_KV_CACHE_TYPE=%s needs flash attention, which is off: using f16", kind)
        return "f16"
    return kind


def _within(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)


def make_need(
    entry: Entry,
    plan: LoadPlan,
    order: ChatRequest | GenerateRequest | EmbedRequest | EmbeddingsRequest | TextRequest,
) -> Need:
    """What to ask the scheduler for."""
    return Need(
        key=weights_key(entry),
        plan=plan,
        name=entry.name.short,
        digest=entry.model.stored.digest,
        details=details_of(entry),
        keep_alive=order.keep_alive.seconds if order.keep_alive else None,
        footprint=entry.footprint,
        extra=_other_bytes(plan) + (entry.encoder_graph + entry.inner_eye if plan.projector else 0),
        client=order.client,
        priority=check_priority(order.priority),
        deadline=order.deadline.seconds if order.deadline else None,
    )


def _other_bytes(plan: LoadPlan) -> int:
    """Bytes of the files beside the weights; one that is gone fails where it is loaded."""
    total = 0
    for path in plan.files[len(plan.weights) :]:
        if path == plan.model:  # the encoder inside it is counted apart
            continue
        with contextlib.suppress(OSError):
            total += Path(path).stat().st_size
    return total


def details_of(entry: Entry) -> Details:
    """What kind of model it is; a missing quantisation is taken from the weights."""
    config, description = entry.model.config, entry.description
    level = config.file_type
    if level in {"", "unknown"} and description is not None:
        level = description.file_type
        level = description.quantization if level in {"", "unknown"} else level
    return Details(
        parent_model=entry.model.weights.parent if entry.model.weights else "",
        format=config.model_format,
        family=config.model_family,
        families=list(config.model_families) or None,
        parameter_size=config.model_type,
        quantization_level=level,
    )


def make_generation(
    prompt: str,
    images: tuple[bytes, ...],
    order: ChatRequest | GenerateRequest,
    options: Options,
    entry: Entry,
    n_ctx: int,
    visible: tuple[str, ...] = (),
    *,
    outline: str = "",
    is_held: bool = True,
) -> Generation:
    """The order for the engine. `visible` are the tags that answers are read by, `outline` their
    form. Unless it `is_held`, format and the like count for nothing. Raises InvalidFormat.
    """
    shift = order.shift if order.shift is not None else entry.family not in _NO_SHIFT_FAMILIES
    is_text = isinstance(order, GenerateRequest) and not order.raw
    return Generation(
        prompt=prompt,
        images=tuple(bytes(image) for image in images),  # plain ones: msgspec knows no other
        prefix=tuple(order.context or ()) if isinstance(order, GenerateRequest) else (),
        want_tokens=is_text,
        n_ctx=n_ctx,
        n_keep=options.num_keep,
        max_tokens=options.num_predict,
        stop=options.stop,
        visible=visible,
        format=_format_text(order.format) if is_held else "",
        grammar=order.grammar if is_held else "",
        regex=order.regex if is_held else "",
        outline=outline,
        truncate=order.truncate is not False,
        shift=shift,
        most_drafted=-1 if options.draft_num_predict is None else max(0, options.draft_num_predict),
        top_logprobs=order.top_logprobs if order.logprobs else None,
        priority=check_priority(order.priority),
        client=order.client,
        sampling=Sampling(
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_p=options.min_p,
            typical_p=options.typical_p,
            repeat_last_n=options.repeat_last_n,
            repeat_penalty=options.repeat_penalty,
            presence_penalty=options.presence_penalty,
            frequency_penalty=options.frequency_penalty,
            mirostat=options.mirostat,
            mirostat_tau=options.mirostat_tau,
            mirostat_eta=options.mirostat_eta,
            logit_bias=options.logit_bias,
            seed=options.seed,
        ),
    )


def _format_text(format: object) -> str:
    if format is None or format == "":
        return ""
    if format != "json" and not isinstance(format, dict):
        raise InvalidFormat(format)
    return json.dumps(format)
