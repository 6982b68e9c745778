"""Chinese numerals as Excel's [DBNum1] (一二三) and [DBNum2] (壹贰叁) write them."""

from __future__ import annotations

_DIGITS = {1: "〇一二三四五六七八九", 2: "零壹贰叁肆伍陆柒捌玖"}
_UNITS = {1: ("", "十", "百", "千"), 2: ("", "拾", "佰", "仟")}
_GROUPS = ("", "万", "亿", "万亿")


def digits_in_chinese(shown: str, style: int) -> str:
    """Each digit by itself: 2021 → 二〇二一."""
    return "".join(_DIGITS[style][int(c)] if c.isdigit() else c for c in shown)


def number_in_chinese(shown: str, style: int) -> str:
    """A plain decimal with its units: -12345.6 → -壹万贰仟叁佰肆拾伍.陆 (style 2)."""
    sign = "-" if shown.startswith("-") else ""
    whole, dot, fraction = shown.lstrip("-").partition(".")
    return sign + _whole(int(whole), style) + dot + digits_in_chinese(fraction, style)


def _whole(number: int, style: int) -> str:
    if number == 0:
        return _DIGITS[style][0]
    text = ""
    pending_zero = False
    for power in range(len(str(number)) - 1, -1, -1):
        digit = number // 10**power % 10
        if digit:
            text += (_DIGITS[style][0] if pending_zero else "") + _DIGITS[style][digit]
            text += _UNITS[style][power % 4]
        pending_zero = not digit and (pending_zero or bool(text))
        if power % 4 == 0 and power and number // 10**power % 10**4:
            text += _GROUPS[power // 4]
    return text
