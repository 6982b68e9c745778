"""A campaign's settings: made new, or changed while it is a draft."""

from __future__ import annotations

from typing import TypeVar

from django.contrib import messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import Relay, Right
from campaigns.forms.campaign import LIST, WORKBOOK, CampaignForm
from campaigns.forms.carrying import STOP_RULES, SharesForm, StopRulesForm
from campaigns.forms.payslip import ATTACHMENT, AUTOMATIC, SETTINGS, PayslipForm
from campaigns.forms.tracking import TRACKING, TrackingForm
from campaigns.models import (
    Campaign,
    Comparison,
    ContactList,
    ContentGrant,
    MessageTemplate,
    PayslipLayout,
    Workbook,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose
from campaigns.pipeline import comparison, enclose, layouts, unfold
from campaigns.views.access import member
from campaigns.views.found import (
    must_have,
    named,
    own_campaign,
    readable_campaign,
    readable_workbooks,
    right_for,
)

Row = TypeVar("Row", bound=Model)

CHANGEABLE = (
    *("name", "template", "relay", "from_name", "from_address", "reply_to"),
    *("duplicates", "in_doubt_policy", "contact_list", "workbook", "completes"),
    *SETTINGS,
    *ATTACHMENT,
    *STOP_RULES,
    *TRACKING,
)


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_new(request: HttpRequest) -> HttpResponse:
    """First the kind, if the user may make both; then everything else."""
    kinds = [kind for kind in Kind if right_for(kind) in request.rights]
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    if not kind and len(kinds) == 1:
        kind = kinds[0].value
    if not kind:
        return render(request, "campaigns/campaigns/choose_kind.html", {"kinds": kinds})
    if kind not in Kind.values:
        raise Http404
    must_have(request, right_for(kind))
    campaign = Campaign(team=request.team, kind=kind, created_by=request.user)
    campaign.corrects = _corrected(request, kind)
    return _edit(request, campaign)


def _corrected(request: HttpRequest, kind: str) -> Campaign | None:
    """?corrects=…: the launched payslip campaign that the new one puts right, for its readers alone."""
    given = request.POST if request.method == "POST" else request.GET
    launched = Campaign.objects.filter(
        team=request.team, kind=Kind.PAYSLIP, launched_at__isnull=False, grants__user=request.user
    )
    return named(launched, given.get("corrects")) if kind == Kind.PAYSLIP else None


@member(Right.PAYSLIPS, Right.NEWSLETTERS)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """A launched campaign's content is frozen: only a draft is changed."""
    own_campaign(request, pk)
    campaign = readable_campaign(request, pk)
    if campaign.state != CampaignState.DRAFT:
        messages.error(request, _("只有草稿能修改。"))
        return redirect("campaigns:campaign", pk)
    return _edit(request, campaign)


def _edit(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    purpose = Purpose.PAYSLIP if campaign.kind == Kind.PAYSLIP else Purpose.LIST
    workbooks = readable_workbooks(request).filter(purpose=purpose)
    _refuse_foreign(request, campaign.kind, workbooks)
    form = (PayslipForm if campaign.kind == Kind.PAYSLIP else CampaignForm)(
        request.POST or None,
        instance=campaign,
        initial=None if campaign.pk else _suggested(request, campaign, workbooks),
        team=request.team,
        kind=campaign.kind,
        workbooks=workbooks,
    )
    shares = SharesForm(request.POST or None, relays=list(form.relays), campaign=campaign)
    stops = StopRulesForm.of(request.POST, campaign)
    tracking = TrackingForm.of(request.POST, campaign)
    # Each says its own faults: all are asked.
    fine = [form.is_valid(), shares.is_valid(), stops.is_fine, not tracking or tracking.is_fine]
    if all(fine) and shares.check(form.instance.relay, form.instance.from_address):
        changed = form.save(commit=False)
        if isinstance(form, PayslipForm) and form.makes_layout:
            changed.layout = layouts.make(
                team=request.team, user=request.user, workbook=changed.workbook, name=changed.name
            )
        if not _store(request, changed, shares):
            messages.error(request, _("只有草稿能修改。"))
        return redirect("campaigns:campaign", form.instance.pk)
    context = {
        "form": form,
        "campaign": campaign if campaign.pk else None,
        "kind": campaign.kind,
        "missing": _missing(form),
        "shares": shares,
        "stops": stops,
        "tracking": tracking,
    }
    faulty = [form.errors, shares.errors, stops.errors, tracking and tracking.errors]
    status = 422 if any(faulty) else 200
    return render(request, "campaigns/campaigns/edit.html", context, status=status)


def _store(request: HttpRequest, campaign: Campaign, shares: SharesForm) -> bool:
    """Its maker may read what he makes; a draft that was launched meanwhile stays as it is."""
    with transaction.atomic():
        if campaign.pk:
            values = {name: getattr(campaign, name) for name in CHANGEABLE}
            mine = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.DRAFT)
            before = mine.values_list("workbook", flat=True).first()
            if changed := mine.update(**values):
                if before != campaign.workbook_id:
                    enclose.workbook_changed(campaign.pk)
                unfold.ask(campaign)
                shares.store(campaign)
                _compare(request, campaign)
            return bool(changed)
        campaign.save()
        unfold.ask(campaign)
        shares.store(campaign)
        if campaign.is_payslip:
            ContentGrant.objects.create(
                team=request.team, user=request.user, campaign=campaign, granted_by=request.user
            )
            _compare(request, campaign)
    return True


def _compare(request: HttpRequest, campaign: Campaign) -> None:
    """A payroll is put beside the month before, unless that was done with this very file."""
    if not campaign.is_payslip or campaign.workbook is None:
        return
    row = Comparison.objects.filter(campaign=campaign).first()
    if row is None or not comparison.is_current(row, campaign):
        comparison.ask(campaign, request.user)


def _refuse_foreign(request: HttpRequest, kind: str, workbooks) -> None:
    """Http404 for an id that is not there for this user, wherever a form or an address names it."""
    given = request.POST if request.method == "POST" else request.GET
    named(MessageTemplate.objects.filter(team=request.team, kind=kind), given.get("template"))
    named(Relay.objects.filter(team=request.team), given.get("relay"))
    if (layout := given.get("layout")) != AUTOMATIC:
        named(PayslipLayout.objects.filter(team=request.team), layout)
    audience, _colon, number = given.get("audience", "").partition(":")
    lists = ContactList.objects.filter(team=request.team)
    named(lists if audience == LIST else workbooks, number)


def _suggested(
    request: HttpRequest, campaign: Campaign, workbooks: QuerySet[Workbook]
) -> dict[str, object]:
    """From a link (?audience=workbook:5), what the last campaign of this kind used, and what there
    is only one of: a choice among one is none."""
    kind = campaign.kind
    earlier = Campaign.objects.filter(team=request.team, kind=kind).order_by("-created_at")
    audience = request.GET.get("audience", "")
    initial: dict[str, object] = {"audience": audience}
    book = named(workbooks, audience.partition(":")[2]) if audience.startswith(WORKBOOK) else None
    mends = book.repairs if book is not None else None
    last = campaign.corrects or mends or earlier.first()
    if book is not None:
        initial["name"] = book.name.rpartition(".")[0] or book.name
    if mends is not None:
        initial["name"] = _("%(name)s（补发）") % {"name": mends.name}
    if campaign.corrects is not None:
        initial["name"] = _("%(name)s（更正）") % {"name": campaign.corrects.name}
    if last is not None:
        names = ("template", "relay", "from_name", "from_address", "reply_to", "in_doubt_policy")
        names += SETTINGS[2:] if last.is_payslip else ()
        if last.is_payslip:
            # Without a template of its own it needs a layout: the last one, or a new one.
            initial["layout"] = last.layout_id or ("" if last.template_id else AUTOMATIC)
        # A column's name belongs to the content.
        names += ATTACHMENT if last.is_payslip and last.content_visible_to(request.user) else ()
        return initial | {name: getattr(last, name) for name in names}
    relay = only(Relay.objects.filter(team=request.team, enabled=True))
    whole = [entry for entry in relay.from_addresses if entry[:1] != "@"] if relay else []
    if kind == Kind.PAYSLIP:
        mine = only(PayslipLayout.objects.filter(team=request.team))
        initial["layout"] = mine.pk if mine else AUTOMATIC
    else:
        initial["template"] = only(MessageTemplate.objects.filter(team=request.team, kind=kind))
    return initial | {
        "relay": relay,
        "from_address": whole[0] if whole else "",
    }


def only(rows: QuerySet[Row]) -> Row | None:
    """The row, where there is exactly one."""
    found = list(rows[:2])
    return found[0] if len(found) == 1 else None


def _missing(form: CampaignForm) -> list[str]:
    """What has to be there first, with where to make it."""
    wanted = [
        ("audience", len(form.fields["audience"].choices) > 1),
        ("template", form.templates.exists() or form.kind == Kind.PAYSLIP),
        ("relay", form.relays.exists()),
    ]
    return [name for name, there in wanted if not there]
