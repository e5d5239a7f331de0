"""One launch from its beginning to its end: models chosen, files written, the program run.

Facts: CLI spec, section 4.1.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from puna.client.client import Client
from puna.client.facts import ModelFacts
from puna.errors import ClientError
from puna.launch.install import ensure_installed, ensure_supported
from puna.launch.integration import Console, Integration, Kind, Launch, Order, refuse
from puna.launch.models import Choice, is_cloud_name, is_old, make_choices
from puna.launch.place import Place
from puna.launch.process import LaunchError, run_program
from puna.launch.ready import OtherModel, Supply, facts_of
from puna.launch.saved import Choices
from puna.launch.setup import set_up

__all__ = ["Picker", "Request", "Session", "launch"]


class Picker(Protocol):
    """How the user picks from a list. Both raise Declined if they leave."""

    def one(self, title: str, choices: Sequence[Choice], current: str) -> str:
        """Pick one model; `current` is marked first."""
        ...

    def several(self, title: str, choices: Sequence[Choice], checked: Sequence[str]) -> list[str]:
        """Pick models, the one to begin with first; `checked` are those of last time."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for. `reuses_saved`: the models of last time will do."""

    model: str = ""
    configure_only: bool = False
    extra: tuple[str, ...] = ()
    reuses_saved: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """What a launch works with."""

    client: Client
    place: Place
    console: Console
    picker: Callable[[], Picker]
    pull: Callable[[str], None]

    @property
    def supply(self) -> Supply:
        """Where models come from."""
        return Supply(self.client, self.console, self.pull)


def launch(session: Session, integration: Integration, request: Request) -> None:
    """Set the program up, and run it unless it is only to be configured.

    Raises LaunchError, ClientError and OSError, Declined if the user leaves.
    """
    if integration.unsupported:
        raise LaunchError(integration.unsupported)
    ensure_supported(integration, session.place)
    console = session.console
    if console.answers_yes and not console.is_terminal and not request.model:
        raise LaunchError(f"headless --yes launch for {integration.name} requires --model <model>")
    refuse(integration, request.extra)
    if integration.kind is Kind.MANAGED or not request.configure_only:
        ensure_installed(integration, session.place, console)
    choices = Choices.read(session.place)
    saved = choices.of(integration)
    models = _choose(session, integration, request, saved.models)
    if not models:
        return
    order = _order(session, models, request.extra)
    is_early = request.configure_only or integration.prepare is None
    if integration.kind is not Kind.RUNS and is_early:
        _set_up(session, integration, order, saved.onboarded)
    onboarded = True if integration.kind is Kind.MANAGED else None
    choices.save(integration, models, onboarded=onboarded)
    if request.configure_only:
        console.say(f"{integration.title} is set up to use {order.model}.")
        if not _goes_on(integration, console):
            return
    _run(session, integration, order, is_first=not saved.onboarded)


def _goes_on(integration: Integration, console: Console) -> bool:
    """Whether the program is to be run although it was only to be configured."""
    if integration.kind is Kind.MANAGED or not console.is_terminal:
        return False
    return console.ask(f"Launch {integration.title} now?")


def _run(session: Session, integration: Integration, order: Order, *, is_first: bool) -> None:
    """Run the program. Raises LaunchError if it fails."""
    program = ensure_installed(integration, session.place, session.console)
    if session.place.api_key and not integration.takes_key:
        session.console.say(
            f"Note: the server wants a key (PUNA_API_KEY), which {integration.title} must be given "
            "in its own settings."
        )
    started = _launch(session, integration, order, program, not is_first)
    if integration.prepare is not None:
        order = integration.prepare(started)
        started = _launch(session, integration, order, program, not is_first)
    if integration.kind is Kind.RUNS or integration.prepare is not None:
        _set_up(session, integration, order, not is_first)
    if integration.run is not None:
        status = integration.run(started)
    else:
        words = [str(program), *integration.arguments(started.order)]
        status = run_program(words, started.environ)
    if status < 0:
        raise LaunchError(f"signal: {signal.strsignal(-status) or -status}".lower())
    if status:
        raise LaunchError(f"exit status {status}")


def _set_up(session: Session, integration: Integration, order: Order, was_before: bool) -> None:
    """Write its files, and let it know."""
    set_up(integration, order)
    if integration.after_setup is not None:
        program = ensure_installed(integration, session.place, session.console)
        integration.after_setup(_launch(session, integration, order, program, was_before))


def _launch(
    session: Session, integration: Integration, order: Order, program: Path, was_before: bool
) -> Launch:
    environ = {
        name: value
        for name, value in session.place.environ.items()
        if name not in integration.removes
    }
    return Launch(
        order,
        program,
        session.console,
        not was_before,
        environ | integration.environment(order),
        lambda model: _context_of(session.client, model),
    )


def _context_of(client: Client, model: str) -> int:
    """Load a model, for the context it gets."""
    try:
        client.load({"model": model})
        return client.loaded_context(model)
    except ClientError:
        return 0


def _order(session: Session, models: Sequence[str], extra: tuple[str, ...]) -> Order:
    try:
        installed: list[ModelFacts] = session.client.facts()
    except ClientError:
        installed = []
    return Order(session.place, facts_of(models, installed), tuple(installed), extra)


def _choose(
    session: Session, integration: Integration, request: Request, saved: Sequence[str]
) -> list[str]:
    """The models to launch with, the one to begin with first; each is there."""
    model = request.model
    if model and is_cloud_name(model) and session.client.is_cloud_off():
        session.console.say(f"Warning: ignoring --model {model} because cloud is disabled")
        model = ""
    first = model or (saved[0] if request.reuses_saved and saved else "")
    if first:
        try:
            session.supply.ensure(first, integration)
        except OtherModel:
            pass
        except LaunchError:
            if model:
                raise
        else:
            others = [name for name in saved if name != first]
            return [first, *others] if integration.kind is Kind.EDITOR else [first]
    return _pick(session, integration, [first, *saved] if first else list(saved))


def _pick(session: Session, integration: Integration, checked: list[str]) -> list[str]:
    """Let the user pick until what was picked is there."""
    if not session.console.is_terminal:
        raise LaunchError(
            "model selection requires an interactive terminal; use --model to run in headless mode"
        )
    checked = [name for name in checked if not is_old(name)]
    while True:
        rows = make_choices(
            session.client.facts(),
            session.supply.recommended(),
            checked,
            cloud_off=session.client.is_cloud_off(),
        )
        if not rows:
            raise LaunchError("no models available, run 'puna pull <model>' first")
        try:
            if integration.kind is Kind.EDITOR:
                title = f"Select models for {integration.title}:"
                return _usable(session, integration, session.picker().several(title, rows, checked))
            title = f"Select model for {integration.title}:"
            picked = session.picker().one(title, rows, checked[0] if checked else "")
            session.supply.ensure(picked, integration)
        except OtherModel:
            continue
        return [picked]


def _usable(session: Session, integration: Integration, picked: Sequence[str]) -> list[str]:
    """Those of the picked models that are there; the others are told of."""
    usable = []
    for name in dict.fromkeys(picked):
        try:
            session.supply.ensure(name, integration)
        except (LaunchError, ClientError) as error:
            session.console.say(f"Skipped {name}: {error}")
        else:
            usable.append(name)
    return usable
