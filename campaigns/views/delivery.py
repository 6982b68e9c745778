"""One delivery: every attempt with what the server said, what came back, and what may be done."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Right
from campaigns.forms.campaign import ResolveForm
from campaigns.forms.resend import ResendForm
from campaigns.models import Campaign, Delivery
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.pipeline import control, resend
from campaigns.pipeline.compose import Unsendable
from campaigns.pipeline.originals import Reader
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.carrying import history_of
from campaigns.views.confirmations import answer_shown
from campaigns.views.found import must_have, right_for
from campaigns.views.tracking import shown_of_delivery

PHASES = {
    "connect": gettext_lazy("连接"),
    "greeting": gettext_lazy("问候"),
    "ehlo": gettext_lazy("问候（EHLO）"),
    "starttls": gettext_lazy("加密（STARTTLS）"),
    "auth": gettext_lazy("登录（AUTH）"),
    "mail": gettext_lazy("发件地址（MAIL）"),
    "rcpt": gettext_lazy("收件地址（RCPT）"),
    "data": gettext_lazy("开始传输（DATA）"),
    "content": gettext_lazy("正文"),
    "quit": gettext_lazy("结束（QUIT）"),
}


def _why(found: Delivery) -> str:
    """In doubt there is no telling whose fault the silence was: what is known is how far it came."""
    if found.state != DeliveryState.IN_DOUBT or found.reason == "worker_lost":
        return sentence(found.reason)
    if found.reason == "timed_out":
        return _("整封邮件连同最后一个字节都已交出，等到超时，服务器也没有答复。")
    return _("整封邮件连同最后一个字节都已交出，服务器还没有答复，连接就断了。")


@member()
@require_safe
def delivery(request: HttpRequest, pk: int) -> HttpResponse:
    """A payslip's replies and reports are sealed: they are opened for a grant alone."""
    found = _found(request, pk)
    readable = found.campaign.content_visible_to(request.user)
    may_act = right_for(found.campaign.kind) in request.rights
    may_read = Reader(request.user, request.team.pk, frozenset(request.rights)).may_read
    context = {
        "delivery": found,
        "campaign": found.campaign,
        "readable": readable,
        "reason": _why(found),
        "attempts": [
            {
                "attempt": attempt,
                "phase": PHASES.get(attempt.phase, attempt.phase),
                "may_rule": Right.RELAYS in request.rights and (attempt.code or 0) >= 400,
                **text,
            }
            for attempt in found.tries.select_related("relay").order_by("started_at", "pk")
            for text in [readable_text(attempt, found.campaign, readable=readable)]
        ],
        "feedback": [
            {
                "report": report,
                "reason": sentence(report.reason),
                "may_open": report.original is not None and may_read(report.original),
                **text,
            }
            for report in _reports(found)
            for text in [readable_text(report, found.campaign, readable=readable)]
        ],
        "is_test": found.purpose == DeliveryPurpose.TEST,
        "may_resolve": may_act and found.state == DeliveryState.IN_DOUBT,
        "may_resend": may_act and readable and resend.may_resend(found),
        "family": _family(found),
        "history": history_of(found),
        "tracked": shown_of_delivery(request, found),
        **answer_shown(found, readable=readable),
    }
    response = render(request, "campaigns/deliveries/delivery.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


@member()
@require_POST
def delivery_resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """in_doubt → resent or taken as accepted, with the person's reason."""
    found, form = _found(request, pk), ResolveForm(request.POST)
    must_have(request, right_for(found.campaign.kind))
    if not form.is_valid():
        messages.error(request, _("请选择怎么处理，并写下原因。"))
        return redirect("campaigns:delivery", pk)
    resend = form.cleaned_data["decision"] == "resend"
    note = f"{form.cleaned_data['note'][:200]} — {request.user.email}"
    if control.resolve_doubt(found, resend=resend, note=note):
        messages.success(request, _("会再发一次。") if resend else _("已视为已提交。"))
    else:
        messages.info(request, _("状态已经变了，这一步没有生效。"))
    return redirect("campaigns:delivery", pk)


@member()
@require_POST
def delivery_resend(request: HttpRequest, pk: int) -> HttpResponse:
    """A payslip once more; only by somebody who may read what goes out."""
    found, form = _found(request, pk), ResendForm(request.POST)
    must_have(request, right_for(found.campaign.kind))
    if not found.campaign.content_visible_to(request.user):
        raise PermissionDenied
    if not form.is_valid():
        for field, errors in form.errors.items():
            label = form.fields[field].label if field in form.fields else ""
            messages.error(request, label + _("：") + errors[0])
        return redirect("campaigns:delivery", pk)
    note = f"{form.cleaned_data['note']} — {request.user.email}"
    to = {"address": form.cleaned_data["address"], "address_key": form.cleaned_data["key"]}
    try:
        again = resend.resend(found, **to, note=note)
    except Unsendable as error:
        detail = f"{sentence(error.reason)} {error.detail}".strip()
        messages.error(request, _("没有补发：%(detail)s") % {"detail": detail})
        return redirect("campaigns:delivery", pk)
    if again is None:
        messages.info(request, _("已经在补发了，或者状态已经变了。"))
        return redirect("campaigns:delivery", pk)
    messages.success(request, _("正在补发到 %(address)s。") % {"address": again.address})
    return redirect("campaigns:delivery", again.pk)


def _reports(found: Delivery) -> Any:
    """What came back about it, the oldest first; of the originals only whose they are."""
    rows = found.feedback.select_related("original__campaign").order_by("received_at", "pk")
    heavy = ("sealed", "sealed_said", "key", "campaign__frozen_html", "campaign__frozen_text")
    return rows.defer(*(f"original__{name}" for name in heavy))


def _family(found: Delivery) -> list[Delivery]:
    """The other messages about the same payslip, oldest first."""
    same = Delivery.objects.filter(campaign=found.campaign_id, source_key=found.source_key)
    rows = same.exclude(purpose=DeliveryPurpose.TEST).exclude(pk=found.pk).order_by("pk")
    return list(rows[:50]) if found.purpose != DeliveryPurpose.TEST else []


def _found(request: HttpRequest, pk: int) -> Delivery:
    rows = Delivery.objects.filter(team=request.team).select_related(
        "campaign__team", "campaign__workbook__data_key", "relay", "contact"
    )
    return get_object_or_404(rows.defer("relay__secret", "relay__ca_pem"), pk=pk)


def readable_text(row: Any, campaign: Campaign, *, readable: bool) -> dict[str, Any]:
    """`text`, or `locked` where there is one that this reader may not see, or that is destroyed."""
    if not row.sealed_text:
        # A newsletter's; of a payslip only what was never content.
        return {"text": row.text, "locked": False}
    if not readable or campaign.workbook is None:
        return {"text": "", "locked": True}
    try:
        opened = campaign.workbook.data_key.open(row.sealed_text)
    except ContentDestroyed:
        return {"text": "", "locked": True}
    return {"text": opened.decode("utf-8", "replace"), "locked": False}
