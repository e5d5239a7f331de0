"""Putting models into a registry from outside, as any OCI client would, without code of ours."""

from __future__ import annotations

import hashlib
import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.ollama.image."


def digest_of(data: bytes) -> str:
    """The digest `sha256:…`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class PackedModel:
    """A model as a registry holds it: a manifest's bytes, and its blobs by digest."""

    raw: bytes
    blobs: dict[str, bytes]

    @property
    def media_type(self) -> str:
        return str(json.loads(self.raw)["mediaType"])


def pack_model(*layers: tuple[str, bytes], media_type: str = DOCKER, **config: Any) -> PackedModel:
    """A model of layers: (`model`, `template`, …) and their bytes."""
    about = {"model_format": "gguf", "model_family": "llama", **config}
    head = json.dumps(about).encode()
    blobs = {digest_of(data): data for data in (*(data for _, data in layers), head)}

    def entry(kind: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": entry(CONFIG, head),
        "layers": [entry(LAYER + kind, data) for kind, data in layers],
    }
    return PackedModel(json.dumps(manifest, indent=1).encode(), blobs)


@dataclass(frozen=True)
class Pusher:
    """Writes into the registry at `url`."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def put_model(self, repository: str, tag: str, model: PackedModel) -> None:
        """Upload the blobs, then the manifest."""
        for digest, data in model.blobs.items():
            self.put_blob(repository, digest, data)
        self.put_manifest(repository, tag, model.raw, model.media_type)

    def put_blob(self, repository: str, digest: str, data: bytes) -> None:
        _, headers = self._send("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
        place = urlsplit(headers["Location"])
        path = f"{place.path}?{place.query}&digest={digest}"
        status, _ = self._send("PUT", path, data, {"Content-Type": "application/octet-stream"})
        assert status == 201, status

    def put_manifest(self, repository: str, tag: str, raw: bytes, media_type: str) -> None:
        path = f"/v2/{repository}/manifests/{tag}"
        status, _ = self._send("PUT", path, raw, {"Content-Type": media_type})
        assert status == 201, status

    def _send(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, body, {**self.headers, **headers})
            reply = connection.getresponse()
            reply.read()
            return reply.status, reply.headers
        finally:
            connection.close()
