"""Images by their path in a prompt: CLI spec, section 2.8."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from puna.client.replies import ShowReply
from puna.errors import ClientError
from puna.repl.files import mark_of, read_files, starts_with_file, takes_files
from tests.fakes.ears import make_sound
from tests.fakes.projectors import make_image

SOUNDS = ("wav", "mp3", "flac", "ogg")
ONE, OTHER = make_image(seed=1), make_image(seed=2, format="JPEG")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is run, and a home."""
    (tmp_path / "in here").mkdir()
    (tmp_path / "one.png").write_bytes(ONE)
    (tmp_path / "OTHER.JPeG").write_bytes(OTHER)
    (tmp_path / "in here" / "a (b) c.png").write_bytes(ONE)
    (tmp_path / "it's.webp").write_bytes(make_image(format="WEBP"))
    (tmp_path / "note.png").write_text("no image")
    for kind in SOUNDS:
        (tmp_path / f"said.{kind}").write_bytes(make_sound(0.2, format=kind.upper()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


PROMPTS: dict[str, tuple[str, str, list[str]]] = {
    "no file": ("what is this?", "what is this?", []),
    "in the middle": ("see {0}/one.png here", "see  here", ["{0}/one.png"]),
    "from here": ("./one.png what?", "what?", ["one.png"]),
    "from one above": ("../{1}/one.png what?", "what?", ["../{1}/one.png"]),
    "at home": ("what? ~/one.png", "what?", ["{0}/one.png"]),
    "a name alone is none": ("what is one.png?", "what is one.png?", []),
    "one that is not there": ("see {0}/two.png!", "see {0}/two.png!", []),
    "two, of two kinds": (
        "{0}/one.png and {0}/OTHER.JPeG differ",
        "and  differ",
        ["{0}/one.png", "{0}/OTHER.JPeG"],
    ),
    "blanks as they are": ("{0}/in here/a (b) c.png?", "?", ["{0}/in here/a (b) c.png"]),
    "blanks escaped": (r"{0}/in\ here/a\ \(b\)\ c.png ok", "ok", ["{0}/in here/a (b) c.png"]),
    "a quote escaped": (r"{0}/it\'s.webp ok", "ok", ["{0}/it's.webp"]),
    "in quotes": ("see '{0}/in here/a (b) c.png' ok", "see  ok", ["{0}/in here/a (b) c.png"]),
    "in double quotes": ('see "{0}/one.png"', "see", ["{0}/one.png"]),
    "as browsers write it": (
        "file://{0}/in%20here/a%20(b)%20c.png ok",
        "ok",
        ["{0}/in here/a (b) c.png"],
    ),
    "other slashes before": ("and/or, {0}/one.png", "and/or,", ["{0}/one.png"]),
    "an ending inside a word": ("{0}/one.pngs", "{0}/one.pngs", []),
    "the image alone": ("{0}/one.png", "", ["{0}/one.png"]),
    "over two lines": ("look\n{0}/one.png\nwhat?", "look\n\nwhat?", ["{0}/one.png"]),
}


@pytest.mark.parametrize(("written", "text", "paths"), PROMPTS.values(), ids=PROMPTS)
def test_prompts(
    folder: Path, capsys: pytest.CaptureFixture[str], written: str, text: str, paths: list[str]
) -> None:
    def fill(part: str) -> str:
        return part.replace("{0}", str(folder)).replace("{1}", folder.name)

    prompt = read_files(fill(written))
    assert prompt.text == fill(text)
    files = [Path(fill(path)) for path in paths]
    assert [base64.b64decode(each) for each in prompt.images] == [f.read_bytes() for f in files]
    assert capsys.readouterr().err == "".join(f"Added image '{path}'\n" for path in files)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a text": (
        lambda path: path.write_text("hello"),
        'Couldn\'t process file: "invalid file type: text/plain; charset=utf-8"',
    ),
    "bytes": (
        lambda path: path.write_bytes(b"\0\1\2"),
        'Couldn\'t process file: "invalid file type: application/octet-stream"',
    ),
    "a GIF by another name": (
        lambda path: path.write_bytes(make_image(format="GIF")),
        "invalid file type",
    ),
    "too large": (
        lambda path: path.write_bytes(bytes(100 * 1024**2 + 1)),
        "file size exceeds maximum limit (100MB)",
    ),
}


@pytest.mark.parametrize(("make", "complaint"), REFUSED.values(), ids=REFUSED)
def test_files_that_are_no_images(
    tmp_path: Path, make: Callable[[Path], object], complaint: str
) -> None:
    path = tmp_path / "x.png"
    make(path)
    with pytest.raises(ClientError) as refused:
        read_files(f"see {path}")
    assert complaint in str(refused.value)


@pytest.mark.parametrize("kind", SOUNDS)
def test_recordings(folder: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = folder / f"said.{kind}"
    prompt = read_files(f"what is said? {path} {folder}/one.png")
    assert prompt.text == "what is said?"
    assert [base64.b64decode(each) for each in prompt.images] == [path.read_bytes(), ONE]
    assert capsys.readouterr().err == f"Added audio '{path}'\nAdded image '{folder}/one.png'\n"


MARKS: dict[str, str | None] = {
    "{0}/said.wav": "Audio",
    "'{0}/said.MP3'": None,  # no such file
    "'{0}/said.mp3'": "Audio",
    "{0}/one.png": "Image",
    "{0}/said.wav what?": None,
    "{0}/two.wav": None,
}


@pytest.mark.parametrize("written", MARKS)
def test_what_a_paste_is_the_path_of(folder: Path, written: str) -> None:
    assert mark_of(written.replace("{0}", str(folder))) == MARKS[written]


def test_a_line_that_begins_with_an_image_is_no_command(folder: Path) -> None:
    assert starts_with_file(f"{folder}/one.png what?")
    assert not starts_with_file(f"/show {folder}/one.png")
    assert not starts_with_file("/bye")
    assert not starts_with_file(f"{folder}/two.png")


def test_a_long_text_with_many_endings_is_read() -> None:
    text = '<img src="/a/b/c.png">' * 20_000
    assert read_files(text).text == text


SIGHT: dict[str, tuple[ShowReply, bool]] = {
    "a capability": (ShowReply(capabilities=("completion", "vision")), True),
    "hearing alone": (ShowReply(capabilities=("completion", "audio")), True),
    "a projector": (ShowReply(projector_info={"general.architecture": "clip"}), True),
    "in its weights": (ShowReply(model_info={"gemma3.vision.block_count": 27}), True),
    "none": (ShowReply(capabilities=("completion",), model_info={"a.b": 1}), False),
}


@pytest.mark.parametrize(("info", "sees"), SIGHT.values(), ids=SIGHT)
def test_who_sees(info: ShowReply, sees: bool) -> None:
    assert takes_files(info) is sees
