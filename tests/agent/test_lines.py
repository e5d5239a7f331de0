"""The line at the agent's prompt: commands, lists to choose from, keys."""

from __future__ import annotations

import json
from pathlib import Path

from tests.agent.scripted import MODEL, last_messages, say
from tests.cli.screen import screens
from tests.cli.support import environment
from tests.cli.terminal import ENTER, PROMPT, Start, leave
from tests.fakes.http_server import Json, Reply, ScriptedServer
from tests.fakes.pictures import PNG

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


def test_commands(start: Start, server: ScriptedServer, folder: Path, tmp_path: Path) -> None:
    for place, name, about in (
        (folder / ".agents", "greet", "says hello"),
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
    assert json.loads((folder / "sub" / "request.json").read_text())["model"] == "m"
    offered = server.requests("/api/chat")[-1]["tools"]
    assert isinstance(offered, list)
    assert [each["function"]["name"] for each in offered] == [
        *("bash", "read", "list", "search", "write", "edit", "web_fetch", "skill"),
    ]


def test_models_and_thinking_are_chosen_from_lists(
    server: ScriptedServer, tmp_path: Path, folder: Path
) -> None:
    tags = [{"name": name, "size": 2_000_000_000} for name in ("m:latest", "other:7b", "third:1b")]
    server.script.replies |= {
        "POST /api/chat": say("Hello!"),
        "GET /api/tags": Reply({"models": tags}),
    }
    env = environment(tmp_path, OLLAMA_HOST=server.url, NO_COLOR="1")
    with screens("run", "m", "--agent", cwd=folder) as begin:
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


def test_keys_of_the_line(server: ScriptedServer, tmp_path: Path, folder: Path) -> None:
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
    (folder / "long.txt").write_text("".join(f"line {number}\n" for number in range(20)))
    (folder / "cat.png").write_bytes(PNG)
    pasted = "\n".join(f"row {number}" for number in range(9))
    env = environment(tmp_path, OLLAMA_HOST=server.url, NO_COLOR="1")
    empty = f"{PROMPT}Send a message (/? for help)"
    with screens("run", "m", "--agent", "--allow=read", cwd=folder) as begin:
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
        screen.press(f" \x1b[200~{folder}/cat.png\x1b[201~", "+9 lines] [Image #0]")
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
