"""What every command prints against the real server: through pipes to the last blank, and on a
terminal as a person sees it.

`transcripts/*.txt` hold sessions: `$` a command, `! ` its standard error, its standard output as it
is, `[1]` its status unless that is 0; `·` is a blank at the end of a line. `terminal.txt` has the
last picture on a screen of 100 columns. What differs from run to run is masked. `pytest --rewrite`
writes the files anew. The help pages are in docs/cli.md.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from puna import __version__
from tests.cli.screen import screens
from tests.cli.support import puna
from tests.cli.terminal import terminals
from tests.e2e.server import Server
from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.registry_client import pack_model

pytestmark = pytest.mark.e2e

FOLDER = Path(__file__).parent / "transcripts"
MODELFILE = '''FROM ./golden.gguf
PARAMETER temperature 0
PARAMETER num_predict 20
PARAMETER stop "<end>"
PARAMETER stop "user:"
SYSTEM """Be kind.
And brief.
Never lie."""
MESSAGE user Hi
MESSAGE assistant Yes?
LICENSE """Free.

To use."""
'''
HEX = re.compile(r"\b[0-9a-f]{12,64}\b")
MASKS = {
    r"(?<=duration: )( *)[\d.]+[mµn]?s": r"\1TIME",
    r"(?<=rate: )( *)[\d.]+ ": r"\1RATE ",
    r'("modified_at": )"[^"]+"': r"\1TIME",
    r"[\d.]+ [KMG]B    100% [CG]PU": "SIZE      PROCESSOR",
    r"^PROMPT +USERS +FIRST TOKEN +PREFILL +DECODE +EACH +$": (
        "PROMPT USERS FIRST TOKEN PREFILL DECODE EACH"
    ),
    r"^\d+ .* ms .*": "...",
    r"engine .*": "engine ...",
    r"^ +\d+ cores.*": "            ...",
    "▕█+▏": "▕█▏",  # as wide as what is beside it leaves
    r"^(Server|Processor|Memory|Cards|Card \d|Backends|Models)( +).*": r"\1\2...",
}
"""What differs from run to run, and what stands for it."""


@dataclass(frozen=True)
class Place:
    """Where commands run, and the names that stand for its paths and addresses."""

    server: Server
    folder: Path
    registry: FaultyRegistry

    @property
    def env(self) -> dict[str, str]:
        return {**self.server.env, "PUNA_HOME": f"{self.folder}/home", "HOME": str(self.folder)}

    def words(self, line: str) -> tuple[list[str], bytes]:
        """The arguments of a line of a transcript, and its standard input."""
        typed, _, stdin = line.replace("REGISTRY", self.registry.address).partition(" <<< ")
        return shlex.split(typed)[2:], "".join(shlex.split(stdin)).encode()

    def masked(self, text: str) -> str:
        """The text without what differs from run to run; widths in tables stay."""
        names = {
            str(self.folder): "FOLDER",
            str(self.server.store): "STORE",
            self.registry.address: "REGISTRY",
            f"127.0.0.1:{self.server.port}": "SERVER",
            sys.executable: "PYTHON",
            __version__: "VERSION",
        }
        for value, name in names.items():
            text = text.replace(value, name)
        text = HEX.sub(lambda found: "d" * len(found[0]), text)
        for pattern, mask in MASKS.items():
            text = re.sub(pattern, mask, text, flags=re.MULTILINE)
        return text


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with faulty_registry() as started:
        started.add("library/short", pack_model(("model", b"weights" * 9), ("params", b"{}")))
        yield started


@pytest.fixture
def place(server: Server, registry: FaultyRegistry, bert: str, tmp_path: Path) -> Place:
    """A folder with a model to be made, an empty one, and the log of a server."""
    make_tiny_llama(tmp_path / "golden.gguf", seed=9)
    (tmp_path / "Modelfile").write_text(MODELFILE)
    (tmp_path / "empty").mkdir()
    log = tmp_path / "home" / "logs" / "server.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n")
    return Place(server, tmp_path, registry)


Run = Callable[[Place, str], str]


def through_pipes(place: Place, line: str) -> str:
    """Run a command; both outputs and the status."""
    words, stdin = place.words(line)
    done = puna(*words, env=place.env, cwd=place.folder, stdin=stdin)
    errors = "".join(f"! {each}" for each in done.stderr.splitlines(keepends=True))
    status = f"[{done.returncode}]\n" if done.returncode else ""
    end = "" if not done.stdout or done.stdout.endswith("\n") else "\\\n"
    return place.masked(done.stdout) + end + place.masked(errors) + status


def on_a_terminal(place: Place, line: str) -> str:
    """Run a command; what is on the screen at its end."""
    with screens(dimensions=(40, 100), cwd=place.folder) as start:
        screen = start(tuple(place.words(line)[0]), place.env)
        status = screen.end()
        return place.masked(screen.text) + "\n" + (f"[{status}]\n" if status else "")


SESSIONS: dict[str, Run] = {
    "models": through_pipes,
    "registry": through_pipes,
    "machine": through_pipes,
    "terminal": on_a_terminal,
}


@pytest.mark.parametrize(("session", "run"), SESSIONS.items(), ids=SESSIONS)
def test_what_commands_print(
    session: str, run: Run, place: Place, request: pytest.FixtureRequest
) -> None:
    path = FOLDER / f"{session}.txt"
    expected = path.read_text("utf-8")
    told = ""
    for line in expected.splitlines():
        if line.startswith("$ puna "):
            told += f"{line}\n{run(place, line)}"
            age(place.server, "golden", "short")
    told = re.sub(" +$", lambda found: "·" * len(found[0]), told, flags=re.MULTILINE)
    if request.config.getoption("rewrite"):
        path.write_text(told, "utf-8")
    assert told == expected


def age(server: Server, *names: str) -> None:
    """Make models of these names three days old."""
    moment = time.time() - 3 * 86_400
    for name in names:
        for manifest in server.store.glob(f"manifests/*/*/{name}/*"):
            os.utime(manifest, (moment, moment))


def test_tables_are_the_same_on_a_terminal_to_the_last_blank(server: Server, chatty: str) -> None:
    age(server, chatty)
    assert puna("run", chatty, "", "--keepalive=-1s", env=server.env).returncode == 0
    with terminals(dimensions=(24, 200)) as spawn:
        for words in (("list", chatty), ("ps", chatty), ("show", chatty)):
            child = spawn(words, server.env)
            assert child.read().replace("\r\n", "\n") == puna(*words, env=server.env).stdout
    assert puna("stop", chatty, env=server.env).returncode == 0
