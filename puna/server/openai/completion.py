"""The bytes of /v1/completions. Facts: compatibility spec, 3.2 and 9.3."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType, field

from puna.api.events import Content, Done, Logprob, Rendered
from puna.server.faults import OPENAI
from puna.server.openai.choices import Numbered
from puna.server.openai.replies import (
    END,
    FINGERPRINT,
    IDLE,
    DebugInfo,
    Usage,
    encode,
    new_id,
    sse,
    usage_of,
)
from puna.server.streams import EVENT_STREAM, Wire

__all__ = ["completion_wire"]


class TextLogprobs(Struct):
    """Tokens, in lists beside each other."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(Struct, kw_only=True):
    """One of the texts, or its next piece. `truncated`, ours, comes with the last where something
    was dropped for room."""

    text: str
    index: int
    logprobs: TextLogprobs | None = None
    finish_reason: str | None = None
    truncated: bool | UnsetType = UNSET


class TextCompletion(Struct, kw_only=True):
    """The reply, whole or an event of a stream."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[TextChoice]
    usage: Usage | UnsetType = UNSET
    debug_info: DebugInfo | UnsetType = field(default=UNSET, name="_debug_info")


def completion_wire(
    model: str, created: int, echoed: Sequence[str], per_prompt: int, *, include_usage: bool
) -> Wire[Numbered]:
    """How the answer is written: one text for each of `echoed`, beginning with it."""
    wire = _Completion(model, created, echoed, per_prompt, include_usage=include_usage)
    return Wire(
        piece=wire.piece,
        whole=wire.whole,
        is_final=lambda told: isinstance(told[1], Done | Rendered),
        is_alone=lambda told: isinstance(told[1], Rendered),
        envelope=OPENAI,
        stream_type=EVENT_STREAM,
        idle=IDLE,
    )


_NOTHING = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)


class _Completion:
    def __init__(
        self,
        model: str,
        created: int,
        echoed: Sequence[str],
        per_prompt: int,
        *,
        include_usage: bool,
    ) -> None:
        self._id = new_id("cmpl")
        self._model = model
        self._created = created
        self._echoes = list(echoed)
        self._per_prompt = per_prompt
        self._offsets = [len(text) for text in echoed]
        self._usage: Usage | UnsetType = _NOTHING if include_usage else UNSET
        self._ends: dict[int, Done] = {}

    def piece(self, told: Numbered) -> bytes:
        index, event = told
        if isinstance(event, Done):
            return self._end(index, event)
        if not isinstance(event, Content):
            return b""  # thoughts have no place here
        choice = self._choice(index, event)
        return sse(self._reply([choice], self._usage))

    def _choice(self, index: int, event: Content) -> TextChoice:
        logprobs = self._logprobs(index, event.logprobs) if event.logprobs else None
        return TextChoice(text=self._echo(index) + event.text, index=index, logprobs=logprobs)

    def _echo(self, index: int) -> str:
        text, self._echoes[index] = self._echoes[index], ""
        return text

    def _logprobs(self, index: int, tokens: Sequence[Logprob]) -> TextLogprobs:
        offsets = []
        for each in tokens:
            offsets.append(self._offsets[index])
            self._offsets[index] += len(each.token)
        return TextLogprobs(
            [each.token for each in tokens],
            [each.logprob for each in tokens],
            [{top.token: top.logprob for top in each.top_logprobs} for each in tokens],
            offsets,
        )

    def _end(self, index: int, done: Done) -> bytes:
        choice = TextChoice(text=self._echo(index), index=index)
        _finish(choice, done)
        out = sse(self._reply([choice], self._usage))
        self._ends[index] = done
        if len(self._ends) < len(self._echoes):
            return out
        if self._usage is not UNSET:
            out += sse(self._reply([], self._figures()))
        return out + END

    def whole(self, events: Sequence[Numbered]) -> bytes:
        last = events[-1][1]
        if isinstance(last, Rendered):
            reply = self._reply([TextChoice(text="", index=0)], _NOTHING)
            reply.debug_info = DebugInfo(last.text, last.image_count)
            return encode(reply)
        texts: list[list[str]] = [[] for _ in self._echoes]
        tokens: list[list[Logprob]] = [[] for _ in self._echoes]
        for index, event in events:
            match event:
                case Content(text, logprobs):
                    texts[index].append(text)
                    tokens[index] += logprobs
                case Done():
                    self._ends[index] = event
        choices = []
        for index, parts in enumerate(texts):
            choice = self._choice(index, Content("".join(parts), tuple(tokens[index])))
            _finish(choice, self._ends[index])
            choices.append(choice)
        return encode(self._reply(choices, self._figures()))

    def _figures(self) -> Usage:
        return usage_of((self._ends[index] for index in sorted(self._ends)), self._per_prompt)

    def _reply(self, choices: list[TextChoice], usage: Usage | UnsetType) -> TextCompletion:
        return TextCompletion(
            id=self._id, created=self._created, model=self._model, choices=choices, usage=usage
        )


def _finish(choice: TextChoice, done: Done) -> None:
    choice.finish_reason = done.reason
    choice.truncated = done.truncated or UNSET
