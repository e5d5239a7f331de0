"""Every route is sent what its own description allows, and what it does not: it answers as it is
described, and never fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from puna.api.options import LOAD_TIME
from puna.server.openapi.document import OPERATIONS, document
from puna.server.openapi.operation import Key
from tests.e2e.server import Server

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.checks")
conformance = pytest.importorskip("schemathesis.specs.openapi.checks")

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

EXAMPLES = 12
SECONDS = 60
ELSEWHERE = {("POST", "/api/pull"), ("POST", "/api/push")}
"""They ask registries, and there is none."""
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
ENDLESS = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
}
"""Routes that answer for as long as the model likes, and the field that ends it."""
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

KEYS = {" ".join(key): key for key in OPERATIONS if key not in ELSEWHERE}
MODES = {
    "as described": schemathesis.GenerationMode.POSITIVE,
    "not as described": schemathesis.GenerationMode.NEGATIVE,
}
CASES = {
    f"{name}, {how}": (key, mode)
    for name, key in KEYS.items()
    for how, mode in MODES.items()
    if OPERATIONS[key].body is not None or how == "as described"
}
"""Where no body is described, there is nothing that a request could get wrong."""


@pytest.fixture(scope="session")
def schema() -> Any:
    return schemathesis.openapi.from_dict(document())


@pytest.mark.parametrize(("key", "mode"), CASES.values(), ids=CASES)
def test_route(server: Server, schema: Any, key: Key, mode: Any) -> None:
    method, path = key
    operation = schema[path][method]

    @SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode), is_real=st.booleans())
    def send(case: Any, is_real: bool) -> None:
        if isinstance(case.body, dict):
            case.body = bounded(case.body, path, is_real=is_real)
        response = case.call(base_url=server.url, timeout=SECONDS)
        assert response.status_code in {501, 503} or response.status_code < 500, (
            case.as_curl_command(),
            response.text,
        )
        case.validate_response(
            response,
            checks=[
                conformance.status_code_conformance,
                conformance.content_type_conformance,
                conformance.response_schema_conformance,
            ],
        )

    send()


def bounded(body: dict[str, Any], path: str, *, is_real: bool) -> dict[str, Any]:
    """The body without what would load a model again, take long, or ask a registry; half of all
    requests name a model that is there."""
    kept = {name: value for name, value in body.items() if name not in {*LOAD_TIME, "keep_alive"}}
    kept.pop("from", None)
    options = kept.get("options")
    if isinstance(options, dict) or (options is None and path in {"/api/chat", "/api/generate"}):
        few = {name: value for name, value in (options or {}).items() if name not in LOAD_TIME}
        kept["options"] = few | {"num_predict": 2}
    for name in LIMITS:
        is_endless = kept.get(name) is None and name == ENDLESS.get(path)
        if is_endless or (name in kept and isinstance(kept[name], int)):
            kept[name] = 2
    if is_real and isinstance(kept.get("model"), str):
        kept["model"] = "cria"
    return kept
