"""The prompt on a real pseudo-terminal, against a scripted server."""

from __future__ import annotations

import base64
import signal
import sys
from pathlib import Path

import pexpect

from tests.cli.support import environment
from tests.cli.terminal import ENTER, PROMPT, Start, leave, terminals
from tests.fakes.http_server import Reply, ScriptedServer
from tests.fakes.projectors import make_image
from tests.repl.scripted import ANSWER, MODEL, said_to


def test_a_conversation(start: Start, server: ScriptedServer, tmp_path: Path) -> None:
    child = start()
    child.expect_exact("Send a message (/? for help)")
    child.send("hi" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    child.send("more" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    assert server.requests("/api/chat")[1] == {
        "model": "m",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Hello you"},
            {"role": "user", "content": "more"},
        ],
    }
    history = tmp_path / "puna" / "history"
    assert history.read_text() == "hi\nmore\n/bye\n"
    assert history.stat().st_mode & 0o777 == 0o600


def test_ctrl_c_stops_an_answer_and_keeps_the_session(start: Start, server: ScriptedServer) -> None:
    server.script.replies["POST /api/chat"] = [
        Reply(lines=ANSWER[:1], hold=True),
        Reply(lines=ANSWER),
    ]
    child = start()
    child.send("hi" + ENTER)
    child.expect_exact("Hello ")
    child.sendintr()
    child.expect_exact(PROMPT)
    assert server.script.hung_up.wait(5)
    child.send("again" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    messages = server.requests("/api/chat")[1]["messages"]
    assert messages == [{"role": "user", "content": text} for text in ("hi", "again")]


def test_what_is_typed_during_an_answer_stands_in_the_next_prompts(
    start: Start, server: ScriptedServer
) -> None:
    server.script.replies |= {
        "POST /api/chat": Reply(lines=ANSWER, pause=0.3),
        "POST /api/generate": Reply(lines=[{}, {"done": True}], pause=0.3),
    }
    child = start()
    child.send("hi" + ENTER)
    child.expect_exact("Hello ")
    child.send(f"one\ntwoo\x7f{ENTER}\x1b[200~a\rb\x1b[201~{ENTER}/load other{ENTER}thr")
    child.expect_exact("you")
    assert "one" not in child.before  # the answer stays whole
    for _ in range(2):
        child.expect_exact("Hello ")
        child.expect_exact("you")
    child.expect_exact("Loading model 'other'")
    child.send("ee" + ENTER)
    child.expect_exact("Hello ")
    child.expect_exact("you")
    child.expect_exact(PROMPT)
    leave(child)
    said = said_to(server)
    assert said == ["hi", "one\ntwo", "a\nb", "three"]


def test_what_is_typed_while_the_model_is_loaded(server: ScriptedServer, tmp_path: Path) -> None:
    server.script.replies["POST /api/generate"] = Reply(lines=[{}, {"done": True}], pause=0.3)
    with terminals("run", "m", dimensions=(24, 80)) as spawn:
        child = spawn((), environment(tmp_path, OLLAMA_HOST=server.url))
        child.expect("[⠋⠙⠹⠸]")
        child.send("hi" + ENTER)
        child.expect_exact("Hello you")
        child.expect_exact(PROMPT)
        leave(child)
    assert server.requests("/api/chat")[0]["messages"] == [{"role": "user", "content": "hi"}]


def test_ctrl_c_and_ctrl_d_at_the_prompt(start: Start) -> None:
    child = start()
    child.send('"""half a block' + ENTER)
    child.expect_exact("... ")
    child.send("\x03")
    child.expect_exact("Use Ctrl + d or /bye to exit.")
    child.expect_exact(PROMPT)  # the block is gone
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_while_the_first_model_is_loaded(server: ScriptedServer, tmp_path: Path) -> None:
    server.script.replies["POST /api/generate"] = Reply(lines=[{}], hold=True)
    with terminals("run", "m", dimensions=(24, 80)) as spawn:
        child = spawn((), environment(tmp_path, OLLAMA_HOST=server.url))
        child.expect("[⠋⠙⠹⠸]")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
    assert "Traceback" not in child.before
    assert child.signalstatus == signal.SIGINT


def test_what_is_kept_of_what_was_typed(
    start: Start, server: ScriptedServer, tmp_path: Path
) -> None:
    child = start()
    for line, reply in {
        "/set nohistory": PROMPT,
        "secret": "Hello you",
        "/set history": PROMPT,
        "no secret": "Hello you",
    }.items():
        child.send(line + ENTER)
        child.expect_exact("\r\n")
        child.expect_exact(reply)
        if reply != PROMPT:
            child.expect_exact(PROMPT)
    leave(child)
    kept = (tmp_path / "puna" / "history").read_text().splitlines()
    assert "secret" not in kept
    assert "no secret" in kept


def test_an_error_ends_the_session(start: Start, server: ScriptedServer) -> None:
    server.script.replies["POST /api/chat"] = [
        Reply(lines=[{"error": "upstream error"}]),
        Reply(lines=[{"error": "boom"}]),
    ]
    child = start()
    child.send("hi" + ENTER)
    child.expect_exact("An error occurred while processing your message. Please try again.")
    child.expect_exact(PROMPT)
    child.send("hi" + ENTER)
    child.expect_exact("Error: boom")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


def test_ctrl_c_while_a_model_is_loaded(start: Start, server: ScriptedServer) -> None:
    child = start()
    server.script.replies["POST /api/show"] = Reply({"capabilities": ["thinking"]})
    server.script.replies["POST /api/generate"] = Reply(lines=[{}], hold=True)
    child.send("/load other" + ENTER)
    child.expect_exact("Loading model 'other'")
    child.sendintr()
    child.expect_exact(PROMPT)
    child.send("hi" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    [asked] = server.requests("/api/chat")
    assert asked == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


COMMANDS = {
    "unknown": ("/foo bar", "Unknown command '/foo'. Type /? for help"),
    "help": ("/?", "/load <model>"),
    "help on keys": ("/? shortcuts", "Available keyboard shortcuts:"),
    "clear": ("/clearfoo", "Cleared session context"),
    "list": ("/list ti", "tiny:latest"),
    "load without a name": ("/load", "/load <modelname>"),
    "save without a name": ("/save", "/save <modelname>"),
    "bad name": ("/save a/b/c/d/e", "error: The model name 'a/b/c/d/e' is invalid"),
    "save": ("/save mine", "Created new model 'mine'"),
    "set help": ("/set", "/set parameter ..."),
    "set unknown": ("/set x", "Unknown command '/set x'. Type /? for help"),
    "wrap": ("/set nowordwrap", "Set 'nowordwrap' mode."),
    "verbose": ("/set verbose", "Set 'verbose' mode."),
    "format": ("/set format json", "Set format to 'json' mode."),
    "no format given": ("/set format", "Invalid or missing format. For 'json' mode use"),
    "think": ("/set think high", "does not support thinking output"),
    "parameter": (
        "/set parameter stop first-of-all second",
        "Set parameter 'stop' to 'first-of-all, second'",
    ),
    "parameter help": ("/set parameter stop", "/set parameter seed <int>"),
    "wrong parameter": (
        "/set parameter temperature abc",
        'Couldn\'t set parameter: "invalid float value [abc]"',
    ),
    "unknown parameter": (
        "/set parameter x 1",
        "Couldn't set parameter: \"unknown parameter 'x'\"",
    ),
    "system": ("/set system be kind", "Set system message."),
    "parameters of the user": ("/show parameters", f"\r\n  {'stop':<30} [first-of-all second]\r\n"),
    "show info": ("/show info", "architecture    llama"),
    "show license": ("/show license", "No license was specified for this model."),
    "show modelfile": ("/show modelfile", "FROM x"),
    "show parameters": ("/show parameters", "No additional parameters were specified"),
    "show unknown": ("/show x", "Unknown command '/show x'. Type /? for help"),
}


def test_slash_commands(start: Start, server: ScriptedServer) -> None:
    server.script.replies |= {
        "GET /api/tags": Reply({"models": [{"name": "tiny:latest"}]}),
        "POST /api/create": Reply(lines=[{"status": "success"}]),
    }
    child = start(NO_COLOR="1")
    for line, expected in COMMANDS.values():
        child.send(line + ENTER)
        child.expect_exact("\r\n")  # past the echo of the line
        child.expect_exact(expected)
        child.expect_exact(PROMPT)
    child.send("hi" + ENTER)
    child.expect_exact("total duration:       1s")
    child.expect_exact(PROMPT)
    leave(child)
    [request] = server.requests("/api/chat")
    assert request == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "hi"},
        ],
        "format": "json",
        "think": "high",
        "options": {"stop": ["first-of-all", "second"]},
    }
    [saved] = server.requests("/api/create")
    assert saved["from"] == "m"
    assert saved["messages"] == MODEL["messages"]


def test_load_changes_the_model_or_nothing(start: Start, server: ScriptedServer) -> None:
    child = start()
    server.script.replies["POST /api/show"] = Reply({"error": "model 'x' not found"}, 404)
    child.send("/load x" + ENTER)
    child.expect_exact("Couldn't find model 'x'")
    child.expect_exact(PROMPT)
    server.script.replies["POST /api/show"] = Reply({"capabilities": ["thinking"]})
    child.send("/load other" + ENTER)
    child.expect_exact("Loading model 'other'")
    child.expect_exact(PROMPT)
    child.send("hi" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    assert server.requests("/api/chat") == [
        {"model": "other", "messages": [{"role": "user", "content": "hi"}], "think": True}
    ]


def test_a_dumb_terminal_gets_plain_lines(start: Start, server: ScriptedServer) -> None:
    child = start(TERM="dumb")
    child.send("hi\n")
    child.expect_exact("Hello you")
    assert "\x1b" not in str(child.before)
    child.expect_exact(PROMPT)
    child.send("/bye\n")
    child.expect(pexpect.EOF)
    assert server.requests("/api/chat")[0]["messages"] == [{"role": "user", "content": "hi"}]


def test_a_model_that_cannot_think_fails_before_the_prompt(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script.replies["POST /api/generate"] = Reply(
        {"error": '"m" does not support thinking'}, 400
    )
    child = pexpect.spawn(
        sys.executable,
        ["-m", "puna", "run", "m", "--think"],
        env=environment(tmp_path, OLLAMA_HOST=server.url),
        encoding="utf-8",
        timeout=20,
    )
    child.expect_exact('Error: 400 Bad Request: "m" does not support thinking')
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


def test_an_image_that_is_dropped_here(
    start: Start, server: ScriptedServer, tmp_path: Path
) -> None:
    image = tmp_path / "a b.png"
    image.write_bytes(make_image())
    server.script.replies["POST /api/show"] = Reply({**MODEL, "capabilities": ["vision"]})
    child = start()
    escaped = str(image).replace(" ", "\\ ")
    child.send(f"{escaped} what?{ENTER}")
    child.expect_exact("Added image '")
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    (tmp_path / "no.png").write_text("no image")
    child.send(f"{tmp_path}/no.png{ENTER}")
    child.expect_exact("error: Couldn't process file")
    child.expect_exact(PROMPT)
    child.send("/?" + ENTER)
    child.expect_exact("or drop it here")
    child.expect_exact(PROMPT)
    child.send("/nonsense.png" + ENTER)
    child.expect_exact("Unknown command")
    child.expect_exact(PROMPT)
    server.script.replies["POST /api/show"] = Reply({**MODEL, "messages": []})
    child.send("/load blind" + ENTER)  # cannot see
    child.expect_exact("Loading model 'blind'")
    child.expect_exact(PROMPT)
    child.send(f"what is {escaped}?{ENTER}")
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    asked, blind = server.requests("/api/chat")
    encoded = base64.b64encode(image.read_bytes()).decode()
    assert asked["messages"] == [{"role": "user", "content": "what?", "images": [encoded]}]
    assert blind["messages"] == [{"role": "user", "content": f"what is {escaped}?"}]
