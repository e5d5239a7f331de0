"""Every integration, launched by the real program: what it writes, how the other program is called,
and that everything can be put back to the byte.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from puna.client.facts import parse_facts
from puna.config import parse_host
from puna.launch.integration import Order
from puna.launch.place import Place
from puna.launch.process import LaunchError
from puna.launch.ready import facts_of
from puna.launch.registry import NAMES, all_integrations, find_integration
from puna.launch.setup import restore, set_up
from tests.cli.support import puna
from tests.launch.cases import CASES, Case
from tests.launch.support import MODELS, Machine, Silent

GOLDEN = Path(__file__).parent / "golden"
ELSEWHERE = {"chatgpt", "claude-desktop"}  # not on Linux: test_desktops.py
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def told(machine: Machine, text: str) -> str:
    """A text with what differs from run to run taken out."""
    known = {machine.server.url: "URL", str(machine.home): "HOME", str(machine.root): "ROOT"}
    for value, name in known.items():
        text = text.replace(value, name)
    return MOMENT.sub("MOMENT", text)


def record(machine: Machine) -> dict[str, object]:
    """What a launch has left: the files, and the calls with what is new in their environment."""
    base = machine.env
    calls = [
        {
            "program": call.program,
            "argv": call.argv,
            "env": {k: v for k, v in sorted(call.env.items()) if base.get(k) != v},
            "without": sorted(k for k in base if k not in call.env),
        }
        for call in machine.calls()
    ]
    files = {name: text.splitlines() for name, text in machine.files().items()}
    found = json.loads(told(machine, json.dumps({"calls": calls, "files": files})))
    assert isinstance(found, dict)
    return found


def test_every_integration_has_a_case() -> None:
    assert {case.name for case in CASES} == set(NAMES) - ELSEWHERE
    names = [name for one in all_integrations() for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    assert [one.name for one in all_integrations()] == list(NAMES)
    page = (Path(__file__).resolve().parents[2] / "docs" / "launch.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_launch_and_restore(case: Case, machine: Machine) -> None:
    machine.write(case.before)
    before = machine.files()
    machine.install(case.program, case.answers)
    machine.extra |= case.secrets
    words = ("launch", case.name, "--yes", "--model", "seer")
    done = puna(*words, *(("--", *case.extra) if case.extra else ()), env=machine.env)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    golden = GOLDEN / f"{case.name}.json"
    assert record(machine) == json.loads(golden.read_text())
    integration = find_integration(case.name)
    host = parse_host(machine.server.url)
    place = Place(machine.home, machine.home / "puna", sys.platform, machine.env, host)
    written, backups = machine.files(), machine.own_files("backup")
    if integration.prepare is None:
        installed = tuple(parse_facts({"models": MODELS}))
        set_up(integration, Order(place, facts_of(["seer"], installed), installed))
        assert machine.files() == written
        assert machine.own_files("backup") == backups
    if not integration.files:
        with pytest.raises(LaunchError, match=f"^{case.name} does not support --restore$"):
            restore(integration, place, Silent())
        return
    restore(integration, place, Silent())
    assert machine.files() == before
