"""The events of an answer as a response grows out of them: items that open, fill and close.

One item is open at a time; what is of another kind closes it. A stream and a whole response are
made by the same steps. Facts: compatibility spec, 6.5 and 9.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET

from puna.api.events import (
    CallArguments,
    CallBegun,
    Content,
    Done,
    Event,
    Logprob,
    Rendered,
    Thinking,
    ToolCalls,
    Waiting,
)
from puna.api.requests import ToolCall
from puna.server.faults import Fault
from puna.server.openai.replies import DebugInfo, encode
from puna.server.openai.responses.shapes import (
    Item,
    MessageItem,
    OutputText,
    Reason,
    ReasoningItem,
    Response,
    ResponseLogprob,
    SummaryText,
    Trouble,
    new_item_id,
    token_logprobs,
    usage_of,
)
from puna.server.openai.responses.tools import CustomCall, FunctionCallItem, Toolbox

__all__ = ["Story"]

# a token's event is written by these, everything rarer as an object
_TEXT = (
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","sequence_number":%d,"item_id":"%b",'
    b'"output_index":%d,"content_index":0,"delta":%b,"logprobs":%b}\n\n'
)
_THOUGHT = (
    b"event: response.reasoning_summary_text.delta\n"
    b'data: {"type":"response.reasoning_summary_text.delta","sequence_number":%d,"item_id":"%b",'
    b'"output_index":%d,"summary_index":0,"delta":%b}\n\n'
)


class Story:
    """One response from its first event to its last."""

    def __init__(
        self, response: Response, tools: Toolbox, now: Callable[[], int], *, stream: bool
    ) -> None:
        """`now` gives seconds since 1970. Without `stream` all pieces are empty."""
        self.response = response
        self.is_over = False
        self.is_rendered = False
        self._tools = tools
        self._now = now
        self._streams = stream
        self._has_begun = False
        self._number = 0  # of the next event of the stream
        self._open: MessageItem | ReasoningItem | FunctionCallItem | None = None
        self._text: list[str] = []
        self._logprobs: list[ResponseLogprob] = []

    def piece(self, event: Event) -> bytes:
        """What an event adds to the stream."""
        if isinstance(event, Waiting):
            return b""
        if isinstance(event, Rendered):
            self._show(event)
            return b""
        begun = b"" if self._has_begun else self._begin()
        match event:
            case Content(text, logprobs):
                return begun + self._say(text, logprobs)
            case Thinking(text):
                return begun + self._think(text)
            case ToolCalls(calls):
                return begun + b"".join(map(self._call, calls))
            case CallBegun(id=id, name=name):
                return begun + self._begin_call(id, name)
            case CallArguments(text=text):
                return begun + self._fill_call(text)
            case Done():
                return begun + self._end(event)

    def whole(self) -> bytes:
        """The response as a body."""
        return encode(self.response)

    def failed(self, fault: Fault) -> bytes:
        """The last event of a stream that an error ends."""
        self._open = None
        begun = b"" if self._has_begun else self._begin()
        self.response.status = "failed"
        self.response.error = Trouble(fault.code or "server_error", fault.message)
        return begun + self._event("response.failed", response=self.response)

    def _show(self, event: Rendered) -> None:
        self.is_over = self.is_rendered = True
        self.response.debug_info = DebugInfo(event.text, event.image_count)
        self.response.status = "completed"

    def _begin(self) -> bytes:
        self._has_begun = True
        created = self._event("response.created", response=self.response)
        return created + self._event("response.in_progress", response=self.response)

    @property
    def _index(self) -> int:
        """The place of the item that is open, or of the next one."""
        return len(self.response.output)

    def _say(self, text: str, logprobs: Sequence[Logprob]) -> bytes:
        if not text and not logprobs:
            return b""
        item, opening = self._open, b""
        if not isinstance(item, MessageItem):
            item = MessageItem(id=new_item_id("msg"), status="in_progress")
            opening = self._start(item)
            opening += self._part("response.content_part.added", item, OutputText(""))
        self._text.append(text)
        entries = token_logprobs(logprobs) if logprobs else []
        self._logprobs += entries
        if not self._streams:
            return b""
        place = (self._next(), item.id.encode(), self._index)
        return opening + _TEXT % (*place, encode(text), encode(entries) if entries else b"[]")

    def _think(self, text: str) -> bytes:
        if not text:
            return b""
        item, opening = self._open, b""
        if not isinstance(item, ReasoningItem):
            item = ReasoningItem(id=new_item_id("rs"))
            opening = self._start(item)
            opening += self._part("response.reasoning_summary_part.added", item, SummaryText(""))
        self._text.append(text)
        if not self._streams:
            return b""
        return opening + _THOUGHT % (self._next(), item.id.encode(), self._index, encode(text))

    def _begin_call(self, call_id: str, name: str) -> bytes:
        item = self._tools.begin(call_id, name)
        if item is None:
            return b""
        item.status = "in_progress"
        return self._start(item)

    def _fill_call(self, text: str) -> bytes:
        item = self._open
        if not isinstance(item, FunctionCallItem):
            return b""
        self._text.append(text)
        place = {"item_id": item.id, "output_index": self._index}
        return self._event("response.function_call_arguments.delta", **place, delta=text)

    def _call(self, call: ToolCall) -> bytes:
        if isinstance(self._open, FunctionCallItem) and self._open.call_id == call.id:
            return self._close("completed")
        out = self._close()
        item = self._tools.item(call)
        item.status = "in_progress"
        match item:
            case FunctionCallItem(id=id, arguments=text):
                item.arguments = ""
                out += self._added(item)
                out += self._filled("response.function_call_arguments", id, "arguments", text)
                item.arguments = text
            case CustomCall(id=id, input=text):
                item.input = ""
                out += self._added(item)
                out += self._filled("response.custom_tool_call_input", id, "input", text)
                item.input = text
            case _:
                out += self._added(item)
        item.status = "completed"
        return out + self._finish(item)

    def _filled(self, kind: str, item_id: str, name: str, text: str) -> bytes:
        place = {"item_id": item_id, "output_index": self._index}
        delta = self._event(f"{kind}.delta", **place, delta=text)
        return delta + self._event(f"{kind}.done", **place, **{name: text})

    def _start(self, item: MessageItem | ReasoningItem | FunctionCallItem) -> bytes:
        out = self._close()
        self._open = item
        return out + self._added(item)

    def _added(self, item: Item) -> bytes:
        return self._event("response.output_item.added", output_index=self._index, item=item)

    def _close(self, status: str = "") -> bytes:
        """End the item that is open: complete, if nothing else is said, unless it is a call that
        never came whole."""
        item, self._open = self._open, None
        status = status or ("incomplete" if isinstance(item, FunctionCallItem) else "completed")
        text, logprobs = "".join(self._text), self._logprobs
        self._text, self._logprobs = [], []
        match item:
            case MessageItem():
                part = OutputText(text, logprobs=logprobs)
                place = {"item_id": item.id, "output_index": self._index, "content_index": 0}
                told = {"text": text, "logprobs": logprobs}
                out = self._event("response.output_text.done", **place, **told)
                out += self._part("response.content_part.done", item, part)
                item.content, item.status = [part], status
            case ReasoningItem():
                summary = SummaryText(text)
                place = {"item_id": item.id, "output_index": self._index, "summary_index": 0}
                out = self._event("response.reasoning_summary_text.done", **place, text=text)
                out += self._part("response.reasoning_summary_part.done", item, summary)
                item.summary, item.encrypted_content = [summary], text
            case FunctionCallItem():
                place = {"item_id": item.id, "output_index": self._index}
                out = self._event("response.function_call_arguments.done", **place, arguments=text)
                item.arguments, item.status = text, status
            case None:
                return b""
        return out + self._finish(item)

    def _finish(self, item: Item) -> bytes:
        done = self._event("response.output_item.done", output_index=self._index, item=item)
        self.response.output.append(item)
        return done

    def _part(
        self, name: str, item: MessageItem | ReasoningItem, part: OutputText | SummaryText
    ) -> bytes:
        kind = "content_index" if isinstance(part, OutputText) else "summary_index"
        place = {"item_id": item.id, "output_index": self._index, kind: 0}
        return self._event(name, **place, part=part)

    def _end(self, done: Done) -> bytes:
        is_cut = done.reason == "length"
        out = self._close("incomplete" if is_cut else "")
        if not self.response.output:  # an answer without a word is an empty message (RS-2, RS-16)
            item = MessageItem(id=new_item_id("msg"), status="in_progress")
            out += self._start(item)
            out += self._part("response.content_part.added", item, OutputText(""))
            out += self._close("incomplete" if is_cut else "completed")
        self.is_over = True
        self.response.status = "incomplete" if is_cut else "completed"
        self.response.incomplete_details = Reason("max_output_tokens") if is_cut else None
        self.response.completed_at = self._now()
        self.response.usage = usage_of(done)
        self.response.truncated = done.truncated or UNSET
        return out + self._event(f"response.{self.response.status}", response=self.response)

    def _event(self, name: str, **members: object) -> bytes:
        if not self._streams:
            return b""
        body = {"type": name, "sequence_number": self._next()} | members
        return b"event: %b\ndata: %b\n\n" % (name.encode(), encode(body))

    def _next(self) -> int:
        self._number += 1
        return self._number - 1
