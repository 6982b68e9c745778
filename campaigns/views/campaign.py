"""One campaign: its state in words, progress, what happens next, pre-flight, tests, deliveries in doubt."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from campaigns.forms.campaign import LaunchForm
from campaigns.models import Attempt, Campaign, Delivery
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.pipeline import foretell, preflight, preview, release, stop_rules
from campaigns.pipeline.foretell import Foretold
from campaigns.views.access import member
from campaigns.views.campaigns import row_of
from campaigns.views.carrying import carrying_shown, may_offer_retry, stops_shown, weights_words
from campaigns.views.confirmations import counts_shown
from campaigns.views.figures import totals_shown
from campaigns.views.findings import duration, moment, shown
from campaigns.views.found import campaign_of, own_campaign, right_for
from campaigns.views.grants import readers_shown
from campaigns.views.hours import hours_words
from campaigns.views.next_step import Step, clock, next_steps
from campaigns.views.recall import recall_shown

OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)
# How many deliveries in doubt the page lists; the rest are behind the link.
DOUBTS = 20


@member()
@require_safe
def campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """What may be done here depends on the state, the user's rights and his grant."""
    found = campaign_of(request, pk)
    may_act = right_for(found.kind) in request.rights
    readable = found.content_visible_to(request.user)
    progress = progress_of(found)
    context = {
        **progress,
        "may_act": may_act,
        "readable": readable,
        "doubts": _doubts(found) if may_act else [],
        "launch": LaunchForm(initial={"when": "now"}),
        "zone": zone_label(found),
        "hours": hours_words(found),
        "weights": weights_words(found),
        "stops": stops_shown(found),
        "may_retry": may_act and readable and may_offer_retry(found),
        **(tests_context(found, request) if readable and may_act else {}),
        "is_draft": found.state == CampaignState.DRAFT,
        "is_cancellable": found.state
        in (CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED),
        "open_number": _open_number(found),
        **counts_shown(found),
        **recall_shown(found, progress["counts"]),
        **(readers_shown(found) if readable else {}),
        "may_release": may_act and release.may_release(found, request.user),
    }
    return render(request, "campaigns/campaigns/campaign.html", context)


@member()
@require_safe
def campaign_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The live part. A page that shows another state than the row's is drawn anew as a whole."""
    found = campaign_of(request, pk)
    seen = request.GET.get("seen")
    if seen is not None and seen != state_key(found) and request.htmx:
        return HttpResponseClientRefresh()
    context = {"may_act": right_for(found.kind) in request.rights, **progress_of(found)}
    return render(request, "campaigns/campaigns/progress.html", context)


@member()
@require_safe
def campaign_preflight(request: HttpRequest, pk: int) -> HttpResponse:
    """Loaded after the page: a pre-flight opens every row."""
    found = own_campaign(request, pk)
    findings = [shown(one, found, request.rights) for one in preflight.check(found)]
    context = {
        "campaign": found,
        "findings": findings,
        "blocked": any(one["severity"] == "error" for one in findings),
        "readable": found.content_visible_to(request.user),
    }
    if context["readable"] and any(one["kind"] == "totals_differ" for one in findings):
        assert found.workbook is not None
        unequal = [one for one in totals_shown(found.workbook)["totals"] if not one["fine"]]
        context["totals"] = unequal
    response = render(request, "campaigns/campaigns/preflight.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


@member()
@require_safe
def campaign_tests(request: HttpRequest, pk: int) -> HttpResponse:
    """The state of the user's own tests, live until each has an end."""
    found = own_campaign(request, pk)
    return render(request, "campaigns/campaigns/tests.html", tests_context(found, request))


def tests_context(found: Campaign, request: HttpRequest) -> dict[str, Any]:
    tests = preview.tests_of(found, request.user)
    return {
        "campaign": found,
        "tests": tests,
        "tests_open": any(not preview.is_over(test) for test in tests),
    }


def progress_of(found: Campaign) -> dict[str, Any]:
    """Everything that the live part shows."""
    row = row_of(found)
    foretold = foretell.of_running(found)
    return {
        **row,
        "steps": [*next_steps(found), *too_late(foretold)],
        "is_live": found.state not in (CampaignState.DRAFT, *OVER),
        "hold": Hold(found.hold_reason).label if found.hold_reason else "",
        "seen": state_key(found),
        "foretold": foretold_words(foretold),
        **carrying_shown(found),
    }


def foretold_words(foretold: Foretold | None) -> str:
    """How long a running campaign will still take, as in "约 3 小时 20 分，星期二 10:40 完成"."""
    if foretold is None or foretold.ends_at is None or foretold.seconds is None:
        return ""
    params = {"duration": duration(foretold.seconds), "ends": moment(foretold.ends_at)}
    return _("%(duration)s，%(ends)s 完成") % params


def too_late(foretold: Foretold | None) -> list[Step]:
    """Said while something can be done: the forecast of a launch holds no longer when a relay was stopped since."""
    if foretold is None or foretold.ends_at is None or foretold.ends_at <= foretold.deliver_until:
        return []
    words = _("照这样发不完：到 %(time)s 还没发出的会放弃，列为已过期。请放宽限速或发送时段。")
    return [Step(words % {"time": clock(foretold.deliver_until)}, "danger")]


def state_key(found: Campaign) -> str:
    """What decides which buttons a page has."""
    counts = found.counts
    doubts, stops = counts.get(DeliveryState.IN_DOUBT, 0), stop_rules.number_standing(found)
    return f"{found.state}.{found.hold_reason}.{doubts}.{stops}"


def zone_label(found: Campaign) -> str:
    """As in "Asia/Shanghai（UTC+08:00）"."""
    offset = timezone.localtime(timezone.now(), found.team.zone).strftime("%z")
    return _("%(zone)s（UTC%(offset)s）") % {
        "zone": found.team.time_zone,
        "offset": f"{offset[:3]}:{offset[3:]}",
    }


def _doubts(found: Campaign) -> list[dict[str, Any]]:
    """Deliveries in doubt with what is known of each: its last attempt."""
    if not found.counts.get(DeliveryState.IN_DOUBT):
        return []
    rows = list(
        Delivery.objects.filter(campaign=found, state=DeliveryState.IN_DOUBT)
        .exclude(purpose=DeliveryPurpose.TEST)
        .select_related("relay")
        .only("address", "row_number", "reason", "changed_at", "message_id", "relay__name")
        .order_by("pk")[:DOUBTS]
    )
    attempts = Attempt.objects.filter(delivery__in=rows).order_by("started_at")
    last = {attempt.delivery_id: attempt for attempt in attempts}
    return [{"delivery": row, "attempt": last.get(row.pk)} for row in rows]


def _open_number(found: Campaign) -> int:
    counts = found.counts
    return sum(counts.get(state, 0) for state in (DeliveryState.QUEUED, DeliveryState.DEFERRED))
