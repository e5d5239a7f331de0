"""Every integration, launched by the real program: what it writes, how the other program is called,
and that everything can be put back to the byte.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from puna.launch.registry import NAMES, all_integrations
from tests.cli.support import puna
from tests.launch.cases import CASES, Case
from tests.launch.support import Machine

GOLDEN = Path(__file__).parent / "golden"
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
    assert {case.name for case in CASES} == set(NAMES)
    names = [name for one in all_integrations() for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    assert [one.name for one in all_integrations()] == list(NAMES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_launch_and_restore(case: Case, machine: Machine) -> None:
    machine.write(case.before)
    before = machine.files()
    for program in (case.program, *case.others):
        machine.install(program, case.answers)
    words = ("launch", case.name, "--yes", "--model", "seer")
    done = puna(*words, *(("--", *case.extra) if case.extra else ()), env=machine.env)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    golden = GOLDEN / f"{case.name}.json"
    assert record(machine) == json.loads(golden.read_text())
    written = machine.files()
    again = puna(*words, env=machine.env)  # nothing is to be done
    assert again.returncode == 0, again.stderr
    assert machine.files() == written
    back = puna("launch", case.name, "--restore", env=machine.env)
    if written == before and not case.before:
        assert back.stderr == f"Error: {case.name} does not support --restore\n"
        return
    assert back.returncode == 0, back.stderr
    assert machine.files() == before
