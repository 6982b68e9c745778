"""A layout made of nothing but the names of a payroll's columns, for HR to correct.

A merged parent ("应发/基本工资") says more than the leaf below it; where neither is known the column stands under 其他,
visible: what HR does not hide is never left out by a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from campaigns.documents.layout import Column, Group, Hide, Layout


class Part(StrEnum):
    """What a column is about, in the order in which a slip shows it."""

    PERSON = "person"
    TIME = "time"
    GROSS = "gross"
    DEDUCTION = "deduction"
    NET = "net"
    EMPLOYER = "employer"
    OTHER = "other"


#: Headings by part: in Chinese, and in English where the columns are.
HEADINGS = {
    Part.PERSON: ("个人信息", "Employee"),
    Part.TIME: ("考勤", "Attendance"),
    Part.GROSS: ("应发", "Earnings"),
    Part.DEDUCTION: ("扣款", "Deductions"),
    Part.NET: ("实发", "Net pay"),
    Part.EMPLOYER: ("公司承担", "Paid by the employer"),
    Part.OTHER: ("其他", "Other"),
}

_INSURED = (
    r"社保|社会保险|保险|養老|养老|医疗|醫療|失业|工伤|生育|大病|五险|一金|公积金|公積金|年金"
)
#: Tried in this order; the first that a name holds decides.
_WORDS: Sequence[tuple[Part, re.Pattern[str]]] = [
    (Part.NET, re.compile(r"实发|實發|实领|实付|到手|应付净|net\s*(?:pay|salary|wage|amount)|take.?home", re.I)),
    (Part.EMPLOYER, re.compile(rf"(?:公司|单位|企业|雇主).{{0,6}}(?:{_INSURED}|缴|承担|负担|部分)|(?:{_INSURED}).{{0,6}}[（(]?(?:公司|单位|企业)|employer", re.I)),
    (Part.TIME, re.compile(r"出勤|考勤|天数|工时|小时|加班时|时长|请假天|缺勤天|年假|调休|attendance|\bdays\b|\bhours\b", re.I)),
    (Part.DEDUCTION, re.compile(rf"扣|{_INSURED}|个税|個稅|所得税|代缴|罚|罰|借款|预支|房租|水电|会费|缺勤|迟到|旷工|事假|病假|deduct|\btax|insurance|pension|fund\b|withh", re.I)),
    (Part.GROSS, re.compile(r"应发|應發|应付|工资|薪|奖|獎|补贴|補貼|补助|津贴|津貼|绩效|績效|提成|佣金|加班|餐补|车补|房补|话补|全勤|年终|报销|补发|收入|底薪|计件|gross|salary|wage|bonus|allowance|commission|overtime|earning|\bpay\b|subsid", re.I)),
    (Part.PERSON, re.compile(r"工号|编号|序号|姓名|名字|部门|部門|中心|岗位|崗位|职位|職位|职务|级别|职级|入职|转正|离职|身份证|证件|手机|电话|银行|卡号|账号|帐号|开户|公司|单位|班组|工段|性别|年龄|邮箱|郵箱|月份|期间|日期|\bid\b|\bno\b|number|name|dept|department|position|title|grade|phone|mobile|bank|account|e-?mail|month|date", re.I)),
]  # fmt: skip
_PARENT_ONLY = re.compile(r"^(?:加项|增加|收入|earnings?|income)", re.I)
#: Known to the person himself, and nobody else's business: not in a slip unless HR wants it.
_PRIVATE = re.compile(
    r"身份证|证件号|卡号|账号|帐号|开户|银行|手机|电话|邮箱|郵箱|e-?mail|phone|mobile|bank|account",
    re.I,
)
_ROW_NUMBER = re.compile(r"^(?:序号|序號|编号|行号|no\.?|#|index)$", re.I)
_TOTAL = re.compile(r"合计|合計|总计|小计|总额|应发工资|应发金额|应扣|total|gross", re.I)


def guess(names: Iterable[str], *, hidden: Iterable[str] = ()) -> Layout:
    """A layout with every column in it once. `hidden` (address and name, which the mail says anyway) are kept out of sight."""
    unique = list(dict.fromkeys(names))
    english = _is_english(unique)
    by_part: dict[Part, list[Column]] = {part: [] for part in Part}
    out_of_sight = set(hidden)
    for name in unique:
        column = _column(name, part := part_of(name))
        if name in out_of_sight:
            column = replace(column, hide=Hide.ALWAYS)
        by_part[part].append(column)
    groups = (
        Group(HEADINGS[part][english], _labelled(columns))
        for part, columns in by_part.items()
        if columns
    )
    return Layout(tuple(groups))


def placed(layout: Layout, names: Iterable[str]) -> Layout:
    """The layout with these columns added, each at the end of the group that is about the same thing, or of a new one."""
    for name in layout.unplaced(names):
        part = part_of(name)
        at = _home(layout, part)
        column = _column(name, part)
        if at is None:
            heading = HEADINGS[part][_is_english([*layout.names(), name])]
            layout = replace(layout, groups=(*layout.groups, Group(heading, (column,))))
            continue
        group = layout.groups[at]
        grown = replace(group, columns=_labelled([*group.columns, column]))
        layout = replace(layout, groups=(*layout.groups[:at], grown, *layout.groups[at + 1 :]))
    return layout


def part_of(name: str) -> Part:
    """What a column is about: by its parent where that says so, else by its leaf."""
    parent, _slash, leaf = name.rpartition("/")
    if re.search(r"实发|實發|net\s*pay", leaf, re.I):
        return Part.NET
    if parent:
        if _PARENT_ONLY.search(parent):
            return Part.GROSS
        found = _by_words(parent)
        if found not in (None, Part.PERSON):
            # "社保/单位部分": the leaf says who bears it.
            return (
                Part.EMPLOYER
                if _by_words(f"{parent}{leaf}") == Part.EMPLOYER
                else found or Part.OTHER
            )
    return _by_words(leaf) or _by_words(parent) or Part.OTHER


def _by_words(text: str) -> Part | None:
    compact = re.sub(r"\s+", " ", text)
    return next((part for part, words in _WORDS if words.search(compact)), None)


def _column(name: str, part: Part) -> Column:
    leaf = name.rpartition("/")[2] or name
    label = leaf if _by_words(leaf) else name
    hide = Hide.EMPTY
    if _ROW_NUMBER.search(leaf) or (part in (Part.PERSON, Part.OTHER) and _PRIVATE.search(leaf)):
        hide = Hide.ALWAYS
    elif part == Part.NET or _TOTAL.search(leaf):
        hide = Hide.NEVER
    elif part in (Part.GROSS, Part.DEDUCTION, Part.EMPLOYER, Part.TIME):
        hide = Hide.ZERO
    return Column(name, label, hide, strong=part == Part.NET)


def _labelled(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Two leaves of one name in a group are told apart by their whole names."""
    labels = [column.label for column in columns]
    return tuple(
        replace(column, label=column.column) if labels.count(column.label) > 1 else column
        for column in columns
    )


def _home(layout: Layout, part: Part) -> int | None:
    """The group named for the part, or the one most of whose columns are about it."""
    for at, group in enumerate(layout.groups):
        if group.name in HEADINGS[part]:
            return at
    shares = [
        sum(part_of(column.column) == part for column in group.columns) / len(group.columns)
        if group.columns
        else 0.0
        for group in layout.groups
    ]
    best = max(shares, default=0.0)
    return shares.index(best) if best > 0.5 else None


def _is_english(names: Sequence[str]) -> bool:
    return sum(name.isascii() for name in names) * 2 > len(names)
