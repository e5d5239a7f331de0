"""The names of CLIP's and SigLIP's encoders, which have had a part of their own within the tower,
and lost it again.
"""

from __future__ import annotations

__all__ = ["nested"]


def nested(name: str) -> str:
    """The name with the part, as the engine's tables have it."""
    if name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model."):
        return name.replace("vision_tower.", "vision_tower.vision_model.", 1)
    return name
