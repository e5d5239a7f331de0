"""Models made of folders of safetensors: names, layers, what is quantised, and that nothing
half-made stays. The conversion itself is played; what plays it writes real GGUF files.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import pytest
from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

from puna.api.decode import read_value
from puna.api.events import Progress
from puna.api.requests import CreateRequest
from puna.convert.conversion import Conversion, Said
from puna.errors import ConvertError
from puna.gguf.reader import read_header
from puna.models.digest import Digest
from puna.models.workspace import FOLDER
from puna.service.create import Create
from tests.fakes.ggufs import make_tiny_adapter, make_tiny_llama, write_gguf
from tests.fakes.pulls import nothing_to_pull
from tests.service.world import JINJA, World, complaint, play

CHECKPOINT = {
    "config.json": b'{"architectures":["LlamaForCausalLM"]}',
    "model.safetensors": b"\x02\0\0\0\0\0\0\0{}",
    "1_Pooling/config.json": b"{}",
}
ADAPTER = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"\x02\0\0\0\0\0\0\0{}"}


@dataclass
class Player:
    """Plays the conversion: fills what it is to fill with the files that it has."""

    model: bytes = b""
    adapter: bytes = b""
    projector: bytes = b""
    failure: Exception | None = None
    seen: list[tuple[Conversion, dict[str, bytes]]] = field(default_factory=list)

    async def convert(self, work: Conversion) -> AsyncGenerator[Said, None]:
        files = {
            path.relative_to(work.source).as_posix(): path.read_bytes()
            for path in work.source.rglob("*")
            if path.is_file()
        }
        self.seen.append((work, files))
        yield Said(1, 2)
        work.target.write_bytes(self.model if work.kind == "model" else self.adapter)
        if self.projector:
            work.projector.write_bytes(self.projector)
        if self.failure is not None:
            raise self.failure
        yield Said(2, 2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return make_tiny_llama(path, chat_template=JINJA).read_bytes()


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_tiny_adapter(tmp_path_factory.mktemp("gguf") / "lora.gguf").read_bytes()


def creating(w: World, player: Player, **fields: Any) -> AsyncGenerator[Progress, None]:
    order = read_value(CreateRequest, {"model": "new", **fields})
    return Create(w.library, w.settings, nothing_to_pull, player.convert).create(order)


async def create(w: World, player: Player, **fields: Any) -> list[Progress]:
    return [step async for step in creating(w, player, **fields)]


async def send(w: World, files: dict[str, bytes]) -> dict[str, str]:
    return {name: await w.upload(data) for name, data in files.items()}


def projector(folder: Path) -> bytes:
    path = folder / "mmproj.gguf"
    write_gguf(path, {"general.architecture": "clip", "general.type": "projector"})
    return path.read_bytes()


def test_a_folder_becomes_a_model(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        player = Player(model=weights, projector=projector(tmp_path))
        files = await send(w, CHECKPOINT)
        steps = await create(w, player, files=files, system="Be kind.")
        ((work, seen),) = player.seen
        assert (work.kind, work.base, seen) == ("model", None, CHECKPOINT)
        layers = w.layers("new")
        assert list(layers) == ["model", "projector", "system"]
        assert w.blob(layers["model"][0]) == weights
        assert w.config("new")["model_family"] == "llama"
        assert w.config("new")["file_type"] == "unknown"
        bar = [step for step in steps if step.digest]
        total = sum(map(len, CHECKPOINT.values()))
        assert [(step.status, step.total, step.completed) for step in bar] == [
            ("converting model", total, total // 2),
            ("converting model", total, total),
        ]
        assert steps[0].status == "converting model"
        assert steps[-1].status == "success"
        assert not any((w.root / FOLDER).iterdir())

    play(tmp_path, scene, None)


def test_what_was_converted_is_quantised(tmp_path: Path, weights: bytes) -> None:
    """Only the quantised file stays."""

    async def scene(w: World) -> None:
        player = Player(model=weights)
        files = await send(w, CHECKPOINT)
        steps = await create(w, player, files=files, quantize="q8_0")
        assert "quantizing F32 model to Q8_0" in {step.status for step in steps}
        (digest,) = w.layers("new")["model"]
        header = read_header(w.library.blobs.path(Digest(digest)))
        assert {t.name: t.type_name for t in header.tensors}["output.weight"] == "Q8_0"
        assert w.config("new")["file_type"] == "Q8_0"
        assert weights not in w.files().values()

    play(tmp_path, scene, None)


def test_weights_of_eight_bits_stay_at_eight_bits(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        path = make_tiny_llama(tmp_path / "fp8.gguf")
        marked = with_key(path, "llama.source_quantization", "hf_fp8")
        files = await send(w, CHECKPOINT)
        await create(w, Player(model=marked), files=files)
        assert w.config("new")["file_type"] == "Q8_0"
        await create(w, Player(model=marked), files=files, quantize="f16")
        assert w.config("new")["file_type"] == "F16"

    play(tmp_path, scene, None)


def with_key(path: Path, key: str, value: str) -> bytes:
    """The file with one more key, put after the others by gguf's own writer."""
    target = path.with_suffix(".new")
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(target, "llama")
    added = {key: MetadataDetails(gguf.GGUFValueType.STRING, value)}
    copy_with_new_metadata(reader, writer, added, [])
    return target.read_bytes()


def test_an_adapter_is_converted_for_its_model(tmp_path: Path, weights: bytes, lora: bytes) -> None:
    async def scene(w: World) -> None:
        player = Player(model=weights, adapter=lora)
        await w.install("base", weights)
        files = await send(w, ADAPTER)
        steps = await create(w, player, adapters=files, **{"from": "base"})
        ((work, seen),) = player.seen
        assert (work.kind, seen) == ("adapter", ADAPTER)
        assert work.base is not None
        assert work.base.read_bytes() == weights
        assert w.blob(w.layers("new")["adapter"][0]) == lora
        assert {step.status for step in steps if step.digest} == {"converting adapter"}
        both = await send(w, CHECKPOINT)
        await create(w, player, files=both, adapters=files)
        assert list(w.layers("new")) == ["model", "adapter"]

    play(tmp_path, scene, None)


Spoil = Callable[[Player, dict[str, Any]], None]


def fails(player: Player, fields: dict[str, Any]) -> None:
    player.failure = ConvertError("cannot convert: model.safetensors: x.weight has NaN")


def makes_rubbish(player: Player, fields: dict[str, Any]) -> None:
    player.model = b"GGUF"


def makes_an_adapter(player: Player, fields: dict[str, Any]) -> None:
    player.model = player.adapter


def leads_out(player: Player, fields: dict[str, Any]) -> None:
    fields["files"]["../../x.json"] = fields["files"]["config.json"]


def adapter_leads_out(player: Player, fields: dict[str, Any]) -> None:
    fields["adapters"]["/etc/x.json"] = fields["adapters"]["adapter_config.json"]


def mixes(player: Player, fields: dict[str, Any]) -> None:
    fields["files"]["a.gguf"] = fields["files"]["config.json"]


def has_a_bad_template(player: Player, fields: dict[str, Any]) -> None:
    fields["template"] = "{{ .Prompt"


def has_a_bad_level(player: Player, fields: dict[str, Any]) -> None:
    fields["quantize"] = "q99"


def has_a_bad_adapter(player: Player, fields: dict[str, Any]) -> None:
    player.adapter = player.model


def misses_a_file(player: Player, fields: dict[str, Any]) -> None:
    fields["files"]["config.json"] = f"sha256:{'0' * 64}"


FAILURES: dict[str, tuple[Spoil, int, str, int]] = {
    "the conversion": (fails, 400, "cannot convert: model.safetensors: x.weight has NaN", 1),
    "what it made": (makes_rubbish, 500, "the conversion made a file that cannot be read", 1),
    "what it made is another thing": (
        makes_an_adapter,
        500,
        "the conversion made a file of kind adapter, not model",
        1,
    ),
    "a name that leads out": (leads_out, 400, "file path must be relative", 0),
    "an adapter's, too": (adapter_leads_out, 400, "file path must be relative", 1),
    "a mixture": (mixes, 400, "GGUF files and safetensors files cannot be one model", 0),
    "a template": (has_a_bad_template, 400, "template error", 0),
    "a level": (has_a_bad_level, 400, "unsupported quantization type Q99", 0),
    "the adapter, after the model was made": (
        has_a_bad_adapter,
        500,
        "the conversion made a file of kind model, not adapter",
        2,
    ),
    "a file that nobody sent": (misses_a_file, 400, "no such file or directory", 0),
}


@pytest.mark.parametrize(
    ("spoil", "status", "text", "conversions"), FAILURES.values(), ids=FAILURES
)
def test_what_goes_wrong_leaves_nothing(
    tmp_path: Path,
    weights: bytes,
    lora: bytes,
    spoil: Spoil,
    status: int,
    text: str,
    conversions: int,
) -> None:
    async def scene(w: World) -> None:
        player = Player(model=weights, adapter=lora)
        fields = {"files": await send(w, CHECKPOINT), "adapters": await send(w, ADAPTER)}
        spoil(player, fields)
        before = w.files()
        code, told = await complaint(create(w, player, **fields))
        assert (code, text in told) == (status, True), told
        assert len(player.seen) == conversions
        assert w.files() == before

    play(tmp_path, scene, None)


def test_an_adapter_needs_a_model(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        files = await send(w, ADAPTER)
        encoders = await send(w, {"mmproj.gguf": projector(tmp_path)})
        wrong = create(w, Player(), files=encoders, adapters=files)
        assert await complaint(wrong) == (400, "no base model was found")

    play(tmp_path, scene, None)


def test_who_leaves_ends_the_conversion_and_nothing_stays(tmp_path: Path, weights: bytes) -> None:
    async def scene(w: World) -> None:
        files = await send(w, CHECKPOINT)
        before = w.files()
        async with aclosing(creating(w, Player(model=weights), files=files)) as steps:
            async for step in steps:
                if step.digest:
                    break
        assert w.files() == before
        started = asyncio.Event()

        async def hang(work: Conversion) -> AsyncGenerator[Said, None]:
            work.target.write_bytes(weights)
            work.projector.write_bytes(weights)
            yield Said(1, 2)
            started.set()
            await asyncio.Event().wait()

        order = read_value(CreateRequest, {"model": "new", "files": files})
        service = Create(w.library, w.settings, nothing_to_pull, hang)

        async def whole() -> None:
            async for _ in service.create(order):
                pass

        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(whole())
            await started.wait()
            work.cancel()
        assert w.files() == before

    play(tmp_path, scene, None)


def test_configuration_is_read_where_it_lies(tmp_path: Path, weights: bytes) -> None:
    """Files of equal content are one blob, and still two files of the folder."""

    async def scene(w: World) -> None:
        same = {**CHECKPOINT, "generation_config.json": CHECKPOINT["1_Pooling/config.json"]}
        player = Player(model=weights)
        await create(w, player, files=await send(w, same))
        assert player.seen[0][1] == same
        assert json.loads(player.seen[0][1]["config.json"])

    play(tmp_path, scene, None)
