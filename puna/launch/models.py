"""Which models a launch offers, and which ones do not suit agents. Facts: CLI spec, section 4.2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from puna.client.facts import ModelFacts, Recommendation

__all__ = ["Choice", "is_cloud_name", "is_old", "make_choices"]

OLD_FAMILIES = frozenset(
    {
        "codellama",
        "llama3",
        "llama3.1",
        "llama3.2",
        "llama3.3",
        "mistral",
        "qwen2.5",
        "qwen2.5-coder",
        "starcoder",
    }
)
OLD_TAGS = {"deepseek-r1": frozenset(("", "latest", "1.5b", "7b", "8b", "14b", "32b"))}
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """A model in the picker."""

    name: str
    about: str
    recommended: bool
    installed: bool


def is_cloud_name(name: str) -> bool:
    """Whether a name says that the model runs in a cloud: `m:cloud`, `m:8b-cloud`."""
    tag = name.rpartition(":")[2].casefold() if ":" in name else ""
    return tag == "cloud" or (tag.endswith("-cloud") and "/" not in tag)


def is_old(name: str) -> bool:
    """Whether a model is known not to work well as an agent."""
    family, _, tag = name.strip().casefold().rpartition("/")[2].partition(":")
    return family in OLD_FAMILIES or tag in OLD_TAGS.get(family, ())


def make_choices(
    installed: Sequence[ModelFacts],
    recommended: Iterable[Recommendation],
    checked: Sequence[str],
    *,
    cloud_off: bool,
) -> list[Choice]:
    """The models to choose from: the recommended ones in their order, then the installed ones,
    those in `checked` before others, then by name.
    """
    about = {one.model: one for one in recommended}
    here = {model.name.removesuffix(":latest"): model for model in installed}
    rows = [
        Choice(name, _description(one, is_here=name in here), True, name in here)
        for name, one in about.items()
    ]
    others = sorted(
        (name for name in here if name not in about),
        key=lambda name: (name not in checked, checked[:1] != [name], name.casefold()),
    )
    rows += [Choice(name, "", False, True) for name in others]
    return [
        row
        for row in rows
        if not is_old(row.name)
        and not (cloud_off and (is_cloud_name(row.name) or _remote(here, row)))
    ]


def _remote(here: dict[str, ModelFacts], row: Choice) -> bool:
    return row.installed and here[row.name].remote


def _description(one: Recommendation, *, is_here: bool) -> str:
    if is_here or is_cloud_name(one.model):
        return one.description
    size = f"~{one.vram_bytes / GIGABYTE:.1f}".removesuffix(".0") + "GB" if one.vram_bytes else ""
    return ", ".join(part for part in (one.description, size, "(not downloaded)") if part)
