"""The amount that a cell shows, exactly: sums of money are made of these, never of binary fractions.

Source: Excel's number formats (ECMA-376 part 1, 18.8.31): thousands, currency, accounting brackets,
percent, and "-" for zero.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

_LONGEST = 40
#: Whole digits that a number of Excel's keeps; longer ones are names of things.
_DIGITS = 15
_PLAIN = re.compile(r"-?\d{1,15}(?:\.\d{1,10})?\Z", re.ASCII)
_CURRENCY = r"(?:[¥$€£]|RMB|CNY|(?:HK|NT|US)\$|人民币)?"
_SHOWN = re.compile(
    rf"(?P<before>[-+(]*){_CURRENCY}(?P<behind>[-+(]*)"
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d*)(?P<fraction>\.\d{1,10})?(?P<unit>[%元]?)\)*-?\Z",
    re.ASCII,
)
_MINUS = str.maketrans({"−": "-", "–": "-", "—": "-", "－": "-"})
_ZERO = frozenset({"-", "--", "¥-", "$-"})


class Amount(NamedTuple):
    """`places`: decimals that are shown; a percentage's value is its hundredth."""

    value: Decimal
    places: int
    percent: bool


def amount(text: str) -> Amount | None:
    """What a cell shows, or None where that is no number. A sign that only a colour says is not seen."""
    if _PLAIN.match(text):
        return Amount(Decimal(text), len(text.partition(".")[2]), False)
    if not text or len(text) > _LONGEST:
        return None
    bare = unicodedata.normalize("NFKC", text).translate(_MINUS)
    bare = "".join(bare.split())
    if bare in _ZERO:
        return Amount(Decimal(0), 0, False)
    found = _SHOWN.match(bare)
    if found is None:
        return None
    whole, fraction = found["whole"].replace(",", ""), found["fraction"] or ""
    if not (whole or fraction) or len(whole) > _DIGITS:
        return None
    signs = found["before"] + found["behind"]
    if bare.count("(") != bare.count(")") or len(signs) > 2:
        return None
    value = Decimal(f"{whole or 0}{fraction}")
    if "-" in signs or "(" in signs or bare.endswith("-"):
        value = -value
    percent = found["unit"] == "%"
    return Amount(value / 100 if percent else value, len(fraction[1:]), percent)


def shown(value: Decimal, places: int = 2) -> str:
    """With thousands and so many decimals: 1,230,067.00."""
    return f"{value:,.{places}f}"
