"""Built-in renderers: the prompt formats of families whose models bring no template of their own.

A manifest names one. Each family is a file; the table of names is `table.py`.
"""

from puna.prompt.renderers.table import RENDERERS, render, resolve

__all__ = ["RENDERERS", "render", "resolve"]
