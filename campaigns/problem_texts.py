"""What a workbook's reader found, in the reader's language: the pure package's sentences, translated.

The keys are its kinds and the parameters are its own; a test keeps the Chinese of both the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from campaigns.workbooks.problems import ProblemKind, RejectKind

PROBLEMS: Mapping[ProblemKind, Promise] = {
    ProblemKind.NO_ADDRESS: _("{place} 没有邮箱地址，这一行没有收件人。"),
    ProblemKind.BAD_ADDRESS: _("{place} 的“{raw}”不是可用的邮箱地址：{reason}。"),
    ProblemKind.FORMULA_WITHOUT_VALUE: _(
        "{place} 的公式没有保存计算结果，请用 Excel 打开并保存后再上传。"
    ),
    ProblemKind.ERROR_VALUE: _("{place} 是错误值 {raw}。"),
    ProblemKind.LOST_DIGITS: _(
        "{place} 的数字 {raw} 超过 15 位，末尾的数字已丢失，请改为文本后重新填写。"
    ),
    ProblemKind.CANNOT_SHOW: _("{place} 的数字格式“{format}”无法按 Excel 的样子显示（值 {raw}）。"),
    ProblemKind.DUPLICATE_ADDRESS: _("{place} 的 {email} 与第 {first_row} 行重复。"),
    ProblemKind.DOMAIN_TYPO: _("{place} 的域名 {domain} 可能写错了，是否应为 {suggestion}？"),
    ProblemKind.LINK_DIFFERS: _("{place} 显示的地址与它的超链接 {link} 不同，按显示的地址读取。"),
    ProblemKind.SKIPPED_ROW: _("{place} 没有作为收件人读取：{reason}。"),
    ProblemKind.HIDDEN_SHEET: _("隐藏的工作表“{name}”没有读取。"),
    ProblemKind.HIDDEN_ROW: _("{place} 是隐藏行，没有读取。"),
    ProblemKind.HIDDEN_COLUMN: _("{place} 是隐藏列，没有读取。"),
    ProblemKind.TOTAL_DIFFERS: _("{place} 的合计 {shown} 与该列各行之和 {computed} 不一致。"),
    ProblemKind.NO_HEADER: _("{place} 没有找到表头，列以字母命名。"),
    ProblemKind.NO_ADDRESS_COLUMN: _("{place} 没有找到邮箱地址列。"),
    ProblemKind.SHEET_TO_CHOOSE: _("有多个工作表可以读取，请选择一个：{names}。"),
}

REJECTS: Mapping[RejectKind, Promise] = {
    RejectKind.PASSWORD: _("工作簿受密码保护，请提供打开密码（password required）。"),
    RejectKind.WRONG_PASSWORD: _("工作簿的打开密码不正确（wrong password）。"),
    RejectKind.SIZE: _("工作簿过大，超出大小限制：{detail}（size limit exceeded）。"),
    RejectKind.DAMAGED: _(
        "文件已损坏，无法读取：{detail}（damaged file）。请用 Excel 打开并另存后再试。"
    ),
    RejectKind.EMPTY: _("工作簿是空的：{detail}（empty workbook）。"),
    RejectKind.MARKUP: _(
        "文件含有 DOCTYPE 或实体声明，出于安全已拒绝（DOCTYPE or entity declaration refused）。"
    ),
    RejectKind.UNKNOWN_SHEET: _("没有名为“{detail}”的工作表（unknown sheet）。"),
    RejectKind.NOT_A_WORKBOOK: _(
        "这不是工作簿：{detail}（not a workbook）。请上传 xlsx、xls、ods 或 csv 文件。"
    ),
    RejectKind.UNSUPPORTED: _(
        "不支持这种格式：{detail}（unsupported format）。请用 Excel 另存为 .xlsx 后再试。"
    ),
    RejectKind.TIMEOUT: _(
        "读取工作簿用时过长或占用内存过多，已停止（size or time limit exceeded）。"
    ),
}

# What a rejection adds (WorkbookRejected.detail).
DETAILS = (
    gettext_noop("HTML 有错"),
    gettext_noop("内部的 XML 有错"),
    gettext_noop("内部的 XML 没有内容"),
    gettext_noop("加密的内容不完整"),
    gettext_noop("压缩包不完整"),
    gettext_noop("压缩包内有越界的路径"),
    gettext_noop("压缩数据有错"),
    gettext_noop("引号没有成对，或一格内容过长"),
    gettext_noop("数字不对"),
    gettext_noop("文字编码有错"),
    gettext_noop("旧版 .xls 的内容有错"),
    gettext_noop("有一个引号没有成对"),
    gettext_noop("缺少 content.xml"),
    gettext_noop("缺少 workbook.xml"),
    gettext_noop("缺少共享文字"),
    gettext_noop("缺少必要的部分"),
    gettext_noop("行号不对"),
    gettext_noop("打不开"),
    gettext_noop("文件没有内容"),
    gettext_noop("没有找到表头和数据行"),
    gettext_noop("HTML 里没有表格"),
    gettext_noop("文字编码无法识别"),
    gettext_noop("是 XML 文件"),
    gettext_noop("是二进制文件"),
    gettext_noop("是别的 Office 文档"),
    gettext_noop("是别的压缩包或文档"),
    gettext_noop("一行或一段内容过长"),
    gettext_noop("列数过多"),
    gettext_noop("单元格过多"),
    gettext_noop("合并单元格过多"),
    gettext_noop("文字内容过多"),
    gettext_noop("行数或列数过多"),
    gettext_noop("重复的行过多"),
    gettext_noop("读取它要用的内存过多"),
    gettext_noop("处理它要用的内存过多"),
    gettext_noop("XML 电子表格 2003"),
    gettext_noop("网页归档（mht）"),
    gettext_noop("PDF 文件"),
    gettext_noop("图片"),
    gettext_noop("程序"),
    gettext_noop("压缩包"),
    gettext_noop("RTF 文档"),
)
# Those that hold a number or a piece of the file, by the sentence around it.
_FILLED = (
    gettext_noop("文件有 {size} MB"),
    gettext_noop("内含 {number} 个部分"),
    gettext_noop("压缩比 {ratio} 倍"),
    gettext_noop("解压后有 {size} MB"),
    gettext_noop("第 {row} 行有 {number} 列"),
    gettext_noop("工作表“{sheet}”里没有数据"),
    gettext_noop("单元格位置“{cell}”不对"),
    gettext_noop("单元格位置 {cell} 超出 Excel 的范围"),
    gettext_noop("声称有 {number} 列"),
    gettext_noop("第 {row} 行的单元格顺序不对"),
    gettext_noop("数字“{text}”不对"),
)
FILLED = {
    sentence: re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*)", re.escape(sentence)), re.DOTALL)
    for sentence in _FILLED
}

# The reasons that stand in a problem's parameters, by the code that findings carry (`why`).
REASONS: Mapping[str, Promise] = {
    "not an address": _("格式不对"),
    "blank inside": _("中间有空格"),
    "line break inside": _("中间有换行"),
    "more than one @": _("有多个 @"),
    "misplaced dot": _("点号的位置不对"),
    "domain without a dot": _("域名不完整"),
    "bad domain": _("域名不正确"),
    "non-ASCII local part": _("@ 前面有非英文字符"),
    "too long": _("地址过长"),
    "total": _("合计行"),
    "subtotal": _("小计行"),
    "note": _("说明行"),
    "signature": _("签字行"),
    "title": _("标题行"),
    "repeated header": _("重复的表头"),
    "serial number only": _("只有序号"),
    "skipped by hand": _("手动略过"),
}


@dataclass(frozen=True)
class Group:
    """How the problems of one kind are headed, and how bad they are (components/problems.html)."""

    title: Promise
    severity: str


_ERROR, _WARNING, _NOTICE = "error", "warning", "notice"
GROUPS: Mapping[ProblemKind, Group] = {
    ProblemKind.SHEET_TO_CHOOSE: Group(_("工作表"), _NOTICE),
    ProblemKind.NO_ADDRESS_COLUMN: Group(_("没有邮箱地址列"), _ERROR),
    ProblemKind.BAD_ADDRESS: Group(_("不可用的邮箱地址"), _ERROR),
    ProblemKind.NO_ADDRESS: Group(_("没有邮箱地址"), _ERROR),
    ProblemKind.FORMULA_WITHOUT_VALUE: Group(_("公式没有结果"), _ERROR),
    ProblemKind.ERROR_VALUE: Group(_("错误值"), _ERROR),
    ProblemKind.LOST_DIGITS: Group(_("丢失了位数的数字"), _ERROR),
    ProblemKind.CANNOT_SHOW: Group(_("无法显示的数字格式"), _ERROR),
    ProblemKind.TOTAL_DIFFERS: Group(_("合计不一致"), _WARNING),
    ProblemKind.DUPLICATE_ADDRESS: Group(_("重复的地址"), _WARNING),
    ProblemKind.DOMAIN_TYPO: Group(_("域名可能写错"), _WARNING),
    ProblemKind.LINK_DIFFERS: Group(_("与超链接不同"), _WARNING),
    ProblemKind.NO_HEADER: Group(_("没有表头"), _WARNING),
    ProblemKind.SKIPPED_ROW: Group(_("没有读取的行"), _NOTICE),
    ProblemKind.HIDDEN_SHEET: Group(_("隐藏的工作表"), _NOTICE),
    ProblemKind.HIDDEN_ROW: Group(_("隐藏的行"), _NOTICE),
    ProblemKind.HIDDEN_COLUMN: Group(_("隐藏的列"), _NOTICE),
}


def place(problem: Mapping[str, Any]) -> str:
    """The cell, row or column in words; "" for a problem of the whole file."""
    sheet, row, column = problem["sheet"], problem["row"], problem["column"]
    name = gettext("“%(sheet)s”") % {"sheet": sheet} if sheet else ""
    if row is not None and column is not None:
        return f"{name}{column}{row}"
    if row is not None:
        return gettext("%(sheet)s第 %(row)s 行") % {"sheet": name, "row": row}
    if column is not None:
        return gettext("%(sheet)s%(column)s 列") % {"sheet": name, "column": column}
    return name


def problem_sentence(problem: Mapping[str, Any]) -> str:
    """`problem` is the JSON of a Problem; a kind that is not known here keeps its own sentence."""
    try:
        sentence = str(PROBLEMS[ProblemKind(problem["kind"])])
        params = dict(problem["params"])
        if "reason" in params:
            params["reason"] = gettext(params["reason"])
        return sentence.format(place=place(problem), **params)
    except (KeyError, ValueError):
        return str(problem["text"])


def reject_sentence(kind: str, detail: str, text: str = "") -> str:
    """Why nothing could be read; `text` is the stored sentence, for a kind that is not known here."""
    try:
        return str(REJECTS[RejectKind(kind)]).format(detail=detail_words(detail))
    except (KeyError, ValueError):
        return text


def detail_words(detail: str) -> str:
    """A rejection's detail, which may also be a name of the file's own."""
    for sentence, shape in FILLED.items():
        if found := shape.fullmatch(detail):
            return gettext(sentence).format(**found.groupdict())
    return gettext(detail) if detail else ""


def reason(why: str) -> str:
    """Why a row was left out, by its code."""
    return str(REASONS.get(why, why))
