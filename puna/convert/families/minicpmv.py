"""MiniCPM-V and MiniCPM-o: the text model of another maker, by the version that the configuration
names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from puna.convert.config import Config
from puna.convert.families.phi import long_factors, long_keys
from puna.convert.family import Family, Keys, Named

_OTHERS = r"^(?:vpm|resampler|apm|audio_\w+|tts)\."


def _llama(config: Config) -> Keys:
    """MiniCPM 4 has two lists of factors for positions, as Phi 3."""
    if config.rope.text_of("rope_type", config.rope.text_of("type")) != "longrope":
        return {}
    return {"rope.scaling.type": "longrope", **long_keys(config)}


def _factors(config: Config, _names: Collection[str]) -> Iterable[Named]:
    return long_factors(config, config.rotary_size // 2)


_LLAMA = Family("llama", _llama, unrotate=True, more=_factors, drop=_OTHERS)
_VERSIONS = {
    "2.5": _LLAMA,
    "2.6": Family("qwen2", drop=_OTHERS),
    "4": _LLAMA,
    "4.0": _LLAMA,
    "4.5": Family("qwen3", drop=_OTHERS),
}


def _by_version(config: Config) -> Family:
    version = str(config.get("version"))
    if version not in _VERSIONS:
        raise config.bad("version", config.get("version"), f"one of {', '.join(_VERSIONS)}")
    return _VERSIONS[version]


_ANY = Family("qwen2", drop=_OTHERS, final=_by_version)

FAMILIES = {"MiniCPMV": _ANY, "MiniCPMO": _ANY}
