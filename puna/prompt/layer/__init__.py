"""Template layers: the Go templates of manifests, run over the messages of a chat."""

from puna.prompt.layer.template import PLAIN, LayerTemplate

__all__ = ["PLAIN", "LayerTemplate"]
