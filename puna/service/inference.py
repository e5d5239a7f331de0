"""Chat and generate: from a request to the events that answer it.

Facts: API spec, sections 7 and 8. Errors of the request are raised before the first event.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec.structs import replace

from puna.api.decode import read_value
from puna.api.events import Done, Event, Rendered, Waiting
from puna.api.media import MediaData
from puna.api.options import Options
from puna.api.requests import ChatRequest, GenerateRequest, Message
from puna.config import Settings
from puna.errors import BadRequest, ModelNotFound, Unsupported, quoted
from puna.log import TRACE, fields
from puna.metrics import Operation
from puna.prompt.answer import AnswerParser
from puna.prompt.assemble import (
    FittedPrompt,
    assemble_chat,
    assemble_generate,
    drop_old_thinking,
    fit_messages,
    forgets_thinking,
)
from puna.prompt.media import media_of
from puna.prompt.naming import renamed_messages, renamed_tools
from puna.prompt.outline import make_outline
from puna.runner.protocol import Generation
from puna.scheduler.clock import Clock
from puna.scheduler.lease import Lease
from puna.scheduler.loop import Scheduler
from puna.scheduler.state import Need
from puna.service.answers import known_level, make_parser, names_in_prompts
from puna.service.catalog import Catalog, Entry
from puna.service.prepare import (
    asks_for_form,
    check_priority,
    check_runnable,
    check_senses,
    check_structure,
    check_thinking,
    check_top_logprobs,
    make_generation,
    make_need,
    make_options,
    plan_load,
    weights_key,
)
from puna.service.templates import render_prompt, render_suffix
from puna.service.thoughts import Budget
from puna.service.tool_choice import read_tool_choice
from puna.service.turn import Stopwatch, run_turn
from puna.service.work import asked, leased
from puna.threads import in_thread

__all__ = ["Inference"]

log = logging.getLogger(__name__)

_LONGEST_TOKEN = 1024  # characters: no vocabulary has a token that stands for more


@dataclass(frozen=True, slots=True)
class _Job:
    """A request that passed its checks."""

    order: ChatRequest | GenerateRequest
    entry: Entry
    options: Options
    need: Need
    think: bool | str | None
    started: float
    must_call: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    """What tools are called in the prompt."""

    def n_ctx(self, lease: Lease) -> int:
        """How many tokens this request may use; without a wish of its own, what was loaded."""
        loaded = lease.engine.info.n_ctx
        return loaded if self.need.plan.n_ctx_auto else min(self.need.plan.n_ctx, loaded)


class Inference:
    """Answers chat and generate requests."""

    def __init__(
        self, catalog: Catalog, scheduler: Scheduler, clock: Clock, settings: Settings
    ) -> None:
        self._catalog = catalog
        self._scheduler = scheduler
        self._clock = clock
        self._settings = settings

    async def chat(self, order: ChatRequest) -> AsyncGenerator[Event, None]:
        """Answer a chat; without messages, load the model or unload it."""
        started = self._clock.now()
        check_top_logprobs(order.top_logprobs)
        check_priority(order.priority)
        check_structure(order)
        entry = await self._catalog.find(order.model)
        if not order.messages and _unloads(order):
            yield self._unload(entry)
            return
        check_runnable(entry, order.model)
        job = self._chat_job(order, entry, started)
        prompt = partial(self._chat_prompt, job, order) if order.messages else None
        async with aclosing(self._serve(job, prompt)) as events:
            async for event in events:
                yield event

    async def count_tokens(self, order: ChatRequest) -> int:
        """How many tokens the prompt of a chat has, none of it left out. Loads the model."""
        started = self._clock.now()
        entry = await self._catalog.find(order.model)
        check_runnable(entry, order.model)
        job = self._chat_job(order, entry, started)
        use = leased(self._scheduler, self._clock, job.need, "count_tokens", started)
        async with use as (lease, _):
            info = lease.engine.info
            text, _, images = await self._chat_prompt(job, order, lease, fits=False)
            has_bos = bool(info.bos) and text.startswith(info.bos)
            count = await lease.engine.count(text) + (info.adds_bos and not has_bos)
            return count + sum(await _measure(lease, images))

    def _chat_job(self, order: ChatRequest, entry: Entry, started: float) -> _Job:
        wanted = order.think
        if order.think_if_able and "thinking" not in entry.capabilities:
            wanted = None
        think = check_thinking(entry, order.model, wanted)
        if "completion" not in entry.capabilities:
            raise Unsupported(f"{quoted(order.model)} does not support chat")
        if order.tools and "tools" not in entry.capabilities:
            raise Unsupported(f"{entry.name.full} does not support tools")
        check_senses(entry, order.model, media_of(order.messages))
        choice = read_tool_choice(order.tools, order.tool_choice)
        shown = choice.tools or order.tools
        names = names_in_prompts(entry, shown) if shown else {}
        order = replace(order, tools=choice.tools)
        job = self._job(order, entry, think, started)
        return dataclasses.replace(job, must_call=choice.must_call, names=names)

    async def generate(self, order: GenerateRequest) -> AsyncGenerator[Event, None]:
        """Continue a prompt; without one, load the model or unload it."""
        started = self._clock.now()
        check_top_logprobs(order.top_logprobs)
        check_priority(order.priority)
        check_structure(order)
        if not order.model.strip():
            raise ModelNotFound(order.model)
        entry = await self._catalog.find(order.model)
        is_empty = not order.prompt and not order.tokens
        if is_empty and _unloads(order):
            yield self._unload(entry)
            return
        check_runnable(entry, order.model)
        if "image" in entry.capabilities:
            raise Unsupported("image generation models are not currently supported")
        if order.raw and (order.template or order.system or order.context):
            raise BadRequest("raw mode does not support template, system, or context")
        think = check_thinking(entry, order.model, order.think)
        if "completion" not in entry.capabilities:
            raise Unsupported(f"{quoted(order.model)} does not support generate")
        if order.suffix and "insert" not in entry.capabilities:
            raise Unsupported(f"{entry.name.full} does not support insert")
        check_senses(entry, order.model, order.images)
        job = self._job(order, entry, think, started)
        prompt = None if is_empty else partial(self._generate_prompt, job, order)
        async with aclosing(self._serve(job, prompt)) as events:
            async for event in events:
                yield event

    def _unload(self, entry: Entry) -> Done:
        self._scheduler.unload(weights_key(entry))
        return Done("unload")

    def _job(
        self,
        order: ChatRequest | GenerateRequest,
        entry: Entry,
        think: bool | str | None,
        started: float,
    ) -> _Job:
        options = make_options(entry, order.options)
        plan = plan_load(entry, options, self._settings)
        need, think = make_need(entry, plan, order), known_level(entry, think)
        return _Job(order, entry, options, need, think, started)

    async def _serve(
        self, job: _Job, prompt_of: Callable[[Lease], Awaitable[FittedPrompt]] | None
    ) -> AsyncGenerator[Event, None]:
        """Wait for the model, make the prompt and generate; without a prompt only load."""
        does: Operation = "chat" if isinstance(job.order, ChatRequest) else "generate"
        operation: Operation = does if prompt_of else "load"
        use = asked(self._scheduler, self._clock, job.need, operation, job.started)
        async with use as (ticket, work):
            if job.order.progress and job.order.stream is not False:
                async for news in ticket.news():
                    yield Waiting(news.position, news.reason)
            lease = await ticket.lease()
            work.leased(lease)
            if prompt_of is None:
                yield Done("load")
                return
            prompt, is_cut, images = await prompt_of(lease)
            if job.order.debug_render_only:
                yield Rendered(prompt, len(images))
                return
            if log.isEnabledFor(TRACE):
                log.log(TRACE, "prompt", extra=fields(model=job.need.name, prompt=prompt))
            parser = make_parser(job.entry, job.order, job.think, prompt)
            generation = _generation(job, prompt, images, parser, job.n_ctx(lease))
            work.begins(job.order, generation)
            watch = Stopwatch(self._clock, job.started, lease.load_ns)
            turn = run_turn(
                lease.engine,
                generation,
                parser,
                watch,
                budget=_budget(job, parser),
                is_cut=is_cut,
                calls_once=_calls_once(job),
            )
            async with aclosing(turn) as events:
                async for event in events:
                    if isinstance(event, Done):
                        work.done(event)
                    else:
                        work.said(event)
                    yield event

    async def _chat_prompt(
        self, job: _Job, order: ChatRequest, lease: Lease, *, fits: bool = True
    ) -> FittedPrompt:
        """The prompt of a chat; `fits`: so that it fits the context."""
        entry = job.entry
        messages = assemble_chat(entry.model.system, _stored_messages(entry), order.messages)
        if forgets_thinking(entry.family, entry.name.model):
            messages = drop_old_thinking(messages)
        return await self._render(job, lease, renamed_messages(messages, job.names), fits=fits)

    async def _generate_prompt(
        self, job: _Job, order: GenerateRequest, lease: Lease
    ) -> FittedPrompt:
        images = tuple(order.images)
        if order.tokens:
            text = await lease.engine.detokenize(order.tokens)
            return FittedPrompt(text, images=images)
        if order.raw:
            return FittedPrompt(order.prompt, images=images)
        if order.suffix:
            text = await in_thread(
                render_suffix,
                job.entry,
                order.prompt,
                order.suffix,
                template=order.template,
                think=job.think,
            )
            return FittedPrompt(text, images=images)
        messages = assemble_generate(
            job.entry.model.system,
            _stored_messages(job.entry),
            order.prompt,
            system=order.system,
            images=images,
            has_context=order.context is not None,
        )
        return await self._render(job, lease, messages)

    async def _render(
        self, job: _Job, lease: Lease, messages: list[Message], *, fits: bool = True
    ) -> FittedPrompt:
        """The prompt's text, if it is to fit without the oldest messages where they do not."""
        images = media_of(messages)
        check_senses(job.entry, job.order.model, images)
        info = lease.engine.info

        async def text_of(some: list[Message]) -> str:
            return await in_thread(
                render_prompt,
                job.entry,
                some,
                template=_own_template(job),
                tools=_tools(job),
                think=job.think,
                bos=info.bos,
                eos=info.eos,
            )

        if not fits or job.order.truncate is False or len(messages) <= 1:
            return FittedPrompt(await text_of(messages), images=tuple(images))
        most = job.n_ctx(lease)
        sizes = dict(zip(map(id, images), await _measure(lease, images), strict=True))

        async def length_of(text: str, kept: Sequence[MediaData]) -> int:
            shown = sum(sizes[id(image)] for image in kept)
            if len(text) > most * _LONGEST_TOKEN:
                return most + 1
            return shown + await lease.engine.count(text)

        return await fit_messages(messages, text_of, length_of, most)


def _generation(
    job: _Job, prompt: str, images: tuple[bytes, ...], parser: AnswerParser, n_ctx: int
) -> Generation:
    """The order for the engine. Raises Unsupported when calls cannot be forced."""
    is_held = asks_for_form(job.order) and not job.must_call
    if job.must_call and parser.form.calls is None:
        raise Unsupported(f"{job.entry.name.full} has no form of tool calls that could be forced")
    outline = make_outline(
        parser.form,
        _tools(job),
        is_held=is_held,
        must_call=job.must_call,
        calls_once=_calls_once(job),
    )
    return make_generation(
        prompt,
        images,
        job.order,
        job.options,
        job.entry,
        n_ctx,
        parser.tags,
        outline=outline,
        is_held=is_held,
    )


def _budget(job: _Job, parser: AnswerParser) -> Budget | None:
    most, lead = job.order.thinking_budget, parser.form.lead
    return (lead, most) if most > 0 and lead is not None else None


def _calls_once(job: _Job) -> bool:
    return isinstance(job.order, ChatRequest) and job.order.parallel_tool_calls is False


def _unloads(order: ChatRequest | GenerateRequest) -> bool:
    return order.keep_alive is not None and order.keep_alive.seconds == 0


def _stored_messages(entry: Entry) -> list[Message]:
    return [read_value(Message, message) for message in entry.model.messages]


async def _measure(lease: Lease, images: Sequence[MediaData]) -> list[int]:
    """How many tokens each image or recording has."""
    return await lease.engine.measure(images) if images else []


def _own_template(job: _Job) -> str:
    """The template that the request brings."""
    return job.order.template if isinstance(job.order, GenerateRequest) else ""


def _tools(job: _Job) -> Sequence[Mapping[str, Any]]:
    """The tools as the prompt shows them."""
    tools = job.order.tools if isinstance(job.order, ChatRequest) else ()
    return renamed_tools(tools, job.names)
