"""Addresses that a payroll lacks are taken from the contacts, by a column that the user names."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models.workbook import Purpose
from campaigns.pipeline import load
from campaigns.views.workbook import find_own, page, row_number, show
from campaigns.views.workbook_match_shown import match_form


@page
@require_POST
def workbook_match(request: HttpRequest, pk: int) -> HttpResponse:
    """?act=forget: no longer. The workbook is read again either way."""
    workbook = find_own(request, pk)
    if workbook.purpose != Purpose.PAYSLIP:
        raise PermissionDenied
    choice = None
    if request.POST.get("act") != "forget":
        form = match_form(workbook, request.POST)
        if not form.is_valid():
            return show(request, workbook, matching=form)
        choice = form.choice()
    reading = row_number(request.POST.get("reading"))
    if not load.choose(workbook, reading=reading, sheet=workbook.sheet, match=choice):
        messages.error(request, _("工作簿正在读取、已经确认或刚被别人更改，请核对最新的内容。"))
    return redirect("campaigns:workbook", pk)
