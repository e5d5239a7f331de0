"""Whether a chosen model is there, and getting it if it is not. Facts: CLI spec, section 4.2."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from puna.client.client import Client
from puna.client.facts import ModelFacts, Recommendation
from puna.errors import ClientError, quoted
from puna.launch.ask import Declined
from puna.launch.integration import Console, Integration
from puna.launch.models import is_cloud_name, is_old
from puna.launch.process import LaunchError

__all__ = ["OtherModel", "Supply", "facts_of"]

FALLBACK = (
    Recommendation("gemma4", "Reasoning and code generation locally", vram_bytes=12_000_000_000),
    Recommendation(
        "qwen3.5", "Reasoning, coding, and visual understanding locally", vram_bytes=14_000_000_000
    ),
)
"""What is recommended where the server recommends nothing."""


class OtherModel(Exception):
    """The user wants to pick another model."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Where models come from: the server; `pull` shows how far it is."""

    client: Client
    console: Console
    pull: Callable[[str], None]

    def recommended(self) -> list[Recommendation]:
        """What the server recommends, else a few models that suit agents."""
        try:
            found = self.client.recommendations()
        except ClientError:
            found = []
        whole = [
            one
            for one in found
            if not is_cloud_name(one.model) or (one.context_length and one.max_output)
        ]
        return whole or list(FALLBACK)

    def ensure(self, model: str, integration: Integration) -> None:
        """Have the model here, fetched if the user agrees.

        Raises LaunchError if it cannot be had, OtherModel or Declined if the user does not want it.
        """
        if is_old(model):
            self._warn_of_old(model, integration)
        if self._is_here(model):
            return
        if is_cloud_name(model):
            raise LaunchError(f"model {quoted(model)} not found")
        if not self.console.answers_yes:
            if not self.console.is_terminal:
                raise LaunchError(
                    f"model {quoted(model)} not found; run 'puna pull {model}' first, "
                    "or use --yes to auto-pull"
                )
            if not self.console.ask(f"Download {model}?"):
                raise Declined
        try:
            self.pull(model)
        except ClientError as error:
            raise LaunchError(f"failed to pull {model}: {error}") from error

    def _is_here(self, model: str) -> bool:
        try:
            self.client.show(model)
        except ClientError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _warn_of_old(self, model: str, integration: Integration) -> None:
        better = next((one.model for one in self.recommended() if not is_old(one.model)), "")
        advice = (
            f"Try an agent-capable model like {better} instead:\n"
            f"  puna launch {integration.name} --model {better}"
            if better
            else "Try a newer recommended agent-capable model instead."
        )
        question = (
            f"{model} does not work well with {integration.title}. {advice}\n\n"
            f"Launch with {model} anyway?"
        )
        labels = {"yes": "Launch anyway", "no": "Pick another model"}
        if not self.console.ask(question, default=False, **labels):
            raise OtherModel


def facts_of(names: Iterable[str], installed: Iterable[ModelFacts]) -> tuple[ModelFacts, ...]:
    """What is known of these models, under the names that were given."""
    known = list(installed)
    return tuple(
        next((replace(one, name=name) for one in known if one.is_named(name)), ModelFacts(name))
        for name in names
    )
