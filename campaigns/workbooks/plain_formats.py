"""The number formats that payrolls are full of, shown without numfmt: fixed decimals, thousands,
percent, with literals, brackets, accounting padding and up to three sections.

Nothing else is tried here; a property test holds every result equal to numfmt's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

_SECTION = re.compile(
    r'((?:"[^"]*"|\\.|[_*].|[-()¥￥ $])*)(#,##)?0(?:\.(0+))?(%)?((?:"[^"]*"|\\.|[_*].|[-() ])*)\Z',
    re.S,
)
_ZERO = re.compile(r'(?:"[^"]*"|\\.|[_*].|[-()¥￥ $?])*\Z', re.S)
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|(_.|\*.)|(\?)|(.)', re.S)
_COLOUR = re.compile(r"\A\[(?:red|black|blue|green|white|yellow|cyan|magenta|color\d+)\]", re.I)
_SPLIT = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*\Z)')
_QUANTA = [Decimal(1).scaleb(-digits) for digits in range(31)]

Show = Callable[[float], str]


def rounded(value: float, decimals: int, shift: int = 0) -> Decimal:
    """Rounded half away from zero on the 15 digits that Excel knows: 1.005 is 1.01."""
    exact = Decimal(f"{value:.15g}")
    return (exact.scaleb(shift) if shift else exact).quantize(_QUANTA[decimals], ROUND_HALF_UP)


def far_from_tie(size: float, decimals: int) -> bool:
    """Whether a size, rounded to so many decimals, is the same however ties and the 16th digit go."""
    scaled = size * 10.0**decimals
    return scaled < 1e10 and not 0.499 < scaled % 1 < 0.501


def plain_format(code: str) -> Show | None:
    """A function for this format code, or None if it has anything beyond the plain parts."""
    sections = [_COLOUR.sub("", section) for section in _SPLIT.split(code)]
    if len(sections) > 4 or (len(sections) == 4 and "@" not in sections.pop()):
        return None
    if len(sections) > 1 and "@" in sections[-1]:
        return None
    shows = [_section(section) for section in sections[:2]]
    zero = _literal(sections[2]) if len(sections) == 3 else None
    if None in shows or (len(sections) == 3 and zero is None):
        return None
    positive, negative = shows[0], shows[-1]
    if positive is None or negative is None:
        return None
    signed = len(shows) == 1

    def show(value: float) -> str:
        if value == 0:  # -0.0 too
            return positive(0.0, False) if zero is None else zero
        if value < 0:
            return negative(-value, signed)
        return positive(value, False)

    return show


def _literal(section: str) -> str | None:
    """A zero section of literals alone, padding and the digits that it leaves blank removed."""
    return _text(section).strip(" ") if _ZERO.match(section) else None


def _text(part: str) -> str:
    return "".join(
        m[1] or m[2] or m[5] or " " if not m[0].startswith(("*", '""')) else ""
        for m in _LITERAL.finditer(part)
    )


def _section(section: str) -> Callable[[float, bool], str] | None:
    match = _SECTION.match(section)
    if match is None or len(match[3] or "") > 15:
        return None
    prefix, suffix = _text(match[1]), _text(match[5])
    decimals, shift = len(match[3] or ""), 2 if match[4] else 0
    spec = f"{',' if match[2] else ''}.{decimals}f"
    tail = (match[4] or "") + suffix

    def show(size: float, signed: bool) -> str:
        number: float | Decimal = size
        if shift or not far_from_tie(size, decimals):
            number = rounded(size, decimals, shift)
        elif signed and size * 10.0**decimals < 0.5:
            number = 0
        sign = "-" if signed and number else ""
        return f"{sign}{prefix}{number:{spec}}{tail}".strip(" ")

    return show
