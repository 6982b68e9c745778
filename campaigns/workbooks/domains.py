"""Domains that are probably typing errors of the mailboxes that people in China really use."""

from __future__ import annotations

from functools import lru_cache

_KNOWN = (
    "qq.com", "vip.qq.com", "foxmail.com", "163.com", "vip.163.com", "126.com", "vip.126.com",
    "yeah.net", "188.com", "139.com", "189.cn", "wo.cn", "sina.com", "sina.cn", "vip.sina.com",
    "sohu.com", "aliyun.com", "tom.com", "21cn.com", "263.net", "gmail.com", "outlook.com",
    "hotmail.com", "live.com", "live.cn", "msn.com", "yahoo.com", "yahoo.com.cn", "icloud.com",
    "me.com", "protonmail.com", "googlemail.com", "sina.com.cn", "qq.cn", "163.net",
)  # fmt: skip
#: Real ones that look like typing errors.
_REAL = {"mail.com", "email.com", "ymail.com", "aol.com", "outlook.cn", "hotmail.cn", "gmx.com",
         "139.cn", "163.cn", "126.cn", "yahoo.cn", "alibaba.com", "aliyun.cn", "live.hk"}  # fmt: skip
_COM_TYPOS = frozenset(
    ("con", "cm", "co", "om", "vom", "cim", "comm", "cmo", "ocm", "c0m", "xom", "cpm", "coom",
     "ccom", "coml", "cop", "cok", "conm", "con.cn")
)  # fmt: skip
_NAME_TYPOS = {
    "qq": {"qqq", "q", "wq", "qw", "aq", "qa"},
    "163": {"1663", "1163", "1633", "16", "l63"},
    "126": {"1226", "1126", "1266", "l26"},
}


@lru_cache(maxsize=4096)
def suggest(domain: str) -> str | None:
    """The known domain that this one (lower case, A-labels) was probably meant to be, or None."""
    if domain in _KNOWN or domain in _REAL:
        return None
    name, _, ending = domain.partition(".")
    if f"{name}.com" in _KNOWN and (ending in _COM_TYPOS):
        return f"{name}.com"
    com = "com" if ending in _COM_TYPOS else ending
    for known in _KNOWN:
        known_name, _, known_ending = known.partition(".")
        if com != known_ending:
            continue
        if name in _NAME_TYPOS.get(known_name, ()):
            return known
        if len(known_name) >= 4 and _one_slip(name, known_name):
            return known
    return None


def _one_slip(typed: str, meant: str) -> bool:
    """One letter more, less, other, or two neighbours swapped (Damerau-Levenshtein distance 1)."""
    if abs(len(typed) - len(meant)) > 1 or typed == meant:
        return False
    at = next((i for i, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), None)
    if at is None:
        return True
    if len(typed) < len(meant):
        return typed[at:] == meant[at + 1 :]
    if len(typed) > len(meant):
        return typed[at + 1 :] == meant[at:]
    swapped = typed[at : at + 2] == meant[at : at + 2][::-1] and typed[at + 2 :] == meant[at + 2 :]
    return swapped or typed[at + 1 :] == meant[at + 1 :]
