"""What is kept of a conversation: results cut, old turns summarised, transcripts on the disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from puna.agent.compact import compacted, cut_result, is_due, summary_request
from puna.agent.transcript import (
    MOST_FILES,
    Transcript,
    find_transcript,
    prune_transcripts,
    read_transcript,
)
from puna.client.fields import Json
from puna.errors import ClientError

LONG = "x" * 50_000 + "y" * 50_000


@pytest.mark.parametrize(("window", "limit"), [(4096, 3200), (8192, 6000), (32768, 60_000)])
def test_results_are_cut_in_their_middle(window: int, limit: int) -> None:
    head, note, tail = cut_result(LONG, window).split("\n")
    assert (len(head), len(tail)) == (limit * 3 // 4, limit // 4)
    assert note == f"[about {(100_000 - limit) // 4} tokens omitted]"
    assert tail.endswith("y")
    assert cut_result("short", window) == "short"


def turns(count: int) -> list[Json]:
    said: list[Json] = []
    for number in range(count):
        said += [
            {"role": "user", "content": f"q{number}"},
            {"role": "assistant", "content": f"a{number}"},
        ]
    return said


def test_older_turns_become_a_summary() -> None:
    assert (is_due(799, 1000), is_due(800, 1000)) == (False, True)
    large = compacted(turns(5), "s" * 20_000, 32_768)
    assert [m["role"] for m in large[:2]] == ["assistant", "tool"]
    assert large[1]["tool_name"] == "summary"
    assert len(str(large[1]["content"])) == 16_384
    assert large[2:] == turns(5)[4:]
    small = compacted(turns(5), "s", 8192)
    assert [m["content"] for m in small] == ["q4", "", "s"]


def test_what_is_summarised_fits_the_window() -> None:
    said: list[Json] = [{"role": "user", "content": LONG} for _ in range(50)]
    request = summary_request(said, 8192)
    assert 1 < len(request) < 50
    assert len(json.dumps(request)) < 8192 * 4


def test_transcripts_are_private_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    transcript = Transcript.begin(folder, "m", Path("/w"))
    for message in turns(2):
        transcript.add(message)
    assert transcript.path is not None
    assert transcript.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    transcript.replace(turns(1))
    again = Transcript.resume(find_transcript(folder, "last", Path("/w")))
    again.add({"role": "assistant", "tool_calls": [{}]})
    with transcript.path.open("ab") as file:
        file.write(b'{"type": "mess')  # a kill in the middle of a line
    saved = read_transcript(find_transcript(folder, transcript.id, Path("/other")))
    assert (saved.model, saved.folder, saved.messages) == ("m", "/w", turns(1))
    with pytest.raises(ClientError, match="no conversation was held in /other"):
        find_transcript(folder, "last", Path("/other"))
    with pytest.raises(ClientError, match="there is no conversation"):
        find_transcript(folder, "../../etc/passwd", Path("/w"))


def test_the_latest_is_the_latest_whatever_the_local_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks that are set back in autumn, and whoever travels west, live an hour twice."""
    try:
        for zone in ("AHEAD-14", "BEHIND+12"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            latest = Transcript.begin(tmp_path, "m", Path("/w"))
            time.sleep(0.002)  # names have milliseconds
    finally:
        monkeypatch.undo()
        time.tzset()
    assert find_transcript(tmp_path, "last", Path("/w")) == latest.path


def test_transcripts_stop_at_their_size(tmp_path: Path) -> None:
    transcript = Transcript.begin(tmp_path, "m", Path("/w"))
    path = transcript.path
    assert path is not None
    for _ in range(3):
        transcript.add({"role": "user", "content": "x" * 6 * 1024 * 1024})
    assert path.stat().st_size < 16 * 1024 * 1024
    assert len(read_transcript(path).messages) == 2


def test_old_and_too_many_transcripts_go(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 3):
        (tmp_path / f"20260101-0000{number:02}-000abcd.jsonl").write_text("")
    (tmp_path / "mine.txt").write_text("")
    prune_transcripts(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0].startswith("20260101-000003")
    assert len(names) == MOST_FILES + 1
    newest = (tmp_path / names[0]).stat().st_mtime
    prune_transcripts(tmp_path, lambda: newest + 31 * 86400)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
