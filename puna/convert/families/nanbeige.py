"""Nanbeige: Llama whose layers are passed several times."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import llama3_factors


def _keys(config: Config) -> Keys:
    return {
        "num_loops": max(config.whole("num_loops", 1), 1),
        "skip_loop_final_norm": config.flag("skip_loop_final_norm"),
    }


FAMILIES = {
    "NanbeigeForCausalLM": Family("nanbeige", _keys, unrotate=True, more=llama3_factors),
}
