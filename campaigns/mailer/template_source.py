"""What a template is made of, and the names that it may use."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["subject", "html", "text"]
PARTS: tuple[Part, ...] = ("subject", "html", "text")

#: Names that aren't merge fields; a column of the same name is reached by `row["…"]`.
#: The pipeline gives their values: `name` is the recipient's, `title` the campaign's, `note` HR's remark,
#: `password_hint` says how to open the attached payslip, `confirm_url` is the page where the employee confirms it,
#: `correction` names the earlier payslip that this one puts right.
EXTRA_NAMES = frozenset(
    [
        *("name", "address", "title", "note", "sender_name", "unsubscribe_url"),
        *("password_hint", "confirm_url", "correction"),
    ]
)
#: Those that are blank where the pipeline gives none.
OPTIONAL_EXTRA = EXTRA_NAMES - {"address", "unsubscribe_url"}

#: Words of the template language.
RESERVED = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "elif",
        "for",
        "endif",
        "endfor",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "row",
        "cells",
        "loop",
        "self",
    ]
)

#: Characters of each part, as written.
LONGEST: dict[Part, int] = {"subject": 500, "html": 200_000, "text": 100_000}


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """Subject, HTML and text part as a person wrote them; an empty text part is made from the HTML."""

    subject: str
    html: str
    text: str = ""

    def part(self, part: Part) -> str:
        return {"subject": self.subject, "html": self.html, "text": self.text}[part]


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """One fault of a template, at a line and column from 1. `kind` is for translation, `text` a sentence in Chinese.

    Kinds: unclosed, syntax, unknown_field, needs_row, row, call, filter, test, operator, attribute, literal, loop,
    statement, nesting, too_deep, too_long, empty, control, html, element, handler, url, style, tag_in_html, css, text_part.
    """

    part: Part
    line: int
    column: int
    kind: str
    text: str


def is_plain_name(name: str) -> bool:
    """Whether a merge field can be written `{{ name }}`; others need `{{ row["name"] }}`."""
    return name.isidentifier() and name not in RESERVED
