"""One turn of the agent: the model answers, its calls are approved and carried out, and so on
until it has no more to call. Facts: CLI spec, sections 5.2, 5.3 and 5.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from puna.agent.approvals import DENIED, Approvals, Ask, Wish
from puna.agent.compact import (
    compacted,
    cut_result,
    estimate_tokens,
    is_due,
    summary_request,
)
from puna.agent.fence import Refused
from puna.agent.tools import Job, Workplace, offered, prepare
from puna.agent.transcript import Transcript
from puna.client.fields import Json, as_object
from puna.client.replies import ToolCall
from puna.errors import ClientError, Unreachable
from puna.repl.session import Session
from puna.term.answer import CHARACTERS_A_TOKEN, Answer, print_answer

__all__ = ["Agent", "End", "Tell", "compact", "request_body", "take_turn"]

MOST_ROUNDS = 100
_TRIES = 3
DISABLED = "Tool execution disabled."
CANCELLED = "Canceled by the user."

Tell = Callable[[str, str], None]
"""Shows what a tool is about to do, or what came of it: (kind, text)."""


@dataclass(frozen=True, slots=True)
class End:
    """How a turn ended; `problem` is empty where the model had said all."""

    problem: str = ""


@dataclass(slots=True)
class Agent:
    """The state of an agent's conversation. `window` is the model's context in tokens."""

    session: Session
    place: Workplace
    approvals: Approvals
    transcript: Transcript
    window: int
    system: str
    ask: Ask
    tell: Tell
    tools: frozenset[str]
    has_tools: bool = True
    has_system: bool = True
    tokens: int = 0  # of the last prompt and answer, as the server counted
    messages: list[Json] = field(default_factory=list)

    def add(self, message: Json) -> None:
        """Take up a message, also in the transcript."""
        self.messages.append(message)
        self.transcript.add(message)


def request_body(agent: Agent) -> Json:
    """The next request."""
    system: list[Json] = [{"role": "system", "content": agent.system}] if agent.has_system else []
    tools = offered(agent.place, agent.tools)
    return agent.session.request({"messages": [*system, *agent.messages], "tools": tools})


def take_turn(agent: Agent, said: Json) -> End:
    """Answer what the user said. Raises ClientError if the server cannot go on."""
    agent.add(said)
    for _ in range(MOST_ROUNDS):
        _make_room(agent)
        answer = _ask_model(agent)
        if not answer.finished:
            return End("stopped")
        agent.add(_message(answer))
        counted = answer.metrics.prompt_eval_count + answer.metrics.eval_count
        agent.tokens = counted or estimate_tokens(agent.messages)
        if not answer.tool_calls:
            return End()
        if problem := _carry_out(agent, answer.tool_calls):
            return End(problem)
    return End(f"stopped after {MOST_ROUNDS} rounds of tools")


def _message(answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": answer.content}
    if answer.thinking:
        message["thinking"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return message


def _ask_model(agent: Agent) -> Answer:
    """The model's answer. What the server fails at is told to the model, and tried again."""
    body = request_body(agent)
    for rest in reversed(range(_TRIES)):
        try:
            answer = print_answer(agent.session.client.chat(body), agent.session.style)
        except ClientError as error:
            if rest == 0 or error.status < 500 or isinstance(error, Unreachable):
                raise
            agent.tell("problem", f"{error}; once more")
            told: Json = {"role": "user", "content": f"The last answer failed: {error}. Try again."}
            messages = body["messages"]
            body = {**body, "messages": [*messages, told] if isinstance(messages, list) else [told]}
        else:
            return answer
    raise AssertionError("the last try returns or raises")


def _carry_out(agent: Agent, calls: Sequence[ToolCall]) -> str:
    """Carry out a batch of calls; returns why the turn ends, if it does."""
    if not agent.has_tools:
        _give(agent, calls, [DISABLED] * len(calls))
        return ""
    jobs = [_prepare(agent, call) for call in calls]
    wishes = [job.wish for job in jobs if isinstance(job, Job)]
    try:
        is_allowed = agent.approvals.decide(wishes, agent.ask)
    except KeyboardInterrupt:
        is_allowed = False
    if not is_allowed:
        _give(agent, calls, [DENIED] * len(calls))
        return "denied"
    results: list[str] = []
    problem = ""
    for job in jobs:
        if problem:
            results.append(CANCELLED)
            continue
        try:
            results.append(_run(agent, job))
        except KeyboardInterrupt:
            results.append(CANCELLED)
            problem = "stopped"
    _give(agent, calls, results)
    return problem


def _prepare(agent: Agent, call: ToolCall) -> Job | str:
    try:
        return prepare(agent.place, call, agent.tools)
    except Refused as error:
        agent.tell("problem", f"{call.name}: {error}")
        return f"Error: {error}"


def _run(agent: Agent, job: Job | str) -> str:
    if isinstance(job, str):
        return job
    agent.tell("call", _first_line(job.wish))
    try:
        result = job.run()
    except Refused as error:
        result = f"Error: {error}"
    agent.tell("result", result)
    return result


def _first_line(wish: Wish) -> str:
    head, _, rest = wish.text.partition("\n")
    return f"{head} {rest}" if wish.tool == "bash" else head.removesuffix(":")


def _give(agent: Agent, calls: Sequence[ToolCall], results: Sequence[str]) -> None:
    for call, result in zip(calls, results, strict=True):
        content = cut_result(result, agent.window)
        agent.add({"role": "tool", "tool_name": call.name, "content": content})
        agent.tokens += len(content) // CHARACTERS_A_TOKEN


def _make_room(agent: Agent) -> None:
    """Shorten the conversation where it is due. Raises ClientError where that is not enough."""
    tokens = max(agent.tokens, estimate_tokens(agent.messages[-1:]))
    if not is_due(tokens, agent.window):
        return
    agent.tell("note", "Compacting")
    if problem := compact(agent):
        agent.tell("problem", problem)
    left = estimate_tokens([*agent.messages, {"content": agent.system}])
    if left >= agent.window:
        raise ClientError(
            f"the conversation takes about {left} of {agent.window} tokens and cannot be "
            "shortened further: begin a new one with /new, or set a larger num_ctx"
        )


def compact(agent: Agent) -> str:
    """Put a summary by the model in place of older turns; returns why nothing was done."""
    if len(agent.messages) < 2:
        return "nothing to compact"
    request = agent.session.request({"messages": summary_request(agent.messages, agent.window)})
    request |= {"think": False} if agent.session.can_think else {}
    # One that fills the window would make no room, and a small model may never end.
    request["options"] = {**as_object(request.get("options")), "num_predict": agent.window // 4}
    pieces = agent.session.client.chat(request)
    summary = "".join(piece.content for piece in pieces).strip()
    if not summary:
        return "summary was empty"
    shorter = compacted(agent.messages, summary, agent.window)
    if estimate_tokens(shorter) >= estimate_tokens(agent.messages):
        return "nothing to compact"
    agent.messages = shorter
    agent.tokens = estimate_tokens([*shorter, {"content": agent.system}])
    agent.transcript.replace(shorter)
    return ""
