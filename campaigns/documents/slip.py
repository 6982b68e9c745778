"""Slip: what a payslip document says, whatever kind of file it becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

#: Lines of a slip, and characters of one text: a row of 16,384 columns is no payslip.
MOST_LINES = 500
LONGEST_TEXT = 2_000

#: What neither a PDF nor the XML of .xlsx can show: controls but tab and line feed, halves of pairs, non-characters.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class DocumentFault(ValueError):
    """A document can't be made. `kind` is `lines`, `length`, `password` or `program`; quotes no value."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class Line:
    """A label with its value as the sheet shows it; `strong` for what the reader looks for first."""

    label: str
    value: str
    group: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Slip:
    """One person's payslip. `company`, `note` and `footer` may be blank; lines of one group stand together.

    `soft` is the headings' colour as #rrggbb; `logo` a PNG or JPEG that `logo.inspect` took.
    """

    title: str
    name: str
    lines: Sequence[Line]
    company: str = ""
    note: str = ""
    footer: str = ""
    soft: str = "#e8eef7"
    logo: bytes = b""

    def checked(self) -> Slip:
        """Without characters that no document can show. Raises `DocumentFault` for what is too long."""
        if len(self.lines) > MOST_LINES:
            raise DocumentFault("lines", f"工资条超过 {MOST_LINES} 项")
        return replace(
            self,
            title=_shown(self.title),
            name=_shown(self.name),
            company=_shown(self.company),
            note=_shown(self.note),
            footer=_shown(self.footer),
            lines=[
                Line(_shown(line.label), _shown(line.value), _shown(line.group), line.strong)
                for line in self.lines
            ],
        )

    def grouped(self) -> Iterator[tuple[str, list[Line]]]:
        """Groups in the order of the sheet; one that is interrupted begins anew, as the sheet has it."""
        found: list[Line] = []
        for line in self.lines:
            if found and line.group != found[0].group:
                yield found[0].group, found
                found = []
            found.append(line)
        if found:
            yield found[0].group, found


def _shown(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise DocumentFault("length", f"有一项超过 {LONGEST_TEXT} 个字符")
    return _UNSHOWN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
