"""What single integrations do besides writing files."""

from __future__ import annotations

import dataclasses
import json
import socket
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from puna.client.facts import ModelFacts
from puna.config import Host
from puna.launch.documents import TOML, read_document
from puna.launch.integration import Integration, Order
from puna.launch.integrations import chatgpt, claude_desktop, codex, hermes, opencode, vscode
from puna.launch.place import Place
from puna.launch.registry import all_integrations
from puna.launch.setup import restore, set_up
from tests.cli.support import puna
from tests.launch.support import Machine, Silent

SEER = ModelFacts("seer", capabilities=("vision", "thinking"), context_length=65536)
SMALL = ModelFacts("small:1b")


def place(root: Path, system: str = "linux", **environ: str) -> Place:
    return Place(root / "home", root / "own", system, environ, Host(name="0.0.0.0"))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_chatgpt_on_macos(tmp_path: Path) -> None:
    mac = place(tmp_path, "darwin")
    config = mac.home / ".codex" / "config.toml"
    original = '# mine\nmodel = "gpt-5" # best\nprofile = "work"\n\n[tools]\nweb = true\n'
    write(config, original)
    write(
        mac.home / ".codex/models_cache.json",
        json.dumps({"models": [{"base_instructions": ""}, {"base_instructions": "Be good."}]}),
    )
    set_up(chatgpt.INTEGRATION, Order(mac, (SEER,), (SEER, SMALL)))
    written = config.read_text()
    values = read_document(config, TOML, config.read_bytes()).table
    assert values["model"] == "seer"
    assert values["model_provider"] == "ollama-launch-codex-app"
    assert "profile" not in values
    assert "# mine" in written
    assert "[tools]\nweb = true" in written
    assert 'base_url = "http://127.0.0.1:11434/v1/"' in written
    catalog = json.loads(Path(str(values["model_catalog_json"])).read_text())["models"]
    assert [(row["slug"], row["priority"]) for row in catalog] == [("seer", 0), ("small:1b", 1)]
    assert {row["base_instructions"] for row in catalog} == {"Be good."}
    config.write_text(written + "\n[new]\nmine = 1\n")
    user = Silent()
    restore(chatgpt.INTEGRATION, mac, user)
    assert user.said == ["ChatGPT restored to your usual profile."]
    values = read_document(config, TOML, config.read_bytes()).table
    assert values == {
        "model": "gpt-5",
        "profile": "work",
        "tools": {"web": True},
        "new": {"mine": 1},
    }
    assert not Path(mac.home / ".codex" / "ollama-launch-models.json").exists()


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("chatgpt", "--model", "seer"), "ChatGPT launch is only supported on macOS and Windows"),
        (
            ("claude-app",),
            "Claude Desktop can only be restored from the command line: "
            "puna launch claude-desktop --restore",
        ),
        (
            ("claude-desktop", "--restore"),
            "Claude Desktop restore is only supported on macOS and Windows",
        ),
    ],
)
def test_what_is_not_for_linux(args: tuple[str, ...], error: str, machine: Machine) -> None:
    assert puna("launch", *args, env=machine.env).stderr == f"Error: {error}\n"


def test_claude_desktop_is_put_back(tmp_path: Path) -> None:
    mac = place(tmp_path, "darwin")
    base = mac.home / "Library" / "Application Support" / "Claude-3p"
    ours = claude_desktop.PROFILE
    files = {
        "claude_desktop_config.json": {"deploymentMode": "3p", "mine": 1},
        "configLibrary/_meta.json": {"appliedId": ours, "entries": [{"id": ours}, {"id": "x"}]},
        f"configLibrary/{ours}.json": {"inferenceProvider": "gateway", "mine": 2},
    }
    for name, content in files.items():
        write(base / name, json.dumps(content))
    restore(claude_desktop.INTEGRATION, mac, Silent())
    found = [json.loads((base / name).read_text()) for name in files]
    assert found == [
        {"deploymentMode": "1p", "mine": 1},
        {"entries": [{"id": "x"}]},
        {"mine": 2, "disableDeploymentModeChooser": False},
    ]


@pytest.mark.parametrize(
    ("version", "extra", "error"),
    [
        (
            "codex-cli 0.99.9",
            (),
            "codex version 0.99.9 is too old, minimum required is 0.134.0, "
            "update with: npm update -g @openai/codex",
        ),
        ("what", (), "the version of codex is unknown: `codex --version` does not tell it"),
        (
            "codex-cli 0.134.0",
            ("-c", "model = x"),
            'conflicting extra config "model = x": '
            "puna launch codex manages provider and model catalog config",
        ),
        (
            "codex-cli 0.134.0",
            ("-pwork",),
            'conflicting extra argument "-pwork": puna launch codex manages --profile',
        ),
    ],
)
def test_codex_refuses(version: str, extra: Sequence[str], error: str, machine: Machine) -> None:
    machine.install("codex", {"--version": version})
    done = puna("launch", "codex", "--model", "seer", "--", *extra, env=machine.env)
    assert done.stderr == f"Error: {error}\n"
    assert machine.files() == {}


def test_codex_is_freed_of_files_that_somebody_else_wrote(tmp_path: Path) -> None:
    here = place(tmp_path)
    write(here.home / ".codex" / "model.json", "{}")
    write(here.home / ".codex" / "ollama-launch.config.toml", "")
    user = Silent()
    restore(codex.INTEGRATION, here, user)
    assert user.said == ["Codex launch configuration removed."]
    assert list((here.home / ".codex").iterdir()) == []


def test_the_context_of_the_setting_wins_for_codex(tmp_path: Path) -> None:
    here = dataclasses.replace(place(tmp_path), context_length=16384)
    assert codex.catalog_entry(SEER, here)["context_window"] == 16384
    remote = dataclasses.replace(SEER, remote=True)
    assert codex.catalog_entry(remote, here)["context_window"] == 65536


def test_the_gateway_of_openclaw_lives_as_long_as_its_interface(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {
        "wizard": {"lastRunAt": "2026-01-01"},
        "gateway": {"port": port, "auth": {"token": "a/b"}},
        "channels": {"telegram": {"token": "x"}},
    }
    machine.write({".openclaw/openclaw.json": json.dumps(config)})
    machine.install("openclaw")
    machine.extra |= {"FAKE_PORT": str(port), "XDG_RUNTIME_DIR": ""}
    done = puna("launch", "openclaw", "--yes", "--model", "seer", env=machine.env)
    assert done.returncode == 0, done.stderr
    assert f"http://127.0.0.1:{port}/#token=a%2Fb\n" in done.stderr
    assert [call.argv for call in machine.calls()] == [["gateway", "run", "--force"], ["tui"]]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_vscode_shows_the_chosen_models(tmp_path: Path) -> None:
    path = tmp_path / "state.vscdb"
    vscode.show_in_picker(path, ["seer"])
    assert not path.exists()
    cached = [{"identifier": "ollama/4", "metadata": {"vendor": "ollama", "name": "seer:latest"}}]
    shown = {"ollama/Ollama/old": True, "copilot/gpt": True}
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)")
        rows = [(vscode.CACHED, json.dumps(cached)), (vscode.PREFERENCES, json.dumps(shown))]
        store.executemany("INSERT INTO ItemTable VALUES (?, ?)", rows)
    vscode.show_in_picker(path, ["seer"])
    with closing(sqlite3.connect(path)) as store:
        (text,) = store.execute(
            "SELECT value FROM ItemTable WHERE key = ?", (vscode.PREFERENCES,)
        ).fetchone()
    assert json.loads(text) == {
        "ollama/Ollama/old": False,
        "copilot/gpt": True,
        "ollama/4": True,
        "ollama/Ollama/seer": True,
        "ollama/Ollama/seer:latest": True,
    }


def test_a_messenger_of_hermes_is_found(tmp_path: Path) -> None:
    here = place(tmp_path)
    assert not hermes.has_messenger(here)
    write(here.home / ".hermes" / ".env", 'SLACK_BOT_TOKEN=""\n#DISCORD_BOT_TOKEN=x\n')
    assert not hermes.has_messenger(here)
    write(here.home / ".hermes" / ".env", "export SLACK_BOT_TOKEN='x'\n")
    assert hermes.has_messenger(here)
    assert hermes.has_messenger(place(tmp_path / "other", DISCORD_BOT_TOKEN="x"))


@pytest.mark.parametrize("name", ["gpt-oss:20b", "GPT_OSS"])
def test_only_gpt_oss_thinks_by_levels_in_opencode(name: str) -> None:
    levels = opencode.describe(ModelFacts(name, capabilities=("thinking",)))["variants"]
    assert isinstance(levels, dict)
    assert list(levels) == ["low", "medium", "high", "max"]
    other = opencode.describe(ModelFacts("q", capabilities=("thinking",)))["variants"]
    assert isinstance(other, dict)
    assert "none" in other


@pytest.mark.parametrize("integration", all_integrations(), ids=lambda one: one.name)
def test_a_key_that_the_server_wants_goes_by_the_environment_alone(
    integration: Integration, tmp_path: Path
) -> None:
    here = dataclasses.replace(place(tmp_path), api_key="secret")
    order = Order(here, (SEER,), (SEER, SMALL))
    set_up(integration, order)
    told = json.dumps(integration.environment(order))
    assert ("secret" in told) == integration.takes_key
    assert "secret" not in json.dumps(integration.arguments(order))
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("secret" in text for text in files)


def test_who_must_be_given_the_key_by_hand_is_told(machine: Machine) -> None:
    machine.install("droid")
    machine.extra["PUNA_API_KEY"] = "secret"
    done = puna("launch", "droid", "--model", "seer", env=machine.env)
    assert done.stderr == (
        "Note: the server wants a key (PUNA_API_KEY), which Droid must be given in its own "
        "settings.\n"
    )


def test_two_integrations_of_one_program_are_put_back_together(machine: Machine) -> None:
    original = "# mine\na: 1\n"
    machine.write({".hermes/config.yaml": original})
    machine.install("hermes")
    for name in ("hermes", "hermes-desktop"):
        assert puna("launch", name, "--yes", "--model", "seer", env=machine.env).returncode == 0
    assert puna("launch", "hermes", "--restore", env=machine.env).returncode == 0
    assert machine.files() == {".hermes/config.yaml": original}


def test_no_program_is_started_that_is_none(machine: Machine) -> None:
    program = machine.root / "bin" / "claude"
    program.parent.mkdir()
    program.write_bytes(b"\x7fnothing")
    program.chmod(0o755)
    done = puna("launch", "claude", "--model", "seer", env=machine.env)
    assert done.stderr == f"Error: {program} cannot be started: Exec format error\n"
