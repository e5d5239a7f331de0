"""Coding agents of the command line, each asked one thing without a terminal.

They are told to be short and given no tools of their own, so that what they send fits into cria's
context, and to talk to nobody else.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.asked import ANSWER, CAPITAL
from tests.clients.node import environment, program

pytestmark = [
    pytest.mark.clients,
    pytest.mark.usefixtures("node_modules"),
    pytest.mark.timeout(200),
]

SECONDS = 180
BRIEF = "Be brief."
CODEX = """
model = "cria"
model_provider = "puna"
model_instructions_file = "{brief}"
check_for_update_on_startup = false
include_permissions_instructions = false
include_environment_context = false
include_apps_instructions = false
web_search = "disabled"
[model_providers.puna]
name = "Puna"
base_url = "{url}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[analytics]
enabled = false
[features]
apps = false
goals = false
multi_agent = false
plugins = false
remote_plugin = false
shell_tool = false
skill_search = false
unified_exec = false
view_image = false
[skills]
include_instructions = false
[skills.bundled]
enabled = false
"""
ALONE = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}
"""What keeps Claude Code from asking anybody but the server."""


def run(folder: Path, name: str, *arguments: str, **variables: str) -> list[dict[str, Any]]:
    """Run an agent to its end; the objects that it wrote, a line each."""
    work = folder / "work"
    work.mkdir()
    done = subprocess.run(
        [program(name), *arguments],
        cwd=work,
        env=environment(folder, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_codex(url: str, tmp_path: Path) -> None:
    home = tmp_path / "codex"
    home.mkdir()
    (home / "brief.md").write_text(BRIEF)
    (home / "config.toml").write_text(CODEX.format(brief=home / "brief.md", url=url))
    arguments = ["exec", "--skip-git-repo-check", "--sandbox", "read-only", "--json", CAPITAL]
    events = run(tmp_path, "codex", *arguments, CODEX_HOME=str(home))
    assert events[-1]["type"] == "turn.completed"
    assert events[-1]["usage"]["output_tokens"] > 5
    items = [each["item"] for each in events if each["type"] == "item.completed"]
    assert [each["text"] for each in items if each["type"] == "agent_message"] == [ANSWER]
    assert [each["type"] for each in items if each["type"] == "reasoning"] == ["reasoning"]


def test_claude_code(url: str, tmp_path: Path) -> None:
    short = ["--bare", "--tools", "", "--system-prompt", BRIEF]
    told = run(
        tmp_path,
        "claude",
        *["--print", CAPITAL, "--output-format", "stream-json", "--verbose"],
        *["--model", "cria", "--max-turns", "1", *short],
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_API_KEY="none",
        ANTHROPIC_DEFAULT_HAIKU_MODEL="cria",
        **ALONE,
    )
    last = told[-1]
    assert (last["type"], last["subtype"], last["is_error"]) == ("result", "success", False)
    assert (last["result"], last["stop_reason"]) == (ANSWER, "end_turn")
    assert last["usage"]["output_tokens"] > 5
