"""The agent on a real pseudo-terminal and in pipes, against a scripted server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.screen import screens
from tests.cli.support import environment, puna
from tests.cli.terminal import ENTER, PROMPT, Start, leave, terminals
from tests.fakes.http_server import Json, Reply, ScriptedServer
from tests.fakes.pictures import PNG

MODEL: Json = {
    "capabilities": ["completion", "tools"],
    "model_info": {"llama.context_length": 32768},
    "system": "Be kind.",
}
EDIT: Json = {"path": "notes.txt", "edits": [{"old_text": "old", "new_text": "new"}]}


def say(text: str = "", *calls: tuple[str, Json], tokens: int = 10) -> Reply:
    """An answer with calls."""
    message: Json = {
        "content": text,
        "tool_calls": [{"function": {"name": name, "arguments": given}} for name, given in calls],
    }
    return Reply(lines=[{"message": message}, {"done": True, "prompt_eval_count": tokens}])


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        started.script.replies |= {
            "POST /api/show": Reply(MODEL),
            "POST /api/generate": Reply(lines=[{"done": True}]),
            "GET /api/ps": Reply({"models": []}),
        }
        yield started


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.txt").write_text("old\n")
    return folder


@pytest.fixture
def start(server: ScriptedServer, tmp_path: Path, work: Path) -> Iterator[Start]:
    with terminals("run", "m", "--agent", dimensions=(40, 120), cwd=work) as spawn:

        def started(*args: str, **variables: str) -> pexpect.spawn[str]:
            env = environment(tmp_path, OLLAMA_HOST=server.url, NO_COLOR="1", **variables)
            return spawn(args, env)

        yield started


def last_messages(server: ScriptedServer) -> list[Json]:
    messages = server.requests("/api/chat")[-1]["messages"]
    assert isinstance(messages, list)
    return messages


def test_it_edits_a_file_after_approval_and_goes_on_later(
    start: Start, server: ScriptedServer, work: Path, tmp_path: Path
) -> None:
    server.script.replies["POST /api/chat"] = [
        say("", ("read", {"path": "notes.txt"}), ("bash", {"command": "echo done > done"})),
        say("", ("edit", EDIT)),
        say("It is new."),
        say("", ("read", {"path": "notes.txt"})),
        say("Denied?"),
    ]
    child = start()
    child.expect_exact(f"Agent with m in {work}")
    child.expect_exact(PROMPT)
    child.send("make it new" + ENTER)
    child.expect_exact(f"Read {work}/notes.txt")
    child.expect_exact("echo done > done")
    child.expect_exact("1. Approve once")
    child.expect_exact("2. Always allow these requests")
    child.expect_exact("3. Deny")
    child.send("\x0f")
    child.expect_exact("To be approved")
    child.send("q")
    child.expect_exact("3. Deny")
    assert not (work / "done").exists()
    child.send("2")
    child.expect_exact("- old")
    child.expect_exact("+ new")
    child.expect_exact("2. Always allow edit")
    assert (work / "notes.txt").read_text() == "old\n"
    child.send(ENTER)
    child.expect_exact("Updated notes.txt (1 edit, 1 replacement).")
    child.expect_exact("It is new.")
    child.expect_exact(PROMPT)
    assert (work / "notes.txt").read_text() == "new\n"
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
    start: Start, server: ScriptedServer, work: Path, key: str
) -> None:
    command = "cd sub; echo $$ > ../pid; sleep 100"
    server.script.replies["POST /api/chat"] = [say("", ("bash", {"command": command})), say("Yes.")]
    (work / "sub").mkdir()
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
    assert not Path(f"/proc/{(work / 'pid').read_text().strip()}").exists()


def test_keys_before_the_question_do_not_answer_it(
    start: Start, server: ScriptedServer, work: Path
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
    (work / "go").touch()
    child.expect_exact("3. Deny")
    child.send("3")
    child.expect_exact("denied")
    child.expect_exact(PROMPT)
    leave(child)
    assert (work / "notes.txt").read_text() == "old\n"


COMMANDS = {
    "unknown": ("/fly x", 'Unknown command "/fly"'),
    "help": ("/?", "/compact"),
    "a model without tools": ("/model plain", 'model "plain" does not support tools'),
    "thinking": ("/think high", "Thinking: high."),
    "thinking, wrongly": ("/think much", "/think [auto|on|off|low|medium|high|max]"),
    "tools off": ("/tools", "Tools are off."),
    "tools on": ("/tools", "Tools are on."),
    "access": ("/access full", "full access enabled"),
    "review": ("\x1b[Z", "review mode enabled"),
    "the system text": ("/system", "You are m, an agent"),
    "skills": ("/skills", "/greet  says hello"),
    "no such other agent": ("/skills import it", "/skills [import codex|claude|pi]"),
    "skills of another agent": ("/skills import claude", "/theirs"),
    "and they are there": ("/skills", "/theirs  is copied"),
    "nothing to shorten": ("/compact", "nothing to compact"),
    "the next request": ("/prompt", '"role": "system"'),
    "saving it": ("/save sub/request", "Wrote sub/request.json"),
    "saving it elsewhere": ("/save ../request", "leads out of the working folder"),
}


def test_commands(start: Start, server: ScriptedServer, work: Path, tmp_path: Path) -> None:
    for place, name, about in (
        (work / ".agents", "greet", "says hello"),
        (tmp_path / ".claude", "theirs", "is copied"),
    ):
        skill = place / "skills" / name
        skill.mkdir(parents=True)
        head = f"---\nname: {name}\ndescription: {about}\n---\n"
        (skill / "SKILL.md").write_text(head + "Say hello.")
    server.script.replies |= {
        "POST /api/chat": say("Hello!"),
        "GET /api/tags": Reply({"models": [{"name": "plain:latest"}]}),
    }
    child = start()
    child.expect_exact(PROMPT)
    for line, expected in COMMANDS.values():
        if line == "/model plain":
            server.script.replies["POST /api/show"] = Reply({"capabilities": ["completion"]})
        child.send(line + (ENTER if line.startswith("/") else ""))
        child.expect_exact(expected)
        if line == "/prompt":
            child.send("q")
        child.expect_exact(PROMPT)
    for line in ("/greet me", "/thei\t you"):
        child.send(line + ENTER)
        child.expect_exact("Hello!")
        child.expect_exact(PROMPT)
    leave(child)
    asked = last_messages(server)
    assert asked[1]["content"] == "Skill greet:\nSay hello.\n\nme"
    assert asked[3]["content"] == "Skill theirs:\nSay hello.\n\nyou"
    assert "- greet: says hello" in str(asked[0]["content"])
    assert "- theirs: is copied" in str(asked[0]["content"])
    assert (tmp_path / "puna" / "skills" / "theirs" / "SKILL.md").is_file()
    assert json.loads((work / "sub" / "request.json").read_text())["model"] == "m"
    offered = server.requests("/api/chat")[-1]["tools"]
    assert isinstance(offered, list)
    assert [each["function"]["name"] for each in offered] == [
        *("bash", "read", "list", "search", "write", "edit", "web_fetch", "skill"),
    ]


def test_models_and_thinking_are_chosen_from_lists(
    server: ScriptedServer, tmp_path: Path, work: Path
) -> None:
    tags = [{"name": name, "size": 2_000_000_000} for name in ("m:latest", "other:7b", "third:1b")]
    server.script.replies |= {
        "POST /api/chat": say("Hello!"),
        "GET /api/tags": Reply({"models": tags}),
    }
    env = environment(tmp_path, OLLAMA_HOST=server.url, NO_COLOR="1")
    with screens("run", "m", "--agent", cwd=work) as begin:
        screen = begin((), env)
        screen.until(PROMPT)
        screen.press(f"/model{ENTER}", "> m 2 GB")
        screen.until("  third:1b")
        screen.press("other", lambda lines: "> other:7b 2 GB" in lines)
        screen.press(ENTER, "Now with other:7b.")
        screen.press(f"/model thi{ENTER}", "> third:1b 2 GB")
        screen.press("\x1b", lambda lines: "> third:1b 2 GB" not in lines)
        screen.press(f"/think{ENTER}", "> auto")
        screen.press(f"\x1b[B\x1b[B{ENTER}", "Thinking: off.")
        screen.press(f"/think{ENTER}", "> off")
        screen.press(f"medium{ENTER}", "Thinking: medium.")
        screen.until('warning: model "other:7b" does not support thinking output')
        screen.press(f"hi{ENTER}", "Hello!")
        screen.child.send(f"/bye{ENTER}")
        assert screen.end() == 0
    asked = server.requests("/api/chat")[-1]
    assert (asked["model"], asked["think"]) == ("other:7b", "medium")
    assert json.loads((tmp_path / "puna" / "config.json").read_text())["last_model"] == "other:7b"


def test_keys_of_the_line(server: ScriptedServer, tmp_path: Path, work: Path) -> None:
    """What is proposed, pasted, looked at and left with keys."""
    thought: Json = {"content": "", "thinking": "a cat? " * 20}
    reading = say("", ("read", {"path": "long.txt"}))
    server.script.replies |= {
        "POST /api/show": Reply({**MODEL, "capabilities": ["tools", "vision"]}),
        "POST /api/chat": [
            Reply(lines=[{"message": thought}, *(reading.lines or ())]),
            say("A cat."),
        ],
    }
    (work / "long.txt").write_text("".join(f"line {number}\n" for number in range(20)))
    (work / "cat.png").write_bytes(PNG)
    pasted = "\n".join(f"row {number}" for number in range(9))
    env = environment(tmp_path, OLLAMA_HOST=server.url, NO_COLOR="1")
    empty = f"{PROMPT}Send a message (/? for help)"
    with screens("run", "m", "--agent", "--allow=read", cwd=work) as begin:
        screen = begin((), env)
        screen.until(empty)
        screen.press("/th", "/think")
        screen.press("\t", f"{PROMPT}/think")
        screen.press("\x03", empty)
        screen.press("@no", "notes.txt")
        screen.press("\t", f"{PROMPT}@notes.txt")
        screen.press("\x1b\x1b", empty)
        screen.press(f"\x1b[200~{pasted}\x1b[201~", f"{PROMPT}[Pasted text #1 +9 lines]")
        screen.press("\x7f", empty)
        screen.press(f"\x1b[200~{pasted}\x1b[201~", f"{PROMPT}[Pasted text #2 +9 lines]")
        screen.press(f" \x1b[200~{work}/cat.png\x1b[201~", "+9 lines] [Image #0]")
        screen.press(f" please{ENTER}", "A cat.")
        screen.until("Thought (35 tokens)")
        screen.until("[13 more lines, Ctrl+O shows all]")
        screen.until(lambda lines: lines[-1].startswith(empty))
        screen.press("\x0f", "Conversation")
        screen.until("line 19")  # its end, whatever lines were wrapped above
        screen.press("\x1b[H", "  path: long.txt\n\nread:\nline 0")
        screen.until("a cat? a cat?")
        screen.press("\x0fx", f"{PROMPT}x")  # what is typed on goes to the line
        screen.press("\x03", empty)
        screen.press("\x03", "press ctrl+c again to quit")
        screen.press("x", f"{PROMPT}x")
        screen.press("\x03", empty)
        screen.press("\x04", "press ctrl+d again to quit")
        screen.child.send("\x04")
        assert screen.end() == 0
    said = server.requests("/api/chat")[0]["messages"]
    assert isinstance(said, list)
    assert said[1]["content"] == f"{pasted}  please"
    assert len(said[1]["images"]) == 1


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


def test_pipes(server: ScriptedServer, tmp_path: Path, work: Path) -> None:
    """Nobody can be asked: calls are refused unless a flag allows them."""
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    both = [say("", ("edit", EDIT)), say("It is new.")]
    server.script.replies["POST /api/chat"] = list(both)
    done = puna("run", "m", "--agent", "go", env=env, cwd=work)
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert "Nobody can be asked for approval here; allow with --allow edit" in done.stderr
    assert "Error: a call was denied" in done.stderr
    assert (work / "notes.txt").read_text() == "old\n"
    server.script.replies["POST /api/chat"] = list(both)
    done = puna("run", "m", "--agent", "--allow", "read,edit", "go", env=env, cwd=work)
    assert (done.returncode, done.stdout) == (0, "It is new.\n\n")
    assert "\x1b" not in done.stderr
    assert (work / "notes.txt").read_text() == "new\n"


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
    work: Path,
    args: list[str],
    reply: Reply | list[Reply],
    complaint: str,
) -> None:
    server.script.replies["POST /api/chat"] = reply
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    done = puna("run", "m", "--agent", *args, env=env, cwd=work)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_a_server_that_fails_once_is_asked_again(
    server: ScriptedServer, tmp_path: Path, work: Path
) -> None:
    server.script.replies["POST /api/chat"] = [Reply({"error": "bad call"}, status=500), say("Ok.")]
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    done = puna("run", "m", "--agent", "go", env=env, cwd=work)
    assert (done.returncode, done.stdout) == (0, "Ok.\n\n")
    assert "bad call" in str(last_messages(server)[-1]["content"])


def test_a_model_without_tools_is_told_apart(
    server: ScriptedServer, tmp_path: Path, work: Path
) -> None:
    server.script.replies["POST /api/show"] = Reply({"capabilities": ["completion"]})
    env = environment(tmp_path, OLLAMA_HOST=server.url)
    done = puna("run", "m", "--agent", "go", env=env, cwd=work)
    assert done.returncode == 1
    assert 'model "m" does not support tools, which an agent needs' in done.stderr
