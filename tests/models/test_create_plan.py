"""From commands to the parts of a create request: which are files, what wins, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.errors import InvalidOption, ModelfileError
from puna.models.create_plan import CreatePlan, make_create_plan
from puna.models.modelfile import parse_modelfile


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with two weight files and a folder of weights."""
    for name in ("a.gguf", "b.gguf", "set/x.gguf", "set/y.gguf"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"GGUF" + name.encode())
    return tmp_path


def plan(text: str, base: Path) -> CreatePlan:
    return make_create_plan(parse_modelfile(text), base)


def test_a_plan_of_everything(base: Path) -> None:
    found = plan(
        "FROM ./a.gguf\nTEMPLATE one\nTEMPLATE two\nSYSTEM s\nRENDERER r\nPARSER p\n"
        "REQUIRES v0.14.0\nLICENSE MIT\nLICENSE Apache-2.0\n"
        "MESSAGE user a: b\nMESSAGE assistant c\n"
        "PARAMETER stop x\nPARAMETER stop y\nPARAMETER top_k 3\nPARAMETER f16_kv true\n",
        base,
    )
    assert found == CreatePlan(
        files=(base / "a.gguf",),
        template="two",
        system="s",
        renderer="r",
        parser="p",
        requires="0.14.0",
        licenses=("MIT", "Apache-2.0"),
        messages=(("user", "a: b"), ("assistant", "c")),
        parameters={"stop": ["x", "y"], "top_k": 3},
        warnings=("warning: parameter f16_kv is deprecated",),
    )


def test_what_does_not_exist_is_a_model(base: Path) -> None:
    assert plan("FROM first\nFROM llama3.2:1b", base) == CreatePlan(from_="llama3.2:1b")
    assert plan("FROM " + "x" * 300, base).from_ == "x" * 300


def test_files_add_up(base: Path) -> None:
    found = plan("FROM a.gguf\nFROM b.gguf\nFROM ./a.gguf\nADAPTER b.gguf\nADAPTER a.gguf", base)
    assert found.files == (base / "a.gguf", base / "b.gguf")
    assert found.adapters == (base / "a.gguf",)
    assert found.warnings == (
        "warning: ADAPTER b.gguf is not used, only the last one is: make a model with it first, "
        "and start FROM that",
    )


@pytest.mark.parametrize("text", ["./absent", "../absent.gguf", "/absent/model", "~/absent"])
def test_a_path_that_does_not_exist_is_no_model(base: Path, text: str) -> None:
    with pytest.raises(ModelfileError, match=r"absent.*: no such file or directory"):
        plan(f"FROM {text}", base)


def test_a_folder_hides_a_model_of_its_name(base: Path) -> None:
    found = plan("FROM set", base)
    assert found.from_ == ""
    assert found.files == (base / "set" / "x.gguf", base / "set" / "y.gguf")


def test_drafts(base: Path) -> None:
    assert plan("FROM a.gguf\nDRAFT b.gguf", base).drafts == (base / "b.gguf",)
    (base / "link.gguf").symlink_to("a.gguf")
    with pytest.raises(
        ModelfileError, match="DRAFT must not reference the same local path as FROM"
    ):
        plan("FROM a.gguf\nDRAFT link.gguf", base)


REQUIRES = {"0.14.0": "0.14.0", "v1": "1", "1.2": "1.2", "v1.2.3-rc.1+b": "1.2.3-rc.1+b"}


@pytest.mark.parametrize(("text", "version"), REQUIRES.items())
def test_versions(base: Path, text: str, version: str) -> None:
    assert plan(f"FROM m\nREQUIRES {text}", base).requires == version


@pytest.mark.parametrize("text", ["latest", "1.02", "0.14.0.1", "V1", "1.2-rc"])
def test_bad_versions(base: Path, text: str) -> None:
    with pytest.raises(ModelfileError, match=r"requires must be a valid semver \(e.g. 0.14.0\)"):
        plan(f"FROM m\nREQUIRES {text}", base)


@pytest.mark.parametrize("command", ["ADAPTER", "DRAFT"])
def test_files_that_must_exist(base: Path, command: str) -> None:
    with pytest.raises(ModelfileError, match="no such file or directory"):
        plan(f"FROM m\n{command} absent.gguf", base)


def test_bad_parameters(base: Path) -> None:
    with pytest.raises(InvalidOption, match="unknown parameter ''"):
        plan("FROM m\nPARAMETER  temperature 1", base)
