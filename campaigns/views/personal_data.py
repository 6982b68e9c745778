"""One person's data: handed out as JSON or as a sheet, and erased."""

from __future__ import annotations

import io
import logging

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Right
from campaigns.models import Contact
from campaigns.pipeline import personal_data
from campaigns.views.access import member

log = logging.getLogger(__name__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@member(Right.NEWSLETTERS)
@require_safe
def contact_export(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything, as JSON; with ?format=xlsx as a sheet of two columns. Its name names nobody."""
    found = get_object_or_404(Contact.objects.select_related("team"), team=request.team, pk=pk)
    data = personal_data.collect(found)
    if request.GET.get("format") == "xlsx":
        target = io.BytesIO()
        personal_data.write_sheet(data, (_("项目"), _("值")), target)
        response, ending = HttpResponse(target.getvalue(), content_type=XLSX), "xlsx"
    else:
        response = JsonResponse(data, json_dumps_params={"ensure_ascii": False, "indent": 2})
        ending = "json"
    response["Content-Disposition"] = f'attachment; filename="contact-{pk}.{ending}"'
    response["Cache-Control"] = "no-store, private"
    return response


@member(Right.NEWSLETTERS)
@require_POST
def contact_erase(request: HttpRequest, pk: int) -> HttpResponse:
    """For good. Who did it is in the log, and of whom is not."""
    found = get_object_or_404(Contact, team=request.team, pk=pk)
    done = personal_data.erase(found, request.user)
    if done.waiting:
        text = ngettext(
            "已停止给此人发送，但还有 %(number)d 封邮件没有结果；等它有了结果，或取消那个活动，再删除一次。",
            "已停止给此人发送，但还有 %(number)d 封邮件没有结果；等它们有了结果，或取消那些活动，再删除一次。",
            done.waiting,
        )
        messages.warning(request, text % {"number": done.waiting})
        return redirect("campaigns:contact", pk)
    log.info("Personal data of contact %s erased by user %s", pk, request.user.pk)
    messages.success(request, _("此人的数据已删除；地址留在屏蔽名单里，导入也不会再加进来。"))
    if done.files:
        text = _("这些工作簿的原件里还有此人，请到工作簿页面删除：%(names)s。")
        messages.warning(request, text % {"names": _("、").join(done.files)})
    return redirect("campaigns:contacts")
