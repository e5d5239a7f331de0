"""What `puna launch` says and does besides setting one program up."""

from __future__ import annotations

import json

import pytest

from tests.cli.screen import screens
from tests.cli.support import puna
from tests.fakes.http_server import Reply
from tests.launch.support import Machine

ENTER, TAB, DOWN, ESCAPE = "\r", "\t", "\x1b[B", "\x1b"
CONFIRM = "requires confirmation; re-run with --yes to continue"
REFUSED = {
    "an unknown name": (("nosuch",), "unknown integration: nosuch (there are claude, "),
    "words without --": (
        ("droid", "a", "b"),
        "unexpected arguments: [a b]\nUse '--' to pass extra arguments to the integration\n",
    ),
    "two names": (
        ("droid", "claude", "--", "x"),
        "expected at most 1 integration name before '--', got 2\n",
    ),
    "flags without a name": (
        ("--model", "seer"),
        "flags and extra args require an integration name, for example: "
        "'puna launch claude --model qwen3.5'\n",
    ),
    "yes without a model": (
        ("Droid", "--yes"),
        "headless --yes launch for droid requires --model <model>\n",
    ),
    "no model, no terminal": (
        ("droid",),
        "model selection requires an interactive terminal; use --model to run in headless mode\n",
    ),
    "a model that is not there": (
        ("droid", "--model", "missing"),
        "model \"missing\" not found; run 'puna pull missing' first, or use --yes to auto-pull\n",
    ),
    "a model that does not suit agents": (
        ("droid", "--model", "llama3.2:3b"),
        "llama3.2:3b does not work well with Droid. Try an agent-capable model like seer instead:\n"
        "  puna launch droid --model seer\n\nLaunch with llama3.2:3b anyway? " + CONFIRM,
    ),
    "nothing to restore": (("claude-", "--restore"), "unknown integration: claude-"),
    "restore with others": (
        ("droid", "--restore", "--model", "seer"),
        "--restore cannot be combined with --model, --config, or extra args\n",
    ),
    "a flag that the launch sets": (
        ("kimi", "--model", "seer", "--", "--config-file=x"),
        'conflicting extra argument "--config-file=x": puna launch kimi manages --config-file\n',
    ),
    "not installed, with a page": (
        ("copilot", "--model", "seer"),
        "copilot is not installed, install from https://github.com/features/copilot/cli/\n",
    ),
    "not installed, with an installer": (
        ("claude", "--model", "seer"),
        "Claude Code is not installed. Install now? " + CONFIRM,
    ),
}


@pytest.mark.parametrize(("args", "error"), REFUSED.values(), ids=REFUSED)
def test_refusals(args: tuple[str, ...], error: str, machine: Machine) -> None:
    machine.install("droid")
    machine.install("curl")
    machine.install("bash")
    if "missing" in args:
        machine.server.script.replies["POST /api/show"] = Reply({"error": "not found"}, status=404)
    done = puna("launch", *args, env=machine.env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {error}")
    assert machine.calls() == []
    assert machine.files() == {}


def test_a_missing_installer_is_named(machine: Machine) -> None:
    env = {**machine.env, "PATH": str(machine.root / "bin")}
    done = puna("launch", "cline", "--model", "seer", env=env)
    assert done.stderr == (
        "Error: cline is not installed and required dependencies are missing\n\n"
        "Install the following first:\n  npm: https://nodejs.org/\n\n"
        "Then re-run:\n  puna launch cline\n"
    )


def test_a_program_is_installed_after_a_yes(machine: Machine) -> None:
    machine.install("cline")  # what npm brings
    (machine.root / "bin" / "cline").rename(machine.root / "brought")
    machine.install("npm")
    npm = machine.root / "bin" / "npm"
    move = f"import os\nos.rename({str(machine.root / 'brought')!r}, {str(npm.parent / 'cline')!r})"
    npm.write_text(f"{npm.read_text().replace('sys.exit', move + chr(10) + 'sys.exit')}")
    done = puna("launch", "cline", "--yes", "--model", "seer", env=machine.env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "\nInstalling Cline...\nCline installed successfully\n\n"
    assert [(call.program, call.argv) for call in machine.calls()] == [
        ("npm", ["install", "-g", "cline@latest"]),
        ("cline", []),
    ]


def test_a_missing_model_is_pulled_after_a_yes(machine: Machine) -> None:
    machine.install("claude")
    replies = machine.server.script.replies
    replies["POST /api/show"] = Reply({"error": "not found"}, status=404)
    replies["POST /api/pull"] = Reply(lines=[{"status": "success"}])
    args = ("launch", "claude", "--yes", "--model", "new")
    assert puna(*args, env=machine.env).returncode == 0
    assert machine.calls()[0].argv == ["--model", "new"]
    replies["POST /api/pull"] = Reply(lines=[{"error": "no such model"}])
    done = puna(*args, env=machine.env)
    assert done.stderr.endswith("Error: failed to pull new: no such model\n")


def test_config_writes_and_does_not_launch(machine: Machine) -> None:
    args = ("launch", "droid", "--config", "--model", "small:1b", "--yes")
    for _ in range(2):
        assert puna(*args, env=machine.env).returncode == 0
    assert machine.calls() == []
    assert "custom:small:1b-0" in machine.files()[".factory/settings.json"]
    assert machine.own_files("backup") == []
    saved = json.loads((machine.home / "puna" / "config.json").read_text())
    assert saved == {"integrations": {"droid": {"models": ["small:1b"]}}}


def test_the_models_of_before_stay_behind_a_new_one(machine: Machine) -> None:
    """Also those that the reference has saved, under another name of the program."""
    theirs = {"integrations": {"droid": {"models": ["seer"], "aliases": {"a": "b"}}}, "x": 1}
    machine.write({".ollama/config.json": json.dumps(theirs)})
    puna("launch", "droid", "--config", "--model", "small:1b", env=machine.env)
    assert chosen(machine) == ["small:1b", "seer"]
    saved = json.loads((machine.home / "puna" / "config.json").read_text())
    row = {"models": ["small:1b", "seer"], "aliases": {"a": "b"}}
    assert saved == {"integrations": {"droid": row}, "x": 1}


@pytest.mark.parametrize("text", ['{"a": 1,}', "// mine\n{}", "[]", '{"customModels": {}}', "\0"])
def test_a_file_that_cannot_be_read_stays_as_it_is(text: str, machine: Machine) -> None:
    machine.install("droid")
    machine.write({".factory/settings.json": text})
    done = puna("launch", "droid", "--model", "seer", env=machine.env)
    path = machine.home / ".factory" / "settings.json"
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert done.stderr.endswith("mend it or move it away, then try again\n")
    assert path.read_text() == text
    assert machine.calls() == []


def test_damaged_choices_are_told_of(machine: Machine) -> None:
    machine.install("claude")
    machine.write({"puna/config.json": "{"})
    done = puna("launch", "claude", "--model", "seer", env=machine.env)
    assert done.stderr.startswith("Error: failed to parse config: ")
    assert done.stderr.endswith(f", at: {machine.home / 'puna' / 'config.json'}\n")


def test_how_the_program_ends_is_told(machine: Machine) -> None:
    machine.install("claude")
    machine.extra["FAKE_STATUS"] = "7"
    done = puna("launch", "claude", "--model", "seer", "--", "-h", env=machine.env)
    assert (done.returncode, done.stderr) == (1, "Error: exit status 7\n")


def test_a_cloud_model_is_left_out_where_there_is_no_cloud(machine: Machine) -> None:
    machine.install("claude")
    done = puna("launch", "claude", "--model", "big:cloud", env=machine.env)
    assert done.stderr.startswith(
        "Warning: ignoring --model big:cloud because cloud is disabled\nError: model selection"
    )


def chosen(machine: Machine) -> list[str]:
    """The models that Droid is told of."""
    rows = json.loads(machine.files()[".factory/settings.json"])["customModels"]
    return [row["model"] for row in rows]


def test_a_model_is_picked_on_a_terminal(machine: Machine) -> None:
    machine.install("claude")
    with screens("launch") as start:
        screen = start(("claude",), machine.env)
        screen.until("small:1b")
        assert [line.strip() for line in screen.lines] == [
            "Select model for Claude Code:",
            "",
            "Recommended",
            "> seer Sees",
            "large",
            "More",
            "small:1b",
        ]
        screen.press(DOWN, "> large Knows, ~12.5GB, (not downloaded)")
        screen.press("SMALL", lambda lines: "> small:1b" in screen.text)
        screen.child.send(ENTER)
        assert screen.end() == 0
        assert machine.calls()[0].argv == ["--model", "small:1b"]
        again = start(("claude",), machine.env)
        again.until("> small:1b")  # the choice of last time
        again.child.send(ESCAPE)
        assert again.end() == 0
    assert len(machine.calls()) == 1


def test_questions_on_a_terminal(machine: Machine) -> None:
    machine.install("droid")
    with screens("launch") as start:
        screen = start(("droid", "--config", "--model", "llama3"), machine.env)
        screen.until("Launch with llama3 anyway?")
        screen.until("(y = Launch anyway, n = Pick another model)")
        screen.press(ENTER, "Select models for Droid:")
        screen.press("seer", "> seer Sees")
        screen.press(TAB, "> [ ] seer Sees")
        screen.press(" ", "> [x] seer (default) Sees")
        screen.press("\x7f" * 4 + "small", "> [ ] small:1b")
        screen.press(" ", "> [x] small:1b (default)")
        screen.press(ENTER, "Launch Droid now? (y/n)")
        screen.child.send("n")
        assert screen.end() == 0
        assert machine.calls() == []
        assert chosen(machine) == ["small:1b", "seer"]
        screen = start(("droid", "--config", "--model", "seer"), machine.env)
        screen.until("Launch Droid now? (y/n)")
        screen.child.send("y")
        assert screen.end() == 0
    assert [call.program for call in machine.calls()] == ["droid"]
    assert chosen(machine) == ["seer", "small:1b"]


def test_ctrl_c_is_the_programs_own(machine: Machine) -> None:
    machine.install("claude")
    program = machine.root / "bin" / "claude"
    loop = "while :; do sleep 0.05; done"
    program.write_text(f"#!/bin/sh\ntrap 'echo caught; exit 3' INT\necho ready\n{loop}\n")
    with screens("launch") as start:
        screen = start(("claude", "--model", "seer"), machine.env)
        screen.until("ready")
        screen.press("\x03", "caught")
        screen.until("Error: exit status 3")
        assert screen.end() == 1
