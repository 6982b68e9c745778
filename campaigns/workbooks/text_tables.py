"""CSV and Excel's "Unicode text": the encoding and the delimiter are found, records are numbered
from 1 as the contract says (RFC 4180, loosely)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from campaigns.workbooks.grid import MAX_COLUMNS, Flaw, Sheet, SheetRow, Tick
from campaigns.workbooks.problems import ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits

#: The sheet of a file that has none; `--sheet` may name it.
SHEET_NAME = "Sheet1"

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
#: Characters that payrolls are full of; the decoding that shows more of them is the right one.
_FREQUENT = set(
    "姓名工资号部门邮箱电子件地址单位公司职员手机话实发应扣款奖金基本补贴社保积个税合计备注日期年月入身份证银行卡"
    "序编人事研市场技术财务销售行政经理一二三四五六七八九十元的是不在有王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁"
    "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂英华文国建小大中上下北京海广州深圳"
    "姓名工資號部門郵箱電子件單位職員實發應獎補貼個稅計註備銀身證編場術財務銷經陳楊黃趙吳孫馬偉麗強軍傑濤國華薪"
)
_DELIMITERS = ",\t;|，"
_QUOTED_TEXT = re.compile(r'^="([^"]*)"$')
_SCIENTIFIC = re.compile(r"^[-+]?\d(?:\.\d+)?E\+\d{2,3}$")
_FIELD_LIMIT = 1 << 20


def decode(content: bytes) -> str:
    """The text of a file; raises WorkbookRejected if it is none in any encoding that we know."""
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _decode_as(content, encoding)
    sample = content[:4000]
    if b"\x00" in sample:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if max(even, odd) * 5 < len(sample):
            raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "是二进制文件")
        return _decode_as(content, "utf-16-le" if odd > even else "utf-16-be")
    decoded = [
        text
        for encoding in ("utf-8", "gb18030", "big5hkscs")
        if (text := _try(content, encoding)) is not None
    ]
    if not decoded:
        raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "文字编码无法识别")
    text = decoded[0] if _try(content, "utf-8") is not None else max(decoded, key=_familiarity)
    if sum(c < " " and c not in "\t\r\n\f" for c in text[:4000]) > 10:
        raise WorkbookRejected(RejectKind.NOT_A_WORKBOOK, "是二进制文件")
    return text


def _decode_as(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise WorkbookRejected(RejectKind.DAMAGED, "文字编码有错") from error


def _try(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _familiarity(text: str) -> float:
    other = [c for c in text[:20_000] if c > "\x7f"]
    return sum(c in _FREQUENT for c in other) / len(other) if other else 1.0


class CsvSource:
    """A text file as a workbook of one sheet."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.sheets = [(SHEET_NAME, False)]
        self._limits = limits
        first, _, rest = text.partition("\n")
        hint = re.fullmatch(r'"?sep=(.)"?\r?', first, re.I)
        self._text = rest if hint else text
        self._delimiter = hint[1] if hint else find_delimiter(text)

    def load(self, name: str, tick: Tick | None = None) -> Sheet:
        _refuse_open_quote(self._text, self._delimiter)
        sheet = Sheet(name)
        cells = 0
        for number, record in enumerate(_records(self._text, self._delimiter), start=1):
            texts = [_shown(field) for field in record]
            if len(texts) > MAX_COLUMNS:
                raise WorkbookRejected(RejectKind.SIZE, f"第 {number} 行有 {len(texts)} 列")
            while texts and not texts[-1]:
                texts.pop()
            cells += len(texts)
            if (
                cells > self._limits.cells
                or number > self._limits.rows
                or len(texts) > self._limits.columns
            ):
                raise WorkbookRejected(RejectKind.SIZE, "行数或列数过多")
            for column, text in enumerate(texts):
                if "E+" in text and _SCIENTIFIC.match(text):
                    sheet.flaws[number, column] = Flaw(ProblemKind.LOST_DIGITS, text)
                    texts[column] = ""
            if texts:
                sheet.rows.append(SheetRow(number, texts))
        if tick:
            tick(len(self._text), len(self._text))
        return sheet


def _shown(field: str) -> str:
    """A field as Excel shows it: ="00123" is how exports keep a leading zero."""
    if field.startswith("=") and (match := _QUOTED_TEXT.match(field)):
        field = match[1]
    return field.replace("\r\n", "\n").replace("\r", "\n") if "\r" in field else field


def _refuse_open_quote(text: str, delimiter: str) -> None:
    """A quote that is never closed would swallow everybody below it into one cell."""
    csv.field_size_limit(_FIELD_LIMIT)
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise WorkbookRejected(RejectKind.DAMAGED, "有一个引号没有成对") from error


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise WorkbookRejected(RejectKind.DAMAGED, "引号没有成对，或一格内容过长") from error


def find_delimiter(text: str) -> str:
    """The delimiter by which most of the first records have the same number of fields."""

    def score(delimiter: str) -> tuple[int, int]:
        try:
            records = [r for r in islice(_records(text[:200_000], delimiter), 60) if r]
        except WorkbookRejected:
            return 0, 0
        width, times = (
            Counter(len(r) for r in records if len(r) > 1).most_common(1)[0]
            if any(len(r) > 1 for r in records)
            else (0, 0)
        )
        return times, width

    best = max(_DELIMITERS, key=score)
    return best if score(best)[0] else ","
