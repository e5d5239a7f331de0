"""A user's machine for `puna launch`: a home, programs that note how they are called, and a server
that knows two models.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.support import environment
from tests.fakes.http_server import Json, Reply, ScriptedServer

MODELS: list[Json] = [
    {
        "name": "seer:latest",
        "capabilities": ["completion", "tools", "vision", "thinking"],
        "details": {"family": "qwen3vl", "context_length": 65536, "format": "gguf"},
    },
    {
        "name": "small:1b",
        "capabilities": ["completion", "tools"],
        "details": {"family": "llama", "context_length": 8192, "format": "gguf"},
    },
]
REPLIES: dict[str, Reply | list[Reply]] = {
    "GET /api/tags": Reply({"models": MODELS}),
    "POST /api/show": Reply({"capabilities": ["tools"]}),
    "POST /api/generate": Reply(lines=[{"done": True}]),
    "GET /api/ps": Reply({"models": [{"name": "seer:latest", "context_length": 4096}]}),
    "GET /api/status": Reply({"cloud": {"disabled": True}}),
    "GET /api/experimental/model-recommendations": Reply(
        {
            "recommendations": [
                {"model": "seer", "description": "Sees"},
                {"model": "large", "description": "Knows", "vram_bytes": 12_500_000_000},
            ]
        }
    ),
}
# It answers a question for its version, as some integrations ask one, and fails where told to.
PROGRAM = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    row = {{"program": {name!r}, "argv": sys.argv[1:], "env": dict(os.environ)}}
    file.write(json.dumps(row) + "\\n")
answers = json.loads({answers!r})
words = " ".join(sys.argv[1:])
if words in answers:
    print(answers[words])
if words == "gateway run --force":
    import socket, time
    with socket.create_server(("127.0.0.1", int(os.environ["FAKE_PORT"]))):
        time.sleep(60)
sys.exit(int(os.environ.get("FAKE_STATUS", "0")))
"""


@dataclass
class Call:
    """One call of a program."""

    program: str
    argv: list[str]
    env: dict[str, str]


@dataclass
class Machine:
    """A home below `root`; `env` is the environment of its user."""

    root: Path
    server: ScriptedServer
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def env(self) -> dict[str, str]:
        given = environment(self.home, OLLAMA_HOST=self.server.url, **self.extra)
        return {**given, "PATH": f"{self.root / 'bin'}:/usr/bin:/bin"}

    def install(self, name: str, answers: dict[str, str] | None = None) -> None:
        """Put a program on the PATH; `answers` is what it prints, by its arguments."""
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        log = str(self.root / "calls")
        said = json.dumps(answers or {})
        path.write_text(PROGRAM.format(python=sys.executable, log=log, name=name, answers=said))
        path.chmod(0o755)

    def calls(self) -> list[Call]:
        """How the programs were called, so far."""
        log = self.root / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        return [Call(**json.loads(line)) for line in lines]

    def write(self, files: dict[str, str]) -> None:
        """Make files, by their paths below the home."""
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def files(self) -> dict[str, str]:
        """What is in the home, but for what Puna has for itself alone."""
        found = [path for path in sorted(self.home.rglob("*")) if path.is_file()]
        names = {str(path.relative_to(self.home)): path for path in found}
        shown = ("puna/launch/dsh/", "puna/launch/muse-config/")
        return {
            name: path.read_text()
            for name, path in names.items()
            if name.startswith(shown) or not name.startswith("puna/")
        }

    def own_files(self, folder: str) -> list[str]:
        """The names of files in a folder of Puna's."""
        return sorted(path.name for path in (self.home / "puna" / folder).rglob("*.*"))


class Silent:
    """A user who is not there; `said` is what was told."""

    is_terminal = False
    answers_yes = True

    def __init__(self) -> None:
        self.said: list[str] = []

    def ask(self, question: str, *, yes: str = "", no: str = "", default: bool = True) -> bool:
        return True

    def say(self, text: str) -> None:
        self.said.append(text)
