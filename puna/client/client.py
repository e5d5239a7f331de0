"""The native API as methods: what to send where, and what comes back. transport.py carries it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from types import TracebackType

from puna.client.facts import (
    ModelFacts,
    Recommendation,
    is_cloud_off,
    parse_facts,
    parse_recommendations,
)
from puna.client.fields import Json, as_text
from puna.client.replies import (
    LoadedRow,
    ModelRow,
    Piece,
    Progress,
    ShowReply,
    parse_chat_piece,
    parse_generate_piece,
    parse_loaded,
    parse_models,
    parse_progress,
    parse_show,
)
from puna.client.transport import Transport
from puna.client.upkeep import (
    Pruned,
    StoreFolder,
    Updated,
    Verdict,
    parse_pruned,
    parse_store,
    parse_updated,
    parse_verdict,
)
from puna.config import Host
from puna.errors import ClientError

__all__ = ["Client"]


class Client:
    """A server at `host`.

    `key` is the one that the server wants, if it wants one. Every method raises Unreachable when no
    server answers, KeyWanted where it wants another key, and ClientError for any other error.
    """

    def __init__(self, host: Host, key: str = "") -> None:
        self._transport = Transport(host, key)
        self.host = host

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def answers(self) -> bool:
        """Whether a server answers; False only if the connection is refused."""
        return self._transport.answers()

    def version(self) -> str:
        """The server's version: Puna's where the server is one, else what it reports."""
        answer = self._transport.send("GET", "/api/version")
        return as_text(answer, "puna") or as_text(answer, "version")

    def models(self) -> list[ModelRow]:
        """The installed models, latest first."""
        return parse_models(self._transport.send("GET", "/api/tags"))

    def facts(self) -> list[ModelFacts]:
        """What the installed models can do."""
        return parse_facts(self._transport.send("GET", "/api/tags"))

    def recommendations(self) -> list[Recommendation]:
        """The models that the server recommends."""
        path = "/api/experimental/model-recommendations"
        return parse_recommendations(self._transport.send("GET", path))

    def is_cloud_off(self) -> bool:
        """Whether the server says that it has no cloud; False where it does not say."""
        try:
            return is_cloud_off(self._transport.send("GET", "/api/status"))
        except ClientError:
            return False

    def loaded(self) -> list[LoadedRow]:
        """The models in memory."""
        return parse_loaded(self._transport.send("GET", "/api/ps"))

    def loaded_context(self, model: str) -> int:
        """The context that a model is loaded with, in tokens; 0 if that is not known."""
        names = {model.casefold(), f"{model.casefold()}:latest"}
        lengths = (row.context_length for row in self.loaded() if row.name.casefold() in names)
        return next(lengths, 0)

    def show(
        self,
        model: str,
        *,
        verbose: bool = False,
        system: str = "",
        options: Json | None = None,
    ) -> ShowReply:
        """Describe a model, with another system text or options laid over its own."""
        # `name` is the field that servers of every age know.
        body: Json = {"model": model, "name": model}
        if verbose:
            body["verbose"] = True
        if system:
            body["system"] = system
        if options:
            body["options"] = options
        return parse_show(self._transport.send("POST", "/api/show", body))

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name."""
        body: Json = {"source": source, "destination": destination}
        self._transport.send("POST", "/api/copy", body)

    def delete(self, model: str) -> None:
        """Remove a model."""
        self._transport.send("DELETE", "/api/delete", {"model": model, "name": model})

    def has_blob(self, digest: str) -> bool:
        """Whether the server holds the blob `sha256:…`."""
        return self._transport.has(f"/api/blobs/{digest}")

    def send_blob(self, digest: str, chunks: Iterable[bytes], byte_count: int) -> None:
        """Upload the bytes of the blob `sha256:…`."""
        self._transport.upload(f"/api/blobs/{digest}", chunks, byte_count)

    def create(self, request: Json) -> Generator[Progress, None, None]:
        """Make a model and yield how far it is."""
        with closing(self._transport.lines("POST", "/api/create", request)) as lines:
            for line in lines:
                yield parse_progress(line)

    def store(self) -> StoreFolder:
        """Where the server's store is. Raises ClientError from servers that do not tell."""
        return parse_store(self._transport.send("GET", "/api/puna/store"))

    def prune(self, older_than: float | None = None, *, dry_run: bool = False) -> Pruned:
        """Delete what no model needs and is older than so many seconds, or than is usual."""
        body: Json = {"dry_run": dry_run}
        if older_than is not None:
            body["older_than"] = older_than
        return parse_pruned(self._transport.send("POST", "/api/puna/prune", body))

    def verify(
        self, models: list[str], *, remove_damaged: bool = False
    ) -> Generator[Progress | Verdict, None, None]:
        """Hash the files of these models, or of all; yields how far it is, and each verdict."""
        body: Json = {"models": list(models), "remove_damaged": remove_damaged}
        with closing(self._transport.lines("POST", "/api/puna/verify", body)) as lines:
            for line in lines:
                yield parse_verdict(line) if "model" in line else parse_progress(line)

    def update(
        self, models: list[str], *, dry_run: bool = False, insecure: bool = False
    ) -> Generator[Progress | Updated, None, None]:
        """Bring these models, or all, up to date; yields how far it is, and what became of each."""
        body: Json = {"models": list(models), "dry_run": dry_run, "insecure": insecure}
        with closing(self._transport.lines("POST", "/api/puna/update", body)) as lines:
            for line in lines:
                yield parse_updated(line) if "model" in line else parse_progress(line)

    def pull(self, model: str, *, insecure: bool = False) -> Generator[Progress, None, None]:
        """Fetch a model from its registry and yield how far it is."""
        body: Json = {"model": model, "name": model, "insecure": insecure}
        with closing(self._transport.lines("POST", "/api/pull", body)) as lines:
            for line in lines:
                yield parse_progress(line)

    def push(self, model: str, *, insecure: bool = False) -> Generator[Progress, None, None]:
        """Bring a model to its registry and yield how far it is."""
        body: Json = {"model": model, "name": model, "insecure": insecure}
        with closing(self._transport.lines("POST", "/api/push", body)) as lines:
            for line in lines:
                yield parse_progress(line)

    def account(self) -> str:
        """The name of who is signed in with ollama.com; without anybody a ClientError of status 401
        that may know where to sign in.
        """
        return as_text(self._transport.send("POST", "/api/me"), "name")

    def sign_out(self) -> None:
        """Forget the account of ollama.com."""
        self._transport.send("POST", "/api/signout")

    def sign_in_url(self) -> str | None:
        """Where to sign in with ollama.com, "" if that is not said; None for who has done so, and
        where the server knows nothing of accounts.
        """
        try:
            self.account()
        except ClientError as error:
            return error.sign_in_url if error.status == 401 else None
        return None

    def generate(self, request: Json) -> Generator[Piece, None, None]:
        """Stream an answer to a prompt; closing the iterator cancels it."""
        with closing(self._transport.lines("POST", "/api/generate", request)) as lines:
            for line in lines:
                yield parse_generate_piece(line)

    def chat(self, request: Json) -> Generator[Piece, None, None]:
        """Stream an answer to a conversation; closing the iterator cancels it."""
        with closing(self._transport.lines("POST", "/api/chat", request)) as lines:
            for line in lines:
                yield parse_chat_piece(line)

    def load(self, request: Json) -> None:
        """Load a model (a generate request without a prompt), or unload it with `keep_alive` 0."""
        for _ in self.generate(request):
            pass

    def embed(self, request: Json) -> list[list[float]]:
        """Turn texts into vectors."""
        vectors = self._transport.send("POST", "/api/embed", request).get("embeddings")
        return vectors if isinstance(vectors, list) else []
