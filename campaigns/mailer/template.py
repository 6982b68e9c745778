"""A message template: written by a person, checked when it is saved, compiled once, rendered for each row.

The stages: `TemplateSource` → `check` (every fault at once) → `Renderer` → `Rendered`. Each has a file of its own;
this one is the door.
"""

from campaigns.mailer.template_check import (
    check,
    empty_fields,
    extras_used,
    fields_used,
    reference,
)
from campaigns.mailer.template_render import Renderer
from campaigns.mailer.template_result import (
    Cell,
    Rendered,
    RenderError,
    RenderLimits,
    TemplateFaults,
)
from campaigns.mailer.template_source import EXTRA_NAMES, TemplateFault, TemplateSource

__all__ = [
    "EXTRA_NAMES",
    "Cell",
    "RenderError",
    "RenderLimits",
    "Rendered",
    "Renderer",
    "TemplateFault",
    "TemplateFaults",
    "TemplateSource",
    "check",
    "empty_fields",
    "extras_used",
    "fields_used",
    "reference",
]
