"""What a person sees while a command is at work: pictures of a terminal, with the work held."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.screen import screens
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
