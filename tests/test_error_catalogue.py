"""Every row of the API spec's section 21 has a test: a row of the table of errors for each of its
routes, or a test that is named here. Where Puna differs on purpose, docs/differences.md says so.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.error_table import ROWS

TESTS = Path(__file__).parent

IN_TABLE = {
    "21.2 model is required": (400, "model is required", "chat embeddings show delete push"),
    "21.3 invalid model name": (
        400,
        "invalid model name",
        "generate chat embed embeddings show pull create",
    ),
    "21.4 top_logprobs": (400, "top_logprobs must be between 0 and 20", "generate chat"),
    "21.5 raw": (400, "raw mode does not support template, system, or context", "generate"),
    "21.7 thinking": (400, '"tiny" does not support thinking', "generate chat"),
    "21.8 tools": (400, ".*/tiny:latest does not support tools", "chat"),
    "21.8 insert": (400, ".*/tiny:latest does not support insert", "generate"),
    "21.9 input": (400, "invalid input type", "embed"),
    "21.10 too long": (400, "the input length exceeds the context length", "embed"),
    "21.11 cut": (400, "input after truncation exceeds maximum context length", "embed"),
    "21.14 no room": (400, "~the prompt is longer than the context length", "generate chat"),
    "21.16 digest": (400, "invalid digest format", "create"),
    "21.17 path": (400, "file path must be relative", "create"),
    "21.17 type": (400, "unknown type", "create"),
    "21.17 neither": (400, "neither 'from' or 'files' was specified", "create"),
    "21.17 template": (400, "~template error: ", "create"),
    "21.18 name": (400, 'name ".*" is invalid', "delete"),
    "21.18 source": (400, 'source ".*" is invalid', "copy"),
    "21.18 destination": (400, 'destination ".*" is invalid', "copy"),
    "21.20 model": (404, "model '.*' not found", "generate chat show delete embed"),
    "21.21 copy": (404, 'model ".*" not found', "copy"),
    "21.22 pulling": (404, 'model "x" not found, try pulling it first', "embed embeddings"),
    "21.26 option": (400, 'option ".*" must be of type .*', "generate chat create"),
    "21.27 format": (400, "invalid format: .*; expected .*", "generate chat"),
}
"""The reference answers 21.26 and 21.27 with 500, and refuses several images (21.15)."""

ELSEWHERE = {
    "21.1 missing request body": "e2e/test_transport.py::test_a_body_is_needed",
    "21.6 image generation": "service/test_checks.py::test_an_image_model_does_not_generate",
    "21.7 embeddings only": "e2e/test_errors.py::test_a_model_for_embeddings_only",
    "21.12 not to be cut further": (
        "runner/test_embedding.py::test_without_splitting_the_first_enters_whole"
    ),
    "21.13 NaN": "service/test_embedding.py::test_what_is_no_number_is_refused",
    "21.15 images": "e2e/test_vision.py::test_old_messages_go_by_what_their_images_take",
    "21.16 digest of an upload": "e2e/test_errors.py::test_uploads_that_are_refused",
    "21.19 origins": "e2e/test_transport.py::test_foreign_origins_are_refused",
    "21.23 blob": "server/test_routes.py::test_head_blob",
    "21.24 method": "e2e/test_transport.py::test_unknown_paths_and_methods",
    "21.25 canceled": "test_errors.py::test_errors_own_their_status_and_words",
    "21.28 manifest": "e2e/test_pull.py::test_unstreamed",
    "21.29 busy": "e2e/test_scheduling.py::test_a_full_queue",
}
ROW_COUNT = 29


@pytest.mark.parametrize(("status", "text", "routes"), IN_TABLE.values(), ids=IN_TABLE)
def test_a_row_is_in_the_table_for_each_of_its_routes(status: int, text: str, routes: str) -> None:
    found = {
        route
        for route, _, told, error in ROWS.values()
        if told == status and (error == text or re.fullmatch(text, error))
    }
    assert set(routes.split()) <= found


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_row_has_a_test_of_its_own(place: str) -> None:
    file, _, name = place.partition("::")
    assert f"def {name}(" in (TESTS / file).read_text()


def test_no_row_is_left_out() -> None:
    numbers = {int(name.split()[0].partition(".")[2]) for name in (*IN_TABLE, *ELSEWHERE)}
    assert numbers == set(range(1, ROW_COUNT + 1))
