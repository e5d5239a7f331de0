"""`puna import` and `puna create` of local files, with a server on the same machine."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.e2e.conftest import Start
from tests.e2e.server import Server, digest_of
from tests.fakes.http_server import Reply, ScriptedServer
from tests.fakes.splits import make_split_llama

pytestmark = pytest.mark.e2e

SHORT = {"num_predict": 16}


def blob(server: Server, path: Path) -> Path:
    return server.store / "blobs" / digest_of(path.read_bytes()).replace(":", "-")


def shares_room(one: Path, other: Path) -> bool:
    """A hard link, or on file systems that can, a clone."""
    return one.samefile(other) or one.stat().st_nlink == 1


@pytest.fixture
def folder(tmp_path: Path, tiny_gguf: Path, other_gguf: Path) -> Path:
    """LM Studio's folder with two models."""
    root = tmp_path / "lmstudio"
    for path, name in ((tiny_gguf, "Tiny-GGUF/Tiny-F32.gguf"), (other_gguf, "Two/Two.gguf")):
        (root / "maker" / name).parent.mkdir(parents=True)
        shutil.copy(path, root / "maker" / name)
    return root


def test_a_folder_becomes_models_without_a_second_copy(start: Start, folder: Path) -> None:
    server = start()
    tiny, two = folder / "maker/Tiny-GGUF/Tiny-F32.gguf", folder / "maker/Two/Two.gguf"
    times = [path.stat().st_mtime_ns for path in (tiny, two)]
    dry = puna("import", "--dry-run", str(folder), env=server.env)
    size = dry.stdout.split("\n")[0].partition(".gguf ")[2]
    assert dry.stdout.splitlines() == [
        f"would import tiny:f32 from {tiny} {size}",
        f"would import two:latest from {two} {size}",
    ]
    assert server.files() == set()
    done = puna("import", str(folder), env=server.env)
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(",")[0] for line in done.stdout.splitlines()] == [
        f"imported tiny:f32 from {tiny} {size}",
        f"imported two:latest from {two} {size}",
    ]
    assert {line.rpartition(", ")[2] for line in done.stdout.splitlines()} <= {"linked", "cloned"}
    for path in (tiny, two):
        assert shares_room(blob(server, path), path)
    assert [path.stat().st_mtime_ns for path in (tiny, two)] == times
    assert server.generate("tiny:f32", "the dog", options=SHORT)

    dry = puna("import", "--dry-run", "--json", str(two), env=server.env)
    assert json.loads(dry.stdout) == {
        "status": "found",
        "file": str(two),
        "model": "two:latest",
        "size": two.stat().st_size,
        "way": "",
        "reason": "",
    }
    again = puna("import", str(folder), env=server.env)
    assert again.stdout.splitlines()[1] == "two:latest is installed already, from the same file"
    assert again.returncode == 0
    shutil.copy(tiny, two.with_name("new.gguf"))
    os.replace(two.with_name("new.gguf"), two)
    taken = puna("import", str(two), env=server.env)
    assert (taken.returncode, taken.stdout) == (1, "")
    assert "two:latest is installed already, from another file" in taken.stderr
    as_json = puna("import", "--json", str(two), env=server.env)
    assert (as_json.returncode, json.loads(as_json.stdout)["status"]) == (1, "skipped")
    named = puna("import", "--json", str(two), "me/three", env=server.env)
    *steps, told = map(json.loads, named.stdout.splitlines())
    assert steps[-1]["status"] == "success"
    assert (told["status"], told["model"]) == ("imported", "me/three:latest")
    assert named.stderr == ""
    assert server.generate("me/three", "the dog", options=SHORT) == server.generate(
        "tiny:f32", "the dog", options=SHORT
    )


def test_a_file_of_another_file_system_is_copied_and_told(start: Start, tiny_gguf: Path) -> None:
    server = start()
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == server.store.parent.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    path = shm / f"puna-test-{os.getpid()}.gguf"
    try:
        shutil.copy(tiny_gguf, path)
        done = puna("import", str(path), "far", env=server.env)
    finally:
        path.unlink()
    assert done.stdout.splitlines()[0].endswith(", copied"), done.stderr
    assert done.stdout.splitlines()[1].startswith("it takes room twice: ")
    assert blob(server, tiny_gguf).stat().st_nlink == 1


def test_create_links_local_files_too(start: Start, folder: Path) -> None:
    server = start()
    tiny = folder / "maker/Tiny-GGUF/Tiny-F32.gguf"
    (folder / "Modelfile").write_text(f"FROM {tiny}\nSYSTEM Be kind.\n")
    done = puna("create", "kind", env=server.env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "copying file" not in done.stderr
    assert shares_room(blob(server, tiny), tiny)


def test_a_server_with_another_store_is_sent_the_file(tmp_path: Path, tiny_gguf: Path) -> None:
    """As in a container: the folder is there, but it is not the same one."""
    digest = digest_of(tiny_gguf.read_bytes())
    store = {"models": str(tmp_path), "device": 1, "inode": 1}
    replies: dict[str, Reply | list[Reply]] = {
        "GET /api/puna/store": Reply(store),
        "GET /api/tags": Reply({"models": []}),
        f"POST /api/blobs/{digest}": Reply(status=201),
        "POST /api/create": Reply(lines=[{"status": "success"}]),
    }
    with ScriptedServer(replies) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        done = puna("import", str(tiny_gguf), env=env)
    assert done.stdout.splitlines()[0].endswith(", copied"), done.stderr
    assert "the file was sent" in done.stdout
    assert server.script.seen[-1].json["files"] == {"tiny.gguf": digest}


def test_nothing_to_import(start: Start, tmp_path: Path) -> None:
    server = start()
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    cases = {
        "nowhere": "no such file or folder",
        "empty": "no model to import in",
        "bad.gguf": "skipped",
    }
    for name, text in cases.items():
        done = puna("import", str(tmp_path / name), env=server.env)
        assert (done.returncode, done.stdout, text in done.stderr) == (1, "", True)
    assert "accepts between 1 and 2 arg(s)" in puna("import", env=server.env).stderr


def test_parts_are_imported_by_link_and_say_what_the_whole_says(
    start: Start, tmp_path: Path, tiny_gguf: Path
) -> None:
    server = start()
    folder = tmp_path / "maker" / "Big"
    folder.mkdir(parents=True)
    parts = make_split_llama(folder, "Big-F32")
    done = puna("import", str(parts[0]), env=server.env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"imported big:f32 from {parts[0]}")
    for path in parts:
        assert shares_room(blob(server, path), path)
    whole = server.create("whole", tiny_gguf)
    assert server.generate("big:f32", "the dog", options=SHORT) == server.generate(
        whole, "the dog", options=SHORT
    )
    shown = puna("show", "--modelfile", "big:f32", env=server.env)
    modelfile = tmp_path / "Modelfile"
    modelfile.write_text(shown.stdout)
    again = puna("create", "again", "-f", str(modelfile), env=server.env)
    assert again.returncode == 0, again.stderr
    before, after = (server.post("/api/show", model=name).json for name in ("big:f32", "again"))
    assert after["tensors"] == before["tensors"]
    assert after["modelfile"].count("FROM /") == 3


def test_creating_from_one_part_merges_all(start: Start, tmp_path: Path, tiny_gguf: Path) -> None:
    server = start()
    parts = make_split_llama(tmp_path, "Big")
    modelfile = tmp_path / "Modelfile"
    modelfile.write_text(f"FROM ./{parts[0].name}\n")
    made = puna("create", "big", "-f", str(modelfile), env=server.env)
    assert made.returncode == 0, made.stderr
    digest = digest_of(tiny_gguf.read_bytes()).replace(":", "-")
    assert digest in server.post("/api/show", model="big").json["modelfile"]
    parts[1].unlink()
    refused = puna("create", "other", "-f", str(modelfile), env=server.env)
    assert refused.returncode == 1
    assert f"{parts[1]}: no such file: {parts[0].name} needs all 3 parts" in refused.stderr
