"""One conversation: the model, what was said, and what was set. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

from puna.client.client import Client
from puna.client.fields import Json
from puna.client.replies import Piece, ShowReply
from puna.errors import ClientError, InvalidName
from puna.models.name import Name
from puna.repl.files import Prompt, read_files, starts_with_file, takes_files
from puna.term.answer import Answer, Style

__all__ = ["Session", "Think"]

Think = bool | str | None
"""The `think` field of a request: on, off, a level, or left to the server."""


@dataclass(slots=True)
class Session:
    """The state of the prompt. Methods that ask the server raise ClientError."""

    client: Client
    model: str
    info: ShowReply
    style: Style = field(default_factory=Style)
    format: object = None
    think: Think = None
    is_think_chosen: bool = False
    keep_alive: object = None
    system: str = ""
    options: Json = field(default_factory=dict)
    messages: list[Json] = field(default_factory=list)

    @property
    def can_think(self) -> bool:
        """Whether the model has the capability `thinking`."""
        return "thinking" in self.info.capabilities

    def restyle(self, **changes: bool) -> None:
        """Change how answers are shown."""
        self.style = replace(self.style, **changes)

    def load(self) -> None:
        """Bring the model into memory."""
        self.client.load(self.request({}))

    def read(self, text: str) -> Prompt:
        """What was entered, with the files that it names if the model takes any. Raises
        ClientError for a file that cannot be shown.
        """
        return read_files(text) if takes_files(self.info) else Prompt(text)

    def is_shown(self, text: str) -> bool:
        """Whether what was entered begins with an image for the model, and not with a command."""
        return takes_files(self.info) and starts_with_file(text)

    def answer_once(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Stream the answer to a prompt outside the conversation."""
        body: Json = {"prompt": prompt.text}
        return self.client.generate(self.request(_with_images(body, prompt)))

    def ask(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Say something and stream the answer; what was said stays in the conversation."""
        message: Json = {"role": "user", "content": prompt.text}
        self.messages.append(_with_images(message, prompt))
        return self.client.chat(self.request({"messages": list(self.messages)}))

    def keep(self, answer: Answer) -> None:
        """Take a finished answer into the conversation."""
        message: Json = {"role": "assistant", "content": answer.content}
        if answer.thinking:
            message["thinking"] = answer.thinking
        self.messages.append(message)

    def request(self, body: Json) -> Json:
        """A request to the model with what was set for it."""
        settings = {
            "format": self.format,
            "think": self.think,
            "keep_alive": self.keep_alive,
            "options": dict(self.options) or None,
        }
        given = {key: value for key, value in settings.items() if value is not None}
        return {"model": self.model, **body, **given}

    def set_system(self, text: str) -> None:
        """Set the system message: replaces the last message if that is one, else is appended."""
        self.system = text
        if self.messages and self.messages[-1]["role"] == "system":
            self.messages.pop()
        self.messages.append({"role": "system", "content": text})

    def clear(self) -> None:
        """Forget what was said, but not the system message."""
        self.messages = [{"role": "system", "content": self.system}] if self.system else []

    def switch(self, model: str) -> None:
        """Go over to another model with an empty conversation; on an error all stays as it was."""
        before = self.model, self.info, self.think
        try:
            self.info = self.client.show(model)
            self.model = model
            if not self.is_think_chosen:
                self.think = True if self.can_think else None
            self.load()
        except (ClientError, KeyboardInterrupt):
            self.model, self.info, self.think = before
            raise
        self.messages = []

    def save(self, name: str) -> None:
        """Create a model from this session: system text, changed parameters, all messages."""
        stored: list[Json] = [{"role": m.role, "content": m.content} for m in self.info.messages]
        request: Json = {"model": name, "from": self._base()}
        if self.system:
            request["system"] = self.system
        if self.options:
            request["parameters"] = dict(self.options)
        if stored or self.messages:
            request["messages"] = stored + self.messages
        for _ in self.client.create(request):
            pass

    def _base(self) -> str:
        """The parent model, if it is one that the server has; else the current model."""
        parent = self.info.details.parent_model
        try:
            Name.parse(parent)
            self.client.show(parent)
        except (InvalidName, ClientError):
            return self.model
        return parent


def _with_images(body: Json, prompt: Prompt) -> Json:
    return {**body, "images": prompt.images} if prompt.images else body
