"""Choosing from an index."""

from __future__ import annotations

from typing import Any

import pytest

from puna.errors import BadManifest
from puna.models.digest import Digest
from puna.models.registry.manifests import choose

ONE, TWO, THREE = (Digest.of(bytes([each])) for each in range(3))
OCI = "application/vnd.oci.image.manifest.v1+json"


def entry(digest: Digest, *where: str, **more: Any) -> dict[str, Any]:
    place = {"platform": dict(zip(("os", "architecture"), where, strict=True))} if where else {}
    return {"mediaType": OCI, "digest": str(digest), "size": 1, **place, **more}


ATTESTATION = entry(
    THREE,
    "unknown",
    "unknown",
    annotations={"vnd.docker.reference.type": "attestation-manifest"},
)

CASES = {
    "this machine's": ([entry(ONE, "linux", "arm64"), entry(TWO, "linux", "amd64")], TWO),
    "for any": ([entry(ONE, "linux", "arm64"), entry(TWO)], TWO),
    "the first that there is": ([entry(ONE, "linux", "arm64"), entry(TWO, "x", "y")], ONE),
    "never an attestation": ([ATTESTATION, entry(ONE, "linux", "arm64")], ONE),
    "never another kind": ([entry(ONE, mediaType="image/png"), entry(TWO)], TWO),
}


@pytest.mark.parametrize(("entries", "digest"), CASES.values(), ids=CASES)
def test_choices(entries: list[dict[str, Any]], digest: Digest) -> None:
    assert choose(list(entries), "linux", "amd64") == digest


BAD: dict[str, list[Any]] = {
    "empty": [],
    "only attestations": [ATTESTATION],
    "a digest that is none": [{"mediaType": OCI, "digest": "sha256:../x"}],
    "no digest": [{"mediaType": OCI}],
    "a platform that is none": [{"digest": str(ONE), "platform": 7}],
}


@pytest.mark.parametrize("entries", BAD.values(), ids=BAD)
def test_bad_indexes(entries: list[Any]) -> None:
    with pytest.raises(BadManifest):
        choose(entries, "linux", "amd64")
