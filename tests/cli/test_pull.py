"""`puna pull`: what is asked of the server and what people see."""

from __future__ import annotations

import io

import pytest

from puna.cli.follow import follow_transfer
from puna.client.replies import Progress as Step
from puna.term.progress import Progress
from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer
from tests.term.screen import seen

DIGEST = f"sha256:{'6a0746a1ec1a':0<64}"
STATUS = "pulling 6a0746a1ec1a"
LINES: list[dict[str, object]] = [
    {"status": "pulling manifest"},
    {"status": STATUS, "digest": DIGEST, "total": 4_700_000_000},
    {"status": STATUS, "digest": DIGEST, "total": 4_700_000_000, "completed": 10},
    {"status": STATUS, "digest": DIGEST, "total": 4_700_000_000, "completed": 4_700_000_000},
    {"status": "verifying sha256 digest"},
    {"status": "success"},
]


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def steps(count: int) -> list[Step]:
    """The first steps, as the client reads them."""
    return [Step(**line) for line in LINES[:count]]  # type: ignore[arg-type]


def test_plain_lines(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ScriptedServer({"POST /api/pull": Reply(lines=LINES)}) as server:
        env = environment(tmp_path_factory.mktemp("home"), OLLAMA_HOST=f"127.0.0.1:{server.port}")
        done = puna("pull", "m", env=env)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.splitlines() == [
            "pulling manifest",
            f"{STATUS}: 4.7 GB",
            "verifying sha256 digest",
            "success",
        ]
        assert server.requests("/api/pull") == [{"model": "m", "name": "m", "insecure": False}]


def test_an_error_ends_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = "pull model manifest: file does not exist"
    with ScriptedServer({"POST /api/pull": Reply(lines=[LINES[0], {"error": nowhere}])}) as server:
        env = environment(tmp_path_factory.mktemp("home"), OLLAMA_HOST=f"127.0.0.1:{server.port}")
        done = puna("pull", "m", env=env)
        assert (done.returncode, done.stderr) == (1, f"pulling manifest\nError: {nowhere}\n")


@pytest.mark.parametrize(("count", "has_bar"), [(2, False), (3, True)])
def test_a_bar_appears_with_its_first_bytes(count: int, has_bar: bool) -> None:
    out = Terminal()
    with Progress(out) as progress:
        follow_transfer(steps(count), progress)
    assert (f"{STATUS}:   0%" in "\n".join(seen(out.getvalue(), 80))) is has_bar


def test_the_last_picture() -> None:
    out = Terminal()
    with Progress(out) as progress:
        follow_transfer(steps(len(LINES)), progress)
    picture = "\n".join(seen(out.getvalue(), 80))
    assert picture.count(STATUS) == 1
    assert f"{STATUS}: 100%" in picture
    assert "4.7 GB" in picture
