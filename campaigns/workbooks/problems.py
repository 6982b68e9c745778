"""What a workbook's reader could not take, as codes with parameters and as ready Chinese sentences.

The Django side translates by `kind` and `params`: `gettext(MESSAGES[kind]) % params`, with the
English message kept beside its own catalogue; `text` is the Chinese sentence for the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RejectKind(StrEnum):
    """Why nothing at all could be read."""

    PASSWORD = "password"  # noqa: S105
    WRONG_PASSWORD = "wrong-password"  # noqa: S105
    SIZE = "size"
    DAMAGED = "damaged"
    EMPTY = "empty"
    MARKUP = "doctype"
    UNKNOWN_SHEET = "unknown-sheet"
    NOT_A_WORKBOOK = "not-a-workbook"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"


#: Each sentence names its cause in both languages: scripts look for either.
REJECT_SENTENCES: Mapping[RejectKind, str] = {
    RejectKind.PASSWORD: "工作簿受密码保护，请提供打开密码（password required）。",
    RejectKind.WRONG_PASSWORD: "工作簿的打开密码不正确（wrong password）。",
    RejectKind.SIZE: "工作簿过大，超出大小限制：{detail}（size limit exceeded）。",
    RejectKind.DAMAGED: "文件已损坏，无法读取：{detail}（damaged file）。请用 Excel 打开并另存后再试。",
    RejectKind.EMPTY: "工作簿是空的：{detail}（empty workbook）。",
    RejectKind.MARKUP: "文件含有 DOCTYPE 或实体声明，出于安全已拒绝（DOCTYPE or entity declaration refused）。",
    RejectKind.UNKNOWN_SHEET: "没有名为“{detail}”的工作表（unknown sheet）。",
    RejectKind.NOT_A_WORKBOOK: "这不是工作簿：{detail}（not a workbook）。请上传 xlsx、xls、ods 或 csv 文件。",
    RejectKind.UNSUPPORTED: "不支持这种格式：{detail}（unsupported format）。请用 Excel 另存为 .xlsx 后再试。",
    RejectKind.TIMEOUT: "读取工作簿用时过长或占用内存过多，已停止（size or time limit exceeded）。",
}


class WorkbookRejected(Exception):
    """Nothing can be read; `sentence` says why, `kind` and `detail` let the Django side translate."""

    def __init__(self, kind: RejectKind, detail: str = "") -> None:
        self.kind = kind
        self.detail = detail
        self.sentence = REJECT_SENTENCES[kind].format(detail=detail)
        super().__init__(self.sentence)


class ProblemKind(StrEnum):
    """What one cell, row, column or sheet has wrong with it, or what was left out."""

    NO_ADDRESS = "no-address"
    BAD_ADDRESS = "bad-address"
    FORMULA_WITHOUT_VALUE = "formula-without-value"
    ERROR_VALUE = "error-value"
    LOST_DIGITS = "lost-digits"
    CANNOT_SHOW = "cannot-show"
    DUPLICATE_ADDRESS = "duplicate-address"
    DOMAIN_TYPO = "domain-typo"
    LINK_DIFFERS = "link-differs"
    SKIPPED_ROW = "skipped-row"
    HIDDEN_SHEET = "hidden-sheet"
    HIDDEN_ROW = "hidden-row"
    HIDDEN_COLUMN = "hidden-column"
    TOTAL_DIFFERS = "total-differs"
    NO_HEADER = "no-header"
    NO_ADDRESS_COLUMN = "no-address-column"
    SHEET_TO_CHOOSE = "sheet-to-choose"


#: `place` is the cell, row or column in words; the other names are the problem's params.
SENTENCES: Mapping[ProblemKind, str] = {
    ProblemKind.NO_ADDRESS: "{place} 没有邮箱地址，这一行没有收件人。",
    ProblemKind.BAD_ADDRESS: "{place} 的“{raw}”不是可用的邮箱地址：{reason}。",
    ProblemKind.FORMULA_WITHOUT_VALUE: "{place} 的公式没有保存计算结果，请用 Excel 打开并保存后再上传。",
    ProblemKind.ERROR_VALUE: "{place} 是错误值 {raw}。",
    ProblemKind.LOST_DIGITS: "{place} 的数字 {raw} 超过 15 位，末尾的数字已丢失，请改为文本后重新填写。",
    ProblemKind.CANNOT_SHOW: "{place} 的数字格式“{format}”无法按 Excel 的样子显示（值 {raw}）。",
    ProblemKind.DUPLICATE_ADDRESS: "{place} 的 {email} 与第 {first_row} 行重复。",
    ProblemKind.DOMAIN_TYPO: "{place} 的域名 {domain} 可能写错了，是否应为 {suggestion}？",
    ProblemKind.LINK_DIFFERS: "{place} 显示的地址与它的超链接 {link} 不同，按显示的地址读取。",
    ProblemKind.SKIPPED_ROW: "{place} 没有作为收件人读取：{reason}。",
    ProblemKind.HIDDEN_SHEET: "隐藏的工作表“{name}”没有读取。",
    ProblemKind.HIDDEN_ROW: "{place} 是隐藏行，没有读取。",
    ProblemKind.HIDDEN_COLUMN: "{place} 是隐藏列，没有读取。",
    ProblemKind.TOTAL_DIFFERS: "{place} 的合计 {shown} 与该列各行之和 {computed} 不一致。",
    ProblemKind.NO_HEADER: "{place} 没有找到表头，列以字母命名。",
    ProblemKind.NO_ADDRESS_COLUMN: "{place} 没有找到邮箱地址列。",
    ProblemKind.SHEET_TO_CHOOSE: "有多个工作表可以读取，请选择一个：{names}。",
}

#: The contract's English `why` codes in Chinese, for sentences.
REASONS: Mapping[str, str] = {
    "not an address": "格式不对",
    "blank inside": "中间有空格",
    "line break inside": "中间有换行",
    "more than one @": "有多个 @",
    "misplaced dot": "点号的位置不对",
    "domain without a dot": "域名不完整",
    "bad domain": "域名不正确",
    "non-ASCII local part": "@ 前面有非英文字符",
    "too long": "地址过长",
    "total": "合计行",
    "subtotal": "小计行",
    "note": "说明行",
    "signature": "签字行",
    "title": "标题行",
    "repeated header": "重复的表头",
    "serial number only": "只有序号",
    "skipped by hand": "手动略过",
}


def column_letter(index: int) -> str:
    """Excel's name of a 0-based column: 0 → A, 26 → AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to tell HR; `row` from 1 as Excel numbers it, `column` its letter, None if neither."""

    sheet: str | None
    row: int | None
    column: str | None
    kind: ProblemKind
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The Chinese sentence; it names the cell as Excel does (E4)."""
        return SENTENCES[self.kind].format(place=self._place(), **self.params)

    def _place(self) -> str:
        sheet = f"“{self.sheet}”" if self.sheet else ""
        if self.row is not None and self.column is not None:
            return f"{sheet}{self.column}{self.row}"
        if self.row is not None:
            return f"{sheet}第 {self.row} 行"
        return f"{sheet}{self.column} 列" if self.column is not None else sheet

    def as_json(self) -> dict[str, object]:
        """The contract's keys, and `params` for translation."""
        return {
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "kind": self.kind.value,
            "text": self.text,
            "params": dict(self.params),
        }
