"""What was taken for header, person or total is corrected by clicking rows of the sheet."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Workbook
from campaigns.pipeline import load
from campaigns.views.workbook import find_own, page, row_number, row_numbers

MOST_LEVELS = 4


@page
@require_POST
def workbook_mark(request: HttpRequest, pk: int) -> HttpResponse:
    """?act: the chosen rows are the header, are read after all, are left out; or a step back."""
    workbook = find_own(request, pk)
    reading = row_number(request.POST.get("reading"))
    rows = sorted(set(row_numbers(request.POST.getlist("row"))))
    act = request.POST.get("act", "")
    if refusal := _refusal(workbook, act, rows):
        messages.warning(request, refusal)
    elif not _mark(workbook, reading, act, rows):
        messages.error(request, _("工作簿正在读取、已经确认或刚被别人更改，请核对最新的内容。"))
    return redirect("campaigns:workbook", pk)


def _refusal(workbook: Workbook, act: str, rows: list[int]) -> str:
    if act in ("undo", "reset"):
        return ""
    if not rows:
        return _("没有选择任何行。")
    header = workbook.header_range
    if act == "header" and rows[-1] - rows[0] + 1 != len(rows):
        return _("表头的几行要挨在一起。")
    if act == "header" and len(rows) > MOST_LEVELS:
        return _("表头最多 %(most)d 行。") % {"most": MOST_LEVELS}
    if act != "header" and header and rows[0] <= header[-1]:
        return _("第 %(row)d 行在表头里或表头上面，不是收件人；请先改表头。") % {"row": rows[0]}
    return ""


def _mark(workbook: Workbook, reading: int, act: str, rows: list[int]) -> bool:
    if act == "undo":
        return load.undo(workbook, reading=reading)
    if act == "reset":
        return load.reset(workbook, reading=reading)
    if act == "header":
        wanted = {"sheet": workbook.sheet, "header_rows": [rows[0], rows[-1]]}
        return load.choose(workbook, reading=reading, **wanted)
    if act == "take":
        return load.move_rows(workbook, reading=reading, take=rows)
    return act == "leave" and load.move_rows(workbook, reading=reading, leave=rows)
