"""The month in a text, in the notations that payrolls are named by, and the same text for another month.

2026年10月, 2026-10, 2026/10, 2026.10, 202610, 10月, 十月, 二〇二六年十月, October 2026, Oct 2026. A day ("10月25日",
2026-10-25) is no payroll's month and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NUMERALS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
_DIGITS = "〇一二三四五六七八九"
_ENGLISH = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
            "October", "November", "December")  # fmt: skip
_WORDS = "|".join(
    f"{name}|{name[:3]}" if name != "September" else f"{name}|Sept|Sep" for name in _ENGLISH
)
_FOUND = re.compile(
    r"(?P<year>(?<!\d)(?:20)?\d\d)(?P<between>\s*年\s*)(?P<month>1[0-2]|0?[1-9])(?=\s*月(?!\s*\d+\s*[日号]))"
    r"|(?P<year2>(?<!\d)20\d\d)(?P<between2>[-/.])(?P<month2>1[0-2]|0?[1-9])(?![\d]|[-/.]\d)"
    r"|(?P<year3>(?<!\d)20\d\d)(?P<month3>1[0-2]|0[1-9])(?!\d)"
    rf"|(?P<year4>[2二][0〇零][{_DIGITS}零]{{2}})(?P<between4>年)(?P<month4>十[一二]?|[一二三四五六七八九])(?=月)"
    r"|(?<!\d)(?P<month5>1[0-2]|0?[1-9])(?=\s*月(?!\s*\d+\s*[日号])(?!内))"
    r"|(?<![一二三四五六七八九十第])(?P<month6>十[一二]?|[一二三四五六七八九])(?=月)"
    rf"|\b(?P<month7>{_WORDS})\b(?P<between7>[\s,./-]*)(?P<year7>20\d\d)?",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Month:
    """`year` is None where the text says none."""

    month: int
    year: int | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a month stands, and how it is written there."""

    found: re.Match[str]
    month: Month


def month_of(text: str) -> Month | None:
    """The first month in it that has a year, else the first one; None without any."""
    places = [place.month for place in _places(text)]
    with_year = [month for month in places if month.year is not None]
    return next(iter(with_year or places), None)


def steps_between(earlier: str, later: str) -> int:
    """How many months the later text is ahead; 1 where either says none, or what they say leads backwards."""
    one, two = month_of(earlier), month_of(later)
    if one is None or two is None:
        return 1
    if one.year is not None and two.year is not None:
        steps = (two.year - one.year) * 12 + two.month - one.month
        return steps if steps >= 0 else 1
    return (two.month - one.month) % 12


def moved_on(text: str, steps: int = 1) -> str:
    """Every month of the text so many months later, in its own notation; the year follows where it is written."""
    made, at = [], 0
    for place in _places(text):
        made += [text[at : place.found.start()], _written(place, steps)]
        at = place.found.end()
    return "".join((*made, text[at:]))


def without_months(text: str) -> str:
    """The text with every month the same word, for comparing what else it says."""
    made, at = [], 0
    for place in _places(text):
        made += [text[at : place.found.start()], "某"]
        at = place.found.end()
    return "".join((*made, text[at:]))


def _places(text: str) -> Iterator[_Place]:
    for found in _FOUND.finditer(text):
        month, year = _group(found, "month"), _group(found, "year")
        # Without a year "may" is a verb.
        if found["month7"] and not found["year7"] and found["month7"].lower() == "may":
            continue
        yield _Place(found, Month(_month(month), _year(year) if year else None))


def _group(found: re.Match[str], name: str) -> str:
    groups = (f"{name}{number}" for number in ("", 2, 3, 4, 5, 6, 7))
    return next((found[key] for key in groups if key in found.groupdict() and found[key]), "")


def _month(word: str) -> int:
    if word.isdecimal():
        return int(word)
    if word in _NUMERALS:
        return _NUMERALS.index(word) + 1
    return [name[:3].lower() for name in _ENGLISH].index(word[:3].lower()) + 1


def _year(word: str) -> int:
    digits = "".join(
        "0" if sign == "零" else str(_DIGITS.index(sign)) if sign in _DIGITS else sign
        for sign in word
    )
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _written(place: _Place, steps: int) -> str:
    found, counted = place.found, (place.month.year or 0) * 12 + place.month.month - 1 + steps
    year, number = counted // 12, counted % 12 + 1
    old_month, old_year = _group(found, "month"), _group(found, "year")
    in_digits = bool(found["month2"] or found["month3"]) and len(old_month) == 2
    month = _as(old_month, number, padded=in_digits)
    if not old_year:
        return found[0].replace(old_month, month, 1)
    said = _year_as(old_year, year)
    between = _group(found, "between")
    return f"{month}{between}{said}" if found["month7"] else f"{said}{between}{month}"


def _as(old: str, number: int, *, padded: bool) -> str:
    if old.isdecimal():
        return f"{number:02d}" if padded or old.startswith("0") else str(number)
    if old in _NUMERALS:
        return _NUMERALS[number - 1]
    name = _ENGLISH[number - 1]
    short = len(old) < 5 and old.lower() not in ("may", "june", "july")
    name = name[:3] if short else name
    return name.upper() if old.isupper() else name


def _year_as(old: str, year: int) -> str:
    if old.isdecimal():
        return str(year)[-len(old) :]
    zero = "零" if "零" in old else "〇"
    return "".join(zero if digit == "0" else _DIGITS[int(digit)] for digit in str(year))
