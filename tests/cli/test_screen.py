"""What a person sees while a command is at work: pictures of a terminal, with the work held."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.screen import Screen, screens
from tests.cli.support import environment
from tests.fakes.http_server import Json, Reply, ScriptedServer

DIGEST = f"sha256:{'6a0746a1ec1a':0<64}"
GREY, PLAIN = "8a8a8a", "default"
Frozen = dict[str, Reply | list[Reply]]


def part(status: str) -> Json:
    return {"status": status, "digest": DIGEST, "total": 4_700_000_000, "completed": 2_350_000_000}


PICTURES: dict[str, tuple[list[str], Frozen, list[str]]] = {
    "pull": (
        ["pull", "m"],
        {
            "POST /api/pull": Reply(
                lines=[{"status": "pulling manifest"}, part("pulling 6a0746a1ec1a")], hold=True
            )
        },
        [
            "pulling manifest",
            "pulling 6a0746a1ec1a:  50% ▕█████████         ▏ 2.4 GB/4.7 GB",
        ],
    ),
    "push": (
        ["push", "host/me/m"],
        {
            "POST /api/push": Reply(
                lines=[{"status": "retrieving manifest"}, part("pushing 6a0746a1ec1a")], hold=True
            )
        },
        [
            "retrieving manifest",
            "pushing 6a0746a1ec1a  50% ▕█████████          ▏ 2.4 GB/4.7 GB",
        ],
    ),
    "create": (
        ["create", "m", "--quantize", "q8_0"],
        {
            "POST /api/create": Reply(
                lines=[{"status": "parsing GGUF"}, part("quantizing")], hold=True
            )
        },
        [
            "gathering model components",
            "parsing GGUF",
            "quantizing  50% ▕██████████████               ▏ 2.4 GB/4.7 GB",
        ],
    ),
}


@pytest.mark.parametrize(("args", "replies", "picture"), PICTURES.values(), ids=PICTURES)
def test_progress(args: list[str], replies: Frozen, picture: list[str], tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\n")
    with (
        ScriptedServer(replies) as server,
        screens(*args, dimensions=(24, 80), cwd=tmp_path) as start,
    ):
        screen = start((), environment(tmp_path, OLLAMA_HOST=server.url))
        screen.until(lambda lines: without_signs(lines) == picture)


def without_signs(lines: list[str]) -> list[str]:
    """The lines without the turning signs at their ends."""
    return [line.rstrip("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ") for line in lines]


STORY = "Once upon a time there was a little girl"
PIECES: list[Json] = [{"response": letter} for letter in STORY]
PIECES.append({"done": True})
WRAPS: dict[str, tuple[list[str], list[str]]] = {
    "words are moved": ([], ["Once upon a time there", "was a little girl"]),
    "they are not": (["--nowordwrap"], ["Once upon a time there was a", "little girl"]),
}


@pytest.mark.parametrize(("flags", "lines"), WRAPS.values(), ids=WRAPS)
def test_words_are_wrapped_unless_that_is_not_wanted(
    flags: list[str], lines: list[str], tmp_path: Path
) -> None:
    """On 29 columns, of which the wrapping leaves five."""
    replies: Frozen = {
        "POST /api/show": Reply({"capabilities": ["completion"]}),
        "POST /api/generate": Reply(lines=PIECES),
    }
    with ScriptedServer(replies) as server, screens(*flags, dimensions=(24, 29)) as start:
        screen = start(("run", "m", "Hi"), environment(tmp_path, OLLAMA_HOST=server.url))
        assert screen.end() == 0
        assert screen.lines == lines


def test_bars_are_as_wide_as_the_terminal_when_the_output_is_a_file(tmp_path: Path) -> None:
    with ScriptedServer({"POST /api/pull": Reply(lines=[part("pulling x")], hold=True)}) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        child = pexpect.spawn(
            "/bin/sh",
            ["-c", f"exec {sys.executable} -m puna pull m >out"],
            env=env,
            cwd=str(tmp_path),
            encoding="utf-8",
            dimensions=(24, 60),
        )
        screen = Screen(child, 24, 60)
        screen.until("pulling x:  50% ▕████     ▏ 2.4 GB/4.7 GB")
        child.close(force=True)


def test_thoughts_are_grey_and_answers_are_not(tmp_path: Path) -> None:
    replies: Frozen = {
        "POST /api/show": Reply({"capabilities": ["completion", "thinking"]}),
        "POST /api/generate": Reply(lines=[{"thinking": "hm"}, {"response": "Yes."}], hold=True),
    }
    with (
        ScriptedServer(replies) as server,
        screens("run", "m", "Hi", dimensions=(24, 80)) as start,
    ):
        screen = start((), environment(tmp_path, OLLAMA_HOST=server.url))
        screen.until("Yes.")
        assert screen.lines == ["Thinking...", "hm", "...done thinking.", "", "Yes."]
        assert screen.colours("Thinking...") == {(GREY, True)}
        assert screen.colours("hm") == {(GREY, False)}
        assert screen.colours("...done thinking.") == {(GREY, True)}
        assert screen.colours("Yes.") == {(PLAIN, False)}
        screen.child.sendintr()
        assert screen.end() == 0
