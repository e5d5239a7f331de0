"""What is told of a child that ends before its work does, and of a parent that does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from puna.convert.working import Said, work_in_child
from puna.errors import ConverterFailed, ConvertError
from tests.fakes.ending_child import End

ENDS: dict[str, tuple[End, str]] = {
    "an assertion of the engine's": (
        End("loading\nggml.c:1: GGML_ASSERT(eps >= 0) failed\n", sign=signal.SIGABRT),
        "the worker ended: killed by SIGABRT: ggml.c:1: GGML_ASSERT(eps >= 0) failed",
    ),
    "a kill": (End("loading\n", sign=signal.SIGKILL), "the worker ended: killed by SIGKILL"),
    "a status": (
        End("Traceback\nValueError: x\n", status=1),
        "the worker ended: exit status 1: ValueError: x",
    ),
    "a status without a word": (End(status=3), "the worker ended: exit status 3"),
}


@pytest.mark.parametrize(("end", "expected"), ENDS.values(), ids=ENDS)
def test_a_child_that_ends_is_told_with_its_cause(end: End, expected: str) -> None:
    async def work() -> None:
        module = "tests.fakes.ending_child"
        async for _ in work_in_child(module, end, "worker", ConvertError, "work", Said):
            pass

    with pytest.raises(ConverterFailed) as caught:
        asyncio.run(work())
    assert str(caught.value) == expected


@pytest.mark.parametrize("module", ["puna.convert.converter", "puna.convert.quantizer"])
def test_a_child_whose_parent_went_before_it_could_ask_to_go_with_it(module: str) -> None:
    gone = os.getppid()
    done = subprocess.run(
        [sys.executable, "-m", module, str(gone)], input=b"{}", capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().strip() == "the process that started this one is gone"
