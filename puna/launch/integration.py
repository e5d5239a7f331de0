"""What an integration is: a declaration of one program, and how it is set up and started.

The files in integrations/ hold one `INTEGRATION` each. Facts: CLI spec, section 4.5.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from puna.client.facts import ModelFacts
from puna.launch.documents import Document, Form
from puna.launch.files import SHARED
from puna.launch.place import Place
from puna.launch.process import LaunchError, read_output, run_program

__all__ = [
    "ConfigFile",
    "Console",
    "Installer",
    "Integration",
    "Kind",
    "Launch",
    "Order",
    "Refusal",
    "has_flag",
    "npm",
    "refuse",
    "script",
]


class Kind(enum.Enum):
    """How much an integration is told."""

    RUNS = "one model, told to the program when it runs"
    EDITOR = "several models, written into its configuration"
    MANAGED = "one model, written into its configuration, and whether it was started before"
    DISCOVERS = "nothing: it finds the models itself"


class Console(Protocol):
    """How a launch talks with the user."""

    def ask(self, question: str, *, yes: str = "", no: str = "", default: bool = True) -> bool:
        """Ask yes or no; `yes` and `no` name the answers. Raises LaunchError where nobody can be
        asked.
        """
        ...

    def say(self, text: str) -> None:
        """Tell the user something."""
        ...

    @property
    def is_terminal(self) -> bool:
        """Whether there is somebody to choose from a list."""
        ...

    @property
    def answers_yes(self) -> bool:
        """Whether every question is answered with yes."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be set up: the models that were chosen, the one to begin with first, those that
    are installed, and the arguments that the user gave for the program.
    """

    place: Place
    models: tuple[ModelFacts, ...]
    installed: tuple[ModelFacts, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The name of the model to begin with."""
        return self.models[0].name

    def chosen_and_installed(self) -> list[ModelFacts]:
        """The chosen models and all others, each once."""
        others = [m for m in self.installed if not any(m.is_named(c.name) for c in self.models)]
        return [*self.models, *others]


@dataclass(frozen=True, slots=True)
class Launch:
    """An order that is being carried out, for integrations that do more than to start a program.

    `is_first` says that it was not launched before. `environ` is what its programs get.
    `context_of` loads a model and returns the context that it got in tokens, 0 if it cannot be
    loaded.
    """

    order: Order
    program: Path
    console: Console
    is_first: bool
    environ: Mapping[str, str]
    context_of: Callable[[str], int]

    def run(self, *words: str) -> int:
        """Start the program with these words, wait, and return its status. Raises LaunchError."""
        return run_program([str(self.program), *words], self.environ)

    def output(self, *words: str) -> str:
        """What the program prints for these words, "" if it fails."""
        return read_output([str(self.program), *words], self.environ)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that launching writes. `edit` changes what is in it; where there is no file, it begins
    with the content of the first of `seeds` that is there, or with `only_if_there` none is written.
    One that `may_be_unreadable` is then left alone.
    """

    path: Callable[[Place], Path]
    form: Form
    edit: Callable[[Document, Order], None]
    mode: int = SHARED
    seeds: Callable[[Place], Sequence[Path]] = lambda place: ()
    only_if_there: bool = False
    may_be_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Installer:
    """How a missing program gets here: `words` are run after the user agreed, if the programs in
    `needs` (name and where to get it) are there.
    """

    words: tuple[str, ...]
    needs: tuple[tuple[str, str], ...] = ()
    question: str = "{title} is not installed. Install now?"


CURL = ("curl", "https://curl.se/")
BASH = ("bash", "https://www.gnu.org/software/bash/")
NPM = ("npm", "https://nodejs.org/")


def script(url: str, arguments: str = "") -> Installer:
    """The vendor's script; it is not run if it does not come whole."""
    command = f"set -o pipefail; curl -fsSL {url} | bash{arguments and f' -s -- {arguments}'}"
    return Installer(("bash", "-c", command), (CURL, BASH))


def npm(package: str) -> Installer:
    """A package of npm, for the whole machine."""
    return Installer(
        ("npm", "install", "-g", package),
        (NPM,),
        "{title} is not installed. Install with npm?",
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Flags that the launch sets itself: extra arguments must not. `manages` names them in the
    error.
    """

    flags: tuple[str, ...]
    manages: str
    by_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Integration:
    """One program. `title` is its name for people, `about` a line; `url` and `install_command` say
    how a person gets it. `systems` are those of `sys.platform` that it is for, all if there are
    none; `elsewhere` says where it may be beside the PATH. `takes_key`: its environment brings it
    the key that the server wants; keys are not written into files of others.

    After its files were written, `after_setup` is called; before it starts, `prepare`, which raises
    LaunchError for what cannot work and may know more than the order did; `run`, where there is
    one, takes the place of starting `program` with `arguments` and returns its status. `cleans_up`
    names files that --restore deletes, and `on_restore` what it changes, even if somebody else
    wrote them; `restored` is what it says then. Where `unsupported` is set, no more can be done.
    """

    name: str
    title: str
    about: str
    kind: Kind
    program: str
    aliases: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    elsewhere: Callable[[Place], Sequence[Path]] = lambda place: ()
    url: str = ""
    install_command: str = ""
    installer: Installer | None = None
    arguments: Callable[[Order], list[str]] = lambda order: list(order.extra)
    environment: Callable[[Order], dict[str, str]] = lambda order: {}
    removes: tuple[str, ...] = ()
    takes_key: bool = False
    refuses: tuple[Refusal, ...] = ()
    files: tuple[ConfigFile, ...] = ()
    after_setup: Callable[[Launch], None] | None = None
    prepare: Callable[[Launch], Order] | None = None
    run: Callable[[Launch], int] | None = None
    cleans_up: Callable[[Place], Sequence[Path]] = lambda place: ()
    on_restore: Callable[[Place], Sequence[ConfigFile]] = lambda place: ()
    restored: str = ""
    unsupported: str = ""

    def find(self, place: Place) -> Path | None:
        """Where the program is, None if it is not installed."""
        return place.find(self.program, *self.elsewhere(place))

    def is_for(self, system: str) -> bool:
        """Whether it is for a `sys.platform`."""
        return not self.systems or system in self.systems


def has_flag(extra: Sequence[str], *names: str) -> bool:
    """Whether one of these flags is given, alone or as `--flag=value`."""
    return any(word == name or word.startswith(f"{name}=") for word in extra for name in names)


def refuse(integration: Integration, extra: Sequence[str]) -> None:
    """Raise LaunchError if an extra argument sets what the launch sets."""
    for word in extra:
        for refusal in integration.refuses:
            if has_flag([word], *refusal.flags) or (
                refusal.by_prefix and word.startswith(refusal.flags)
            ):
                raise LaunchError(
                    f'conflicting extra argument "{word}": '
                    f"puna launch {integration.name} manages {refusal.manages}"
                )
