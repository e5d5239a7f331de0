"""The agent on a real pseudo-terminal and in pipes, against a scripted server."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
import pytest

from tests.agent.scripted import last_messages, say
from tests.cli.support import environment, puna
from tests.cli.terminal import ENTER, PROMPT, Start, leave
from tests.fakes.http_server import Json, Reply, ScriptedServer

EDIT: Json = {"path": "notes.txt", "edits": [{"old_text": "old", "new_text": "new"}]}


def test_it_edits_a_file_after_approval_and_goes_on_later(
    start: Start, server: ScriptedServer, folder: Path, tmp_path: Path
) -> None:
    server.script.replies["POST /api/chat"] = [
        say("", ("read", {"path": "notes.txt"}), ("bash", {"command": "echo done > done"})),
        say("", ("edit", EDIT)),
        say("It is new."),
        say("", ("read", {"path": "notes.txt"})),
        say("Denied?"),
    ]
    child = start()
    child.expect_exact(f"Agent with m in {folder}")
    child.expect_exact(PROMPT)
    child.send("make it new" + ENTER)
    child.expect_exact(f"Read {folder}/notes.txt")
    child.expect_exact("echo done > done")
    child.expect_exact("1. Approve once")
    child.expect_exact("2. Always allow these requests")
    child.expect_exact("3. Deny")
    child.send("\x0f")
    child.expect_exact("To be approved")
    child.send("q")
    child.expect_exact("3. Deny")
    assert not (folder / "done").exists()
    child.send("2")
    child.expect_exact("- old")
    child.expect_exact("+ new")
    child.expect_exact("2. Always allow edit")
    assert (folder / "notes.txt").read_text() == "old\n"
    child.send(ENTER)
    child.expect_exact("Updated notes.txt (1 edit, 1 replacement).")
    child.expect_exact("It is new.")
    child.expect_exact(PROMPT)
    assert (folder / "notes.txt").read_text() == "new\n"
    child.send("/new" + ENTER)  # and what was granted is forgotten
    child.expect_exact(PROMPT)
    child.send("read it" + ENTER)
    child.expect_exact("3. Deny")
    child.send("\x1b")
    child.expect_exact("denied")
    child.expect_exact(PROMPT)
    leave(child)
    first = server.requests("/api/chat")[2]["messages"]
    assert isinstance(first, list)
    assert [message["role"] for message in first] == [
        *("system", "user", "assistant", "tool", "tool", "assistant", "tool"),
    ]
    assert "Be kind." in first[0]["content"]
    assert first[3] == {"role": "tool", "tool_name": "read", "content": "old\n"}
    kept = sorted((tmp_path / "puna" / "agent").iterdir())
    assert len(kept) == 2
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    denied = json.loads(kept[1].read_text().splitlines()[-1])
    assert denied["message"]["content"] == "Tool execution denied."
    server.script.replies["POST /api/chat"] = say("Welcome back.")
    child = start(f"--resume={kept[0].stem}")
    child.expect_exact("(1 messages of yours)")
    child.expect_exact(PROMPT)
    child.send("again" + ENTER)
    child.expect_exact("Welcome back.")
    child.expect_exact(PROMPT)
    leave(child)
    assert last_messages(server)[1:-1] == [
        *first[1:],
        {"role": "assistant", "content": "It is new."},
    ]


@pytest.mark.parametrize("key", ["\x03", "\x1b"], ids=["ctrl+c", "esc"])
def test_a_key_kills_a_command_and_keeps_the_conversation(
    start: Start, server: ScriptedServer, folder: Path, key: str
) -> None:
    command = "cd sub; echo $$ > ../pid; sleep 100"
    server.script.replies["POST /api/chat"] = [say("", ("bash", {"command": command})), say("Yes.")]
    (folder / "sub").mkdir()
    child = start("--allow", "bash")
    child.expect_exact(PROMPT)
    child.send("wait" + ENTER)
    child.expect_exact("* Run: cd sub")
    child.expect(pexpect.TIMEOUT, timeout=0.5)
    child.send("still ")  # waits for the line
    child.send("\x1b[D\x1b[C")  # keys that begin as Esc does
    child.expect(pexpect.TIMEOUT, timeout=0.2)
    child.send(key)
    child.expect_exact(PROMPT)
    child.send("there?" + ENTER)
    child.expect_exact("Yes.")
    child.expect_exact(PROMPT)
    leave(child)
    assert [message.get("content") for message in last_messages(server)[1:]] == [
        "wait",
        "",
        "Canceled by the user.",
        "still there?",
    ]
    assert not Path(f"/proc/{(folder / 'pid').read_text().strip()}").exists()


def test_keys_before_the_question_do_not_answer_it(
    start: Start, server: ScriptedServer, folder: Path
) -> None:
    command = "until test -e go; do sleep 0.05; done"
    server.script.replies["POST /api/chat"] = [
        say("", ("bash", {"command": command})),
        say("", ("edit", EDIT)),
        say("Fine."),
    ]
    child = start("--allow", "bash")
    child.expect_exact(PROMPT)
    child.send("wait" + ENTER)
    child.expect_exact("* Run: until")
    child.send("1" + ENTER)
    (folder / "go").touch()
    child.expect_exact("3. Deny")
    child.send("3")
    child.expect_exact("denied")
    child.expect_exact(PROMPT)
    leave(child)
    assert (folder / "notes.txt").read_text() == "old\n"


def test_a_long_conversation_is_shortened(start: Start, server: ScriptedServer) -> None:
    server.script.replies["POST /api/chat"] = [
        say("Fine. " * 200, tokens=30_000),
        say("We spoke of health."),
        say("Good bye."),
    ]
    child = start()
    child.expect_exact(PROMPT)
    child.send("how are you?" + ENTER)
    child.expect_exact("ctx ~30k / 32k (92% used")
    child.send("bye" + ENTER)
    child.expect_exact("Compacting")
    child.expect_exact("Good bye.")
    child.expect_exact(PROMPT)
    leave(child)
    assert [message.get("content") for message in last_messages(server)[1:]] == [
        "bye",
        "",
        "We spoke of health.",
    ]


def test_pipes(server: ScriptedServer, tmp_path: Path, folder: Path) -> None:
    """Nobody can be asked: calls are refused unless a flag allows them."""
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    both = [say("", ("edit", EDIT)), say("It is new.")]
    server.script.replies["POST /api/chat"] = list(both)
    done = puna("run", "m", "--agent", "go", env=env, cwd=folder)
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert "Nobody can be asked for approval here; allow with --allow edit" in done.stderr
    assert "Error: a call was denied" in done.stderr
    assert (folder / "notes.txt").read_text() == "old\n"
    server.script.replies["POST /api/chat"] = list(both)
    done = puna("run", "m", "--agent", "--allow", "read,edit", "go", env=env, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "It is new.\n\n")
    assert "\x1b" not in done.stderr
    assert (folder / "notes.txt").read_text() == "new\n"


FAILURES: dict[str, tuple[list[str], Reply | list[Reply], str]] = {
    "a wrong tool": (["--allow", "fly", "go"], say(), "invalid value for --allow: 'fly'"),
    "a tool that is not offered": (
        ["--tools=list", "--allow=all", "go"],
        [say("", ("read", {"path": "notes.txt"})), Reply({"error": "over"}, status=400)],
        "read: there is no tool 'read'; there are list",
    ),
    "a wrong tool to offer": (["--tools", "all", "go"], say(), "invalid value for --tools: 'all'"),
    "no prompt": ([], say(), "an agent needs a prompt where there is no terminal"),
    "no such conversation": (["--resume=x", "go"], say(), "there is no conversation 'x'"),
    "no end": (
        ["--allow=list", "go"],
        say("", ("list", {})),
        "stopped after 100 rounds of tools",
    ),
    "a server that fails for good": (
        ["go"],
        Reply({"error": "boom"}, status=500),
        "500 Internal Server Error: boom",
    ),
}


@pytest.mark.parametrize(("args", "reply", "complaint"), FAILURES.values(), ids=FAILURES)
def test_failures(
    server: ScriptedServer,
    tmp_path: Path,
    folder: Path,
    args: list[str],
    reply: Reply | list[Reply],
    complaint: str,
) -> None:
    server.script.replies["POST /api/chat"] = reply
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    done = puna("run", "m", "--agent", *args, env=env, cwd=folder)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_a_server_that_fails_once_is_asked_again(
    server: ScriptedServer, tmp_path: Path, folder: Path
) -> None:
    server.script.replies["POST /api/chat"] = [Reply({"error": "bad call"}, status=500), say("Ok.")]
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    done = puna("run", "m", "--agent", "go", env=env, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Ok.\n\n")
    assert "bad call" in str(last_messages(server)[-1]["content"])


def test_a_model_without_tools_is_told_apart(
    server: ScriptedServer, tmp_path: Path, folder: Path
) -> None:
    server.script.replies["POST /api/show"] = Reply({"capabilities": ["completion"]})
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    done = puna("run", "m", "--agent", "go", env=env, cwd=folder)
    assert done.returncode == 1
    assert 'model "m" does not support tools, which an agent needs' in done.stderr
