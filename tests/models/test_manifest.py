"""Manifests: golden bytes, tolerant reading, and damage that is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadManifest
from puna.models.digest import Digest
from puna.models.manifest import (
    MAX_LAYERS,
    MAX_MANIFEST_BYTES,
    MODEL,
    TENSOR,
    Layer,
    Manifest,
    encode_manifest,
    mentioned_digests,
    parse_manifest,
)
from tests.models.golden import CONFIG_DIGEST, GGUF_DIGEST, MANIFEST, MANIFEST_DIGEST

HEX = "ab" * 32


def test_the_golden_manifest() -> None:
    raw = encode_manifest(MANIFEST)
    assert len(raw) == 408
    assert Digest.of(raw) == MANIFEST_DIGEST
    assert parse_manifest(raw) == MANIFEST
    assert MANIFEST.size == 147 + 68
    assert MANIFEST.digests == {GGUF_DIGEST, CONFIG_DIGEST}


def test_an_empty_manifest_is_one() -> None:
    manifest = parse_manifest(b"{}")
    assert (manifest.config, manifest.layers, manifest.size) == (None, (), 0)


def test_without_layers_null_is_written() -> None:
    raw = encode_manifest(Manifest())
    assert raw.endswith(b'"config":{"mediaType":"","digest":"","size":0},"layers":null}\n')
    assert parse_manifest(raw) == Manifest()


def test_origin_and_name_follow_the_size() -> None:
    layer = Layer(TENSOR, Digest(HEX), 5, from_="a:latest", name="blk.0.<w>")
    raw = encode_manifest(Manifest(layers=(layer,)))
    assert b'"size":5,"from":"a:latest","name":"blk.0.\\u003cw\\u003e"}' in raw
    assert parse_manifest(raw).layers == (layer,)


def test_order_unknown_fields_and_what_follows_do_not_matter() -> None:
    raw = f"""
      {{ "extra": [1, {{}}], "layers": [
           {{"size": 7, "annotations": null, "digest": "sha256-{HEX.upper()}",
             "mediaType": "{MODEL}"}}
         ], "config": null, "schemaVersion": 2 }} and {{ more
    """
    manifest = parse_manifest(raw.encode())
    assert manifest.layers == (Layer(MODEL, Digest(HEX), 7),)
    assert manifest.of_type(MODEL) == manifest.layers
    assert manifest.of_type(TENSOR) == ()


def layer(**changes: object) -> bytes:
    """A manifest of one layer with some of its fields changed."""
    fields = {"mediaType": MODEL, "digest": f"sha256:{HEX}", "size": 1} | changes
    return json.dumps({"layers": [fields]}).encode()


BAD = {
    "nothing": b"",
    "cut": encode_manifest(MANIFEST)[:200],
    "an array": b"[]",
    "a text": b'"sha256"',
    "layers of another type": b'{"layers":{}}',
    "a layer of another type": b'{"layers":[1]}',
    "a bad digest": layer(digest="sha256:../../x"),
    "no digest": layer(digest=None),
    "a negative size": layer(size=-1),
    "a size that is a fraction": layer(size=1.5),
    "a size that is true": layer(size=True),
    "a size beyond 63 bits": layer(size=2**63),
    "a name that is a number": layer(name=4),
    "a bad digest of the config": b'{"config":{"digest":"sha256:12"}}',
    "too many layers": b'{"layers":[' + b"1," * MAX_LAYERS + b"1]}",
    "too many bytes": b" " * (MAX_MANIFEST_BYTES + 1),
    "too deep": b'{"layers":' + b"[" * 100_000,
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_damage_is_named(raw: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_manifest(raw)


def test_digests_are_found_in_a_damaged_manifest() -> None:
    raw = encode_manifest(MANIFEST)[:-60]
    with pytest.raises(BadManifest):
        parse_manifest(raw)
    assert CONFIG_DIGEST in mentioned_digests(raw)


LAYERS = st.builds(
    Layer,
    media_type=st.text(max_size=8),
    digest=st.binary(max_size=4).map(Digest.of),
    size=st.integers(0, 2**63 - 1),
    from_=st.text(max_size=8),
    name=st.text(max_size=8),
)


@given(st.builds(Manifest, config=st.none() | LAYERS, layers=st.lists(LAYERS).map(tuple)))
def test_what_is_written_reads_back(manifest: Manifest) -> None:
    assert parse_manifest(encode_manifest(manifest)) == manifest


KEYS = st.sampled_from(["config", "layers", "digest", "size"])
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
).map(lambda value: json.dumps(value).encode())


@given(st.binary(max_size=80) | DOCUMENTS)
def test_any_bytes_are_a_manifest_or_an_error(raw: bytes) -> None:
    try:
        parse_manifest(raw)
    except BadManifest:
        return
