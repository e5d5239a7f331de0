"""Jinja chat templates from model files, rendered in a sandbox with limits.

The only place that knows jinja2. A template is a stranger's program: what it may call and look up
is listed, calls that count its steps are put into its parsed tree, and whatever it raises becomes
a TemplateError.
"""

from puna.prompt.jinja.meter import LIMITS, Limits
from puna.prompt.jinja.template import ChatTemplate

__all__ = ["LIMITS", "ChatTemplate", "Limits"]
