"""Programs that `puna launch` starts reach the real server by what they were told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

# Each finds the server and the model where the program of that name does, and asks once.
PROGRAMS = {
    "claude": """
url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
model = sys.argv[sys.argv.index("--model") + 1]
key = os.environ["ANTHROPIC_AUTH_TOKEN"]
assert model == os.environ["CLAUDE_CODE_SUBAGENT_MODEL"]
""",
    "kimi": """
told = json.loads(sys.argv[sys.argv.index("--config") + 1])
provider, about = told["providers"]["ollama"], told["models"]["ollama"]
url, model, key = provider["base_url"] + "/chat/completions", about["model"], provider["api_key"]
assert about["max_context_size"] == 512
""",
    "droid": """
told = json.load(open(os.path.expanduser("~/.factory/settings.json")))
entry = next(e for e in told["customModels"] if e["id"] == told["sessionDefaultSettings"]["model"])
url, model, key = entry["baseUrl"] + "/chat/completions", entry["model"], entry["apiKey"]
""",
}
ASK = """
body = {"model": model, "max_tokens": 3, "messages": [{"role": "user", "content": "hi"}]}
headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
answer = json.load(urllib.request.urlopen(request))
print(answer["model"], sys.argv[-1])
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gets_answers(name: str, server: Server, chatty: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / name
    program.parent.mkdir()
    head = f"#!{sys.executable}\nimport json, os, sys, urllib.request\n"
    program.write_text(head + PROGRAMS[name] + ASK)
    program.chmod(0o755)
    home = {"HOME": str(tmp_path), "PUNA_HOME": str(tmp_path / "puna")}
    env = {**server.env, **home, "PATH": f"{program.parent}:/usr/bin:/bin"}
    done = puna("launch", name, "--model", chatty, "--", "hello", env=env)
    assert (done.returncode, done.stdout) == (0, f"{chatty} hello\n"), done.stderr
