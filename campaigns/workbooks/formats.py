"""A number as Chinese Excel shows it, by its number format (ECMA-376 part 1, 18.8.30 and 18.8.31).

numfmt does the work in an embedded JavaScript engine. In Python are only what it lacks (上午/下午,
aaa, [DBNum1], [DBNum2], `!` as escape) and the commonest plain formats, for speed; a property test
holds those equal to numfmt. What cannot be shown rightly raises CannotShow, never a wrong text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import quickjs  # type: ignore[import-untyped]

from campaigns.workbooks.numerals import digits_in_chinese, number_in_chinese
from campaigns.workbooks.plain_formats import Show, far_from_tie, plain_format, rounded

#: The formats that have an id but no code in the file, as Chinese Excel shows them.
BUILTIN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00",
    5: '"¥"#,##0;"¥"-#,##0', 6: '"¥"#,##0;[Red]"¥"-#,##0',
    7: '"¥"#,##0.00;"¥"-#,##0.00', 8: '"¥"#,##0.00;[Red]"¥"-#,##0.00',
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: "yyyy/m/d", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy/m/d h:mm",
    27: 'yyyy"年"m"月"', 28: 'm"月"d"日"', 29: 'm"月"d"日"', 30: "m/d/yy",
    31: 'yyyy"年"m"月"d"日"', 32: 'h"时"mm"分"', 33: 'h"时"mm"分"ss"秒"',
    34: '上午/下午h"时"mm"分"', 35: '上午/下午h"时"mm"分"ss"秒"', 36: 'yyyy"年"m"月"',
    37: "#,##0;-#,##0", 38: "#,##0;[Red]-#,##0", 39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;[Red]-#,##0.00",
    41: '_ * #,##0_ ;_ * -#,##0_ ;_ * "-"_ ;_ @_ ',
    42: '_ "¥"* #,##0_ ;_ "¥"* -#,##0_ ;_ "¥"* "-"_ ;_ @_ ',
    43: '_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ',
    44: '_ "¥"* #,##0.00_ ;_ "¥"* -#,##0.00_ ;_ "¥"* "-"??_ ;_ @_ ',
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    50: 'yyyy"年"m"月"', 51: 'm"月"d"日"', 52: 'yyyy"年"m"月"', 53: 'm"月"d"日"',
    54: 'm"月"d"日"', 55: '上午/下午h"时"mm"分"', 56: '上午/下午h"时"mm"分"ss"秒"',
    57: 'yyyy"年"m"月"', 58: 'm"月"d"日"',
}  # fmt: skip

#: How these ids show a negative depends on the maker's Windows: brackets outside China (and in ECMA's list).
BUILTIN_WITH_BRACKETS = BUILTIN | {
    37: "#,##0_);(#,##0)", 38: "#,##0_);[Red](#,##0)",
    39: "#,##0.00_);(#,##0.00)", 40: "#,##0.00_);[Red](#,##0.00)",
    41: '_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)',
    43: '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)',
}  # fmt: skip

#: Days that the 1904 system counts from later than the 1900 one.
DAYS_1904 = 1462
#: A number has 15 significant digits in Excel; a longer whole number has lost its last ones.
DIGITS_LOST_FROM = 1e15

_TOKEN = re.compile(
    r'"[^"]*"?|[\\!_*].|\[[^\]]*\]?|上午/下午|General|a{3,}|y+|e+|m+|d+|.', re.I | re.S
)
#: Colours change no text; the Chinese names of them are unknown to numfmt.
_CHINESE_COLOUR = re.compile(r"\[(?:黑|红|蓝|绿|黄|白|青|洋红)色\]|\[颜色\s*\d+\]")
_LOCALE = re.compile(r"^\[\$[^-\]]*-([0-9A-F]+)(?:,[^\]]*)?\]$", re.I)
_WEEKDAYS = "日一二三四五六"
_CACHE_SIZE = 10_000


class CannotShow(Exception):
    """The format shows something that this code would get wrong (another calendar, a date below zero)."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A format code taken apart once: numfmt's pattern, or the way around it."""

    tokens: tuple[str, ...]
    locale: str
    kind: str  # "date", "time" or ""
    numerals: int = 0
    show: Show | None = None


class NumberFormats:
    """Shows numbers; one per workbook, since it caches by format and value. Not thread-safe."""

    def __init__(self, *, date1904: bool = False) -> None:
        #: Whether the workbook counts its days from 1904.
        self.date1904 = date1904
        self._plans: dict[str, _Plan | CannotShow] = {}
        self._shown: dict[tuple[str, float], str] = {}
        context = quickjs.Context()
        context.set_memory_limit(64 << 20)
        context.set_time_limit(5)
        context.eval(Path(__file__).with_name("numfmt.js").read_text(encoding="utf-8"))
        self._show_number = context.get("showNumber")
        self._date_parts = context.get("dateParts")

    def show(self, code: str, value: float) -> str:
        """What a cell of this value and format shows, outer padding removed.

        Raises CannotShow. The value is below DIGITS_LOST_FROM; the caller reports greater ones.
        """
        plan = self._plan(code)
        if plan.show:
            return plan.show(value)
        shown = self._shown.get((code, value))
        if shown is None:
            shown = self._render(plan, value)
            if len(self._shown) >= _CACHE_SIZE:
                self._shown.clear()
            self._shown[code, value] = shown
        return shown

    def _plan(self, code: str) -> _Plan:
        plan = self._plans.get(code)
        if plan is None:
            try:
                plan = self._make_plan(code)
            except CannotShow as error:
                plan = error
            self._plans[code] = plan
        if isinstance(plan, CannotShow):
            raise plan
        return plan

    def _make_plan(self, code: str) -> _Plan:
        code = _CHINESE_COLOUR.sub("", code.replace("G/通用格式", "General"))
        if code.strip().lower() in ("general", "@", ""):
            return _Plan((), "en-US", "", show=show_general)
        if show := plain_format(code):
            return _Plan((), "en-US", "", show=show)
        tokens, locale, numerals = _take_apart(code)
        kind = self._call(self._date_parts, "".join(tokens))
        weekdays = any(token.lower().startswith("aaa") for token in tokens)
        if weekdays:
            kind = "date"
        else:
            tokens = tokens if numerals else ["".join(tokens)]
            self._call(self._show_number, "".join(tokens), 1.0, locale)
        return _Plan(tuple(tokens), locale, kind, numerals)

    def _render(self, plan: _Plan, value: float) -> str:
        if plan.kind:
            if plan.kind == "date" and self.date1904:
                value += DAYS_1904
            if value < 0 or value >= 2_958_466:
                raise CannotShow("Excel shows ##### for a date out of its range")
        if plan.numerals:
            return self._render_chinese(plan, value)
        shown = self._numfmt(plan.tokens, value, plan.locale).strip(" ")
        if shown.startswith("####"):
            raise CannotShow("no section of the format is for this value")
        return shown

    def _numfmt(self, tokens: tuple[str, ...], value: float, locale: str) -> str:
        pattern = tokens[0]
        if len(tokens) > 1:
            pattern = "".join(_literal_weekday(token, value) for token in tokens)
        if abs(value) >= 1e11 and value.is_integer():
            pattern = re.sub("general", "0", pattern, flags=re.I)
        return self._call(self._show_number, pattern, value, locale)

    def _call(self, function: Callable[..., object], *args: str | float) -> str:
        try:
            return str(function(*args))
        except quickjs.JSException as error:
            raise CannotShow("not a number format") from error

    def _render_chinese(self, plan: _Plan, value: float) -> str:
        """[DBNum1] and [DBNum2]: whole numbers with units, codes by digit, dates in words."""
        parts = []
        for token in plan.tokens:
            lower = token.lower()
            if lower == "general":
                parts.append(number_in_chinese(show_general(value), plan.numerals))
            elif token.startswith('"'):
                parts.append(token.strip('"'))
            elif token.startswith("\\"):
                parts.append(token[1:])
            elif plan.kind == "date" and lower in ("yyyy", "e"):
                parts.append(
                    digits_in_chinese(self._numfmt((token,), value, "en-US"), plan.numerals)
                )
            elif plan.kind == "date" and lower in ("m", "d"):
                day = self._numfmt((token,), value, "en-US")
                parts.append(
                    number_in_chinese(day, plan.numerals).removeprefix(
                        "一" if len(day) == 2 and day[0] == "1" else "\0"
                    )
                )
            elif not token.startswith("["):
                parts.append(self._chinese_digits_or_refuse(plan, token, value))
        return "".join(parts)

    def _chinese_digits_or_refuse(self, plan: _Plan, token: str, value: float) -> str:
        if plan.kind or token != "0" or plan.tokens.count("0") != 1:  # noqa: S105
            raise CannotShow("Chinese numerals in this format")
        return digits_in_chinese(f"{rounded(value, 0):f}", plan.numerals)


def _take_apart(code: str) -> tuple[list[str], str, int]:
    """numfmt's tokens for a code of Excel's, the locale of its names, and DBNum's number."""
    tokens: list[str] = []
    locale, numerals = "en-US", 0
    for token in _TOKEN.findall(code):
        if token.startswith("!"):
            tokens.append("\\" + token[1:])
        elif token.startswith("上午"):
            locale = "zh-CN"
            tokens.append("AM/PM")
        elif token.lower().startswith("[dbnum"):
            numerals = int(token[6:-1]) if token[6:-1] in ("1", "2") else 3
        else:
            if token.upper().startswith(("[$-F800", "[$-F400", "[$-X-SYS")):
                locale = "zh-CN"
            tokens.append(token)
    _refuse_other_calendars(tokens)
    if numerals == 3 or (numerals and ";" in tokens):
        raise CannotShow("Chinese numerals in this format")
    return tokens, locale, numerals


def _refuse_other_calendars(tokens: list[str]) -> None:
    """Lunar, Japanese and Taiwan's years, and digits of other scripts: numfmt would ignore them."""
    codes = [int(match[1], 16) for token in tokens if (match := _LOCALE.match(token))]
    eras = any(
        token.lower().startswith(("e", "g")) and token.lower() != "general" for token in tokens
    )
    for code in codes:
        if code in (0xF800, 0xF400):
            continue
        calendar, numeral = (code >> 16) & 0xFF, code >> 24
        foreign = code & 0xFFFF in (0x404, 0x411, 0x412)
        if calendar > 1 or numeral > 1 or (eras and foreign):
            raise CannotShow("a calendar or digits of another kind")


def _literal_weekday(token: str, value: float) -> str:
    """aaa is 日 and aaaa 星期日 in Chinese Excel; day 1 is a Sunday, by its count of 1900."""
    if not token.lower().startswith("aaa"):
        return token
    day = _WEEKDAYS[int(value - 1) % 7]
    return f'"星期{day}"' if len(token) > 3 else f'"{day}"'


def show_general(value: float) -> str:
    """General: 11 characters wide, but whole numbers (IDs, cards, phones) keep all their digits."""
    if value.is_integer():
        return str(int(value))
    size = abs(value)
    if size >= 1e11:
        return f"{value:.15g}"
    if size < 1e-4:
        return _general_small(value)
    decimals = max(0, 10 - len(str(int(size))))
    if far_from_tie(size, decimals):
        shown = f"{value:.{decimals}f}"
    else:
        shown = f"{rounded(value, decimals):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def show_lost_digits(value: float) -> str:
    """A number of 16 digits or more with the zeros that Excel has put in the place of the last ones."""
    return f"{Decimal(f'{value:.15g}'):f}" if abs(value) < 1e30 else str(value)


def _general_small(value: float) -> str:
    shown = f"{rounded(value, 9):f}".rstrip("0").rstrip(".")
    if float(shown) == float(f"{value:.15g}"):
        return shown
    mantissa, exponent = f"{value:.5E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{exponent}"
