"""Files of other programs: what is kept of them, and how changes are taken back."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.launch.documents import JSON, TOML, YAML, Form, read_document
from puna.launch.files import Change, Originals, read_file, write_changes
from puna.launch.undo import ABSENT, undone

VALUES = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
TABLES = st.dictionaries(st.sampled_from("abcd"), VALUES)
COMMENTED: dict[str, tuple[Form, str]] = {
    "TOML": (TOML, '# mine\nname = "x" # here\n\n[table]\nkey = 1 # there\n'),
    "YAML": (YAML, "# mine\nname: 'x'  # here\ntable:\n  key: 1  # there\n"),
}


def change(path: Path, after: bytes | None) -> Change:
    return Change(path, JSON, read_file(path), after)


@given(TABLES, TABLES)
def test_undoing_the_last_change_gives_what_was(before: object, after: object) -> None:
    assert undone(before, after, copy.deepcopy(after)) == before


@given(TABLES, TABLES, st.integers(4, 9))
def test_what_others_added_stays(
    before: dict[str, object], after: dict[str, object], value: int
) -> None:
    found = undone(before, after, {**copy.deepcopy(after), "new": value})
    assert found == {**before, "new": value}


def test_what_others_changed_stays() -> None:
    before = {"a": 1, "list": ["x", "y"]}
    after = {"a": 2, "b": {"c": 3}, "list": ["ours", "y"]}
    now = {"a": 5, "b": {"c": 3}, "list": ["ours", "y", "theirs"]}
    assert undone(before, after, now) == {"a": 5, "list": ["x", "y", "theirs"]}
    assert undone(ABSENT, {"b": 1}, {"b": 1}) is ABSENT


@pytest.mark.parametrize(("form", "text"), COMMENTED.values(), ids=COMMENTED)
def test_comments_stay(form: Form, text: str) -> None:
    document = read_document(Path("f"), form, text.encode())
    document.at("table")["new"] = "v"
    document.at("other", "inner")["x"] = [{"y": True}]
    written = document.bytes().decode()
    for kept in ("# mine", "# here", "# there", "'x'" if form is YAML else '"x"'):
        assert kept in written
    again = read_document(Path("f"), form, written.encode())
    assert again.at("other", "inner")["x"] == [{"y": True}]
    assert again.at("table") == {"key": 1, "new": "v"}


@pytest.mark.parametrize(
    ("form", "text"),
    [(JSON, "[" * 100_000), (JSON, '{"a": NaN}'), (YAML, "a: [b"), (YAML, "a: !x {"), (TOML, "=")],
)
def test_what_is_broken_is_told_of(form: Form, text: str) -> None:
    with pytest.raises(BadRequest, match=f"/f cannot be read as {form.name} .*: mend it"):
        read_document(Path("/f"), form, text.encode())


def test_files_are_replaced_backed_up_and_put_back(tmp_path: Path) -> None:
    real, link, backups = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "backups"
    original = b'{"mine":   1}'
    real.write_bytes(original)
    real.chmod(0o640)
    link.symlink_to(real)
    kept = tmp_path / "kept.json"
    for number in range(8):
        new = json.dumps({"mine": 1, "ours": number}).encode()
        write_changes([change(link, new)], backups, Originals.read(kept), 100.0 + number)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert kept.stat().st_mode & 0o777 == 0o600
    names = sorted(path.name for path in backups.iterdir())
    assert names == [f"link.json.{n}" for n in range(103, 108)]
    assert [one.after for one in Originals.read(kept).restored()] == [original]
    real.write_bytes(b'{"mine": 2, "ours": 7}')
    (put_back,) = Originals.read(kept).restored()
    assert json.loads(put_back.after or b"") == {"mine": 2}


def test_a_change_between_two_launches_stays(tmp_path: Path) -> None:
    path, kept = tmp_path / "f.json", tmp_path / "kept.json"
    write_changes([change(path, b'{"ours": 1}')], tmp_path, Originals.read(kept), 1.0)
    path.write_bytes(b'{"ours": 1, "mine": 2}')
    write_changes([change(path, b'{"ours": 3, "mine": 2}')], tmp_path, Originals.read(kept), 2.0)
    (put_back,) = Originals.read(kept).restored()
    assert json.loads(put_back.after or b"") == {"mine": 2}


def test_a_damaged_record_is_told_of(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    for text in ("[]", '{"/f": {"form": "INI"}}', '{"/f": {"form": "JSON", "before": "?"}}', "{"):
        kept.write_text(text)
        with pytest.raises(BadRequest, match="is damaged"):
            Originals.read(kept)
