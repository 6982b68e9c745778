"""A program that reports in prose: how to recognise it, and what it says that no other does."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Writer:
    """`marks` are phrases in lower case (blanks single), one of which occurs in the report's subject,
    sender or text. `recipient` finds an address line where the general rules would not (group 1).
    `causes` are (phrase in lower case, cause) that this program means beyond doubt.
    `sure` says that a report with a mark is one, whatever else it holds.
    """

    name: str
    marks: tuple[str, ...]
    recipient: re.Pattern[str] | None = None
    causes: tuple[tuple[str, str], ...] = ()
    sure: bool = False

    def recognises(self, text: str) -> bool:
        return any(mark in text for mark in self.marks)

    def cause_in(self, text: str) -> str | None:
        """The cause that the text names in this program's own words."""
        return next((cause for phrase, cause in self.causes if phrase in text), None)
