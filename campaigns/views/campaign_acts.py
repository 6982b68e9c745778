"""What a person does to a campaign: each a POST, each by one conditional update of pipeline.control."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.forms.campaign import LaunchForm, ResolveForm
from campaigns.models import Campaign, Delivery
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.pipeline import control, preflight, preview, release
from campaigns.pipeline.compose import Unsendable
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.found import named, own_campaign
from campaigns.views.next_step import clock


@member()
@require_POST
def campaign_launch(request: HttpRequest, pk: int) -> HttpResponse:
    """Refused while anything blocks. A second click finds it launched and changes nothing."""
    campaign, form = _with_content(request, pk), LaunchForm(request.POST)
    back = redirect("campaigns:campaign", pk)
    if campaign.state != CampaignState.DRAFT:
        messages.info(request, _("活动已经启动了。"))
        return back
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, errors[0])
        return back
    # A pre-flight of a large payroll takes a while, in which somebody may change the draft.
    seen = control.content_of(campaign)
    later = form.cleaned_data["when"] == "later"
    wall = form.cleaned_data["wall"] if later else None
    if wall and control.instant_of(wall, campaign.team.zone) <= timezone.now():
        messages.error(request, _("这个时间已经过去了，请选一个将来的时间。"))
    elif preflight.blocks(preflight.check(campaign)):
        messages.error(request, _("发送前检查还有没解决的问题，没有启动。"))
    elif control.launch(campaign, request.user, wall, seen=seen):
        campaign.refresh_from_db(fields=["scheduled_at", "hold_reason"])
        messages.success(request, _launched(campaign, wall=wall is not None))
    elif Campaign.objects.filter(pk=pk, state=CampaignState.DRAFT).exists():
        messages.info(request, _("状态已经变了，这一步没有生效。"))
    else:
        messages.info(request, _("活动已经启动了。"))
    return back


def _launched(campaign: Campaign, *, wall: bool) -> str:
    """What follows from the launch: a wait for somebody, for a time, or for nothing."""
    if campaign.hold_reason == Hold.RELEASE_AWAITED:
        return _("已提交：等另一位能看内容的同事放行后才会发送。")
    if wall:
        return _("已排期：%(time)s 开始发送。") % {"time": clock(campaign.scheduled_at)}
    if campaign.team.undo_seconds:
        return _("已启动：%(seconds)s 秒后开始发送，开始之前可以撤回为草稿。") % {
            "seconds": campaign.team.undo_seconds
        }
    return _("已启动，马上开始发送。")


@member()
@require_POST
def campaign_release(request: HttpRequest, pk: int) -> HttpResponse:
    """The second person's word: never the one's who launched."""
    campaign = _with_content(request, pk)
    return _answer(request, pk, release.release(campaign, request.user), _("已放行。"))


@member()
@require_POST
def campaign_pause(request: HttpRequest, pk: int) -> HttpResponse:
    done = control.pause(own_campaign(request, pk))
    return _answer(request, pk, done, _("已暂停；正在传的几封会发完。"))


@member()
@require_POST
def campaign_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Continues a paused campaign, and lifts a hold."""
    done = control.resume(own_campaign(request, pk), request.user)
    return _answer(request, pk, done, _("继续发送。"))


@member()
@require_POST
def campaign_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    done = control.cancel(own_campaign(request, pk))
    return _answer(request, pk, done, _("已取消；还没发出的不会再发。"))


@member()
@require_POST
def campaign_unschedule(request: HttpRequest, pk: int) -> HttpResponse:
    done = control.unschedule(own_campaign(request, pk))
    return _answer(request, pk, done, _("已撤回为草稿，可以修改。"))


@member()
@require_POST
def campaign_send_anyway(request: HttpRequest, pk: int) -> HttpResponse:
    """HR's decision about addresses that bounced before: those that the form names, of those that did."""
    campaign = _with_content(request, pk)
    dead = preflight.dead_addresses(campaign) if campaign.workbook_id else {}
    chosen = dead.keys() & set(request.POST.getlist("address"))
    keys = sorted({*campaign.send_anyway, *chosen})
    draft = Campaign.objects.filter(pk=pk, state=CampaignState.DRAFT)
    done = bool(chosen) and draft.update(send_anyway=keys)
    return _answer(request, pk, bool(done), _("这些地址会照常发送。"))


@member()
@require_POST
def campaign_test(request: HttpRequest, pk: int) -> HttpResponse:
    """One message with a recipient's values, to the signed-in user's own address alone."""
    campaign = _with_content(request, pk)
    recipients = preview.recipients(campaign)
    at = named(recipients, request.POST.get("at")) or recipients.first()
    if at is None:
        messages.error(request, _("还没有收件人，没有可以测试的内容。"))
        return redirect("campaigns:campaign", pk)
    try:
        test = preview.send_to_self(campaign, preview.delivery_for(campaign, at), request.user)
    except Unsendable as error:
        detail = f"{sentence(error.reason)} {error.detail}".strip()
        messages.error(request, _("测试没有发出：%(detail)s") % {"detail": detail})
    except IntegrityError:  # the same click twice: the first one is on its way
        messages.info(request, _("测试已经在发送了。"))
    else:
        if test is None:
            messages.error(request, _("您的账号没有可用的邮箱地址。"))
        else:
            messages.success(request, _("测试邮件正在发往 %(to)s。") % {"to": request.user.email})
    return redirect("campaigns:campaign", pk)


@member()
@require_POST
def campaign_resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """All deliveries in doubt of one campaign."""
    campaign, form = own_campaign(request, pk), ResolveForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("请选择怎么处理，并写下原因。"))
        return redirect("campaigns:campaign", pk)
    rows = Delivery.objects.filter(campaign=campaign, state=DeliveryState.IN_DOUBT).exclude(
        purpose=DeliveryPurpose.TEST
    )
    resend = form.cleaned_data["decision"] == "resend"
    note = f"{form.cleaned_data['note']} — {request.user.email}"
    done = sum(control.resolve_doubt(row, resend=resend, note=note) for row in rows)
    return _answer(request, pk, bool(done), _("已处理 %(number)s 封。") % {"number": done})


def _with_content(request: HttpRequest, pk: int) -> Campaign:
    """Who sets a payslip campaign going must be able to see what it says."""
    campaign = own_campaign(request, pk)
    if not campaign.content_visible_to(request.user):
        raise PermissionDenied
    return campaign


def _answer(request: HttpRequest, pk: int, done: bool, words: str) -> HttpResponse:
    if done:
        messages.success(request, words)
    else:
        messages.info(request, _("状态已经变了，这一步没有生效。"))
    return redirect("campaigns:campaign", pk)
