"""Layout: which columns of a payroll a payslip shows, in which groups and order, under which labels.

The mail's table, its page and the encrypted file are all drawn from it. Values stay the texts that the sheet shows:
a layout chooses and names them, and never reads one as a number but to see whether it is zero.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from campaigns.documents.slip import Line

#: A payroll has some dozens of columns; a group of more than this many is no group.
MOST_GROUPS = 20
LONGEST_LABEL, LONGEST_COMPANY, LONGEST_NOTE = 100, 100, 1_000

#: What may stand around a zero: currency signs, units, brackets and dashes of accounting formats, separators.
_AROUND_ZERO = re.compile(r"[\s¥$€£元%(),:+\-−–—‐]|RMB|CNY", re.I)


class Hide(StrEnum):
    """When a column is left out of one person's slip."""

    NEVER = "never"
    EMPTY = "empty"
    ZERO = "zero"
    ALWAYS = "always"


class Accent(StrEnum):
    """Colours that stay legible on white, on paper and where a mail client inverts them."""

    TEAL = "teal"
    BLUE = "blue"
    GREEN = "green"
    PURPLE = "purple"
    RED = "red"
    GREY = "grey"


@dataclass(frozen=True, slots=True)
class Palette:
    """`strong` carries white text (contrast above 4.5), `soft` dark text, `dark` light text; each #rrggbb."""

    strong: str
    soft: str
    dark: str


PALETTES: Mapping[Accent, Palette] = {
    Accent.TEAL: Palette("#0b6b74", "#e1f0f1", "#1f3f43"),
    Accent.BLUE: Palette("#1456b8", "#e8eef7", "#2c3947"),
    Accent.GREEN: Palette("#1f6b3a", "#e4f2e8", "#1f3d2a"),
    Accent.PURPLE: Palette("#6237a0", "#efe9f7", "#392d4d"),
    Accent.RED: Palette("#a61b29", "#f9e8ea", "#4a262b"),
    Accent.GREY: Palette("#4a5560", "#eceff2", "#333b44"),
}


class LayoutFault(ValueError):
    """A row lacks what the layout shows. `column` is its name; no value is ever quoted."""

    def __init__(self, column: str) -> None:
        super().__init__(f"工作簿里没有“{column}”这一列")
        self.column = column


@dataclass(frozen=True, slots=True)
class Column:
    """`column` is its name in the workbook, `label` what the slip calls it."""

    column: str
    label: str
    hide: Hide = Hide.EMPTY
    strong: bool = False

    def shows(self, value: str) -> bool:
        """Whether a person with this value sees it."""
        if self.hide == Hide.ALWAYS:
            return False
        if self.hide == Hide.NEVER:
            return True
        return bool(value.strip()) and not (self.hide == Hide.ZERO and is_zero(value))


@dataclass(frozen=True, slots=True)
class Group:
    """Columns under one heading; without a name they stand without one."""

    name: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Groups in order, and what stands around them: company header, note to the employee, colour."""

    groups: tuple[Group, ...] = ()
    company: str = ""
    note: str = ""
    accent: Accent = Accent.TEAL

    @property
    def palette(self) -> Palette:
        return PALETTES[self.accent]

    def columns(self) -> Iterator[Column]:
        for group in self.groups:
            yield from group.columns

    def names(self) -> list[str]:
        """The workbook's columns that the layout knows, those that it hides included."""
        return [column.column for column in self.columns()]

    def missing(self, names: Iterable[str]) -> list[str]:
        """Columns of the layout that a workbook with these names lacks."""
        there = set(names)
        return [name for name in self.names() if name not in there]

    def unplaced(self, names: Iterable[str]) -> list[str]:
        """Columns of a workbook that the layout does not know: neither shown nor hidden by anybody's decision."""
        known = set(self.names())
        return [name for name in dict.fromkeys(names) if name not in known]

    def without(self, names: Iterable[str]) -> Layout:
        """The same without these columns."""
        gone = set(names)
        groups = (
            replace(group, columns=tuple(c for c in group.columns if c.column not in gone))
            for group in self.groups
        )
        return replace(self, groups=tuple(groups))

    def arranged(self, values: Mapping[str, str]) -> list[tuple[str, Line]]:
        """One person's lines with the columns that they come from. Raises `LayoutFault` for a column that the row lacks."""
        found: list[tuple[str, Line]] = []
        for group in self.groups:
            for column in group.columns:
                if column.column not in values:
                    if column.hide == Hide.ALWAYS:
                        continue
                    raise LayoutFault(column.column)
                value = values[column.column]
                if column.shows(value):
                    line = Line(column.label, value, group.name, column.strong)
                    found.append((column.column, line))
        return found

    def as_json(self) -> dict[str, Any]:
        """Texts, lists and booleans, for a column of the database."""
        return {
            "groups": [
                {
                    "name": group.name,
                    "columns": [
                        {
                            "column": column.column,
                            "label": column.label,
                            "hide": column.hide.value,
                            "strong": column.strong,
                        }
                        for column in group.columns
                    ],
                }
                for group in self.groups
            ],
            "company": self.company,
            "note": self.note,
            "accent": self.accent.value,
        }


def from_json(stored: Mapping[str, Any]) -> Layout:
    """What `as_json` wrote."""
    return Layout(
        tuple(
            Group(
                group["name"],
                tuple(
                    Column(one["column"], one["label"], Hide(one["hide"]), bool(one["strong"]))
                    for one in group["columns"]
                ),
            )
            for group in stored.get("groups", ())
        ),
        stored.get("company", ""),
        stored.get("note", ""),
        Accent(stored.get("accent", Accent.TEAL)),
    )


def is_zero(shown: str) -> bool:
    """Whether a text is how Excel shows nothing at all: 0, 0.00, ¥0.00, (0), 0%, 0:00, and "-" of accounting formats."""
    text = unicodedata.normalize("NFKC", shown).strip()
    digits = _AROUND_ZERO.sub("", text)
    return bool(text) and re.fullmatch(r"0*\.?0*", digits) is not None
