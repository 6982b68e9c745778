"""Who carries a campaign, what moved and why, and what a stop rule stopped: for its page and its acts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.models import Campaign, CampaignEvent, CampaignRelay, CampaignStop, Delivery
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.carrying import EventKind
from campaigns.models.delivery import OPEN, DeliveryState
from campaigns.models.stop import StopRule
from campaigns.pipeline import retry_failed, stop_rules
from campaigns.reasons import sentence
from campaigns.views.access import member
from campaigns.views.found import own_campaign, own_readable_campaign

# The newest lines of what moved, and how many deliveries a stop names, on the campaign's page.
EVENTS, NAMED = 10, 5


def carrying_shown(campaign: Campaign) -> dict[str, Any]:
    """The live part: relays with their shares, and moves. Nothing for a draft."""
    if campaign.state == CampaignState.DRAFT:
        return {}
    carriers = list(campaign.carriers.all())
    weights = sum(carrier.weight for carrier in carriers)
    return {
        "carriers": [_carrier(carrier, weights) for carrier in carriers],
        "moves": _moves(campaign) if carriers else [],
    }


def stops_shown(campaign: Campaign) -> list[dict[str, Any]]:
    """What stands still by a rule, with what a person needs to decide."""
    return [_stop(campaign, stop) for stop in stop_rules.standing(campaign)]


def weights_words(campaign: Campaign) -> str:
    """As in "A 60% · B 40%"; "" where one relay carries everything."""
    carriers = list(campaign.carriers.all())
    weights = sum(carrier.weight for carrier in carriers)
    return " · ".join(
        f"{carrier.relay.name} {_percent(carrier.weight, weights)}%" for carrier in carriers
    )


def _percent(weight: int, weights: int) -> int:
    return round(100 * weight / weights)


def _carrier(carrier: CampaignRelay, weights: int) -> dict[str, Any]:
    open_number = sum(carrier.counts.get(state, 0) for state in OPEN)
    return {
        "relay": carrier.relay,
        "percent": _percent(carrier.weight, weights),
        "counts": carrier.counts,
        "total": sum(carrier.counts.values()),
        "open": open_number,
        "accepted": carrier.counts.get(DeliveryState.ACCEPTED, 0),
        "emptied": carrier.emptied_at,
        "url": _deliveries(carrier.campaign_id, relay=carrier.relay_id),
    }


def _moves(campaign: Campaign) -> list[dict[str, Any]]:
    events = CampaignEvent.objects.filter(
        campaign=campaign, kind__in=[EventKind.MOVED, EventKind.RETURNED]
    ).select_related("relay_from", "relay_to")
    return [
        {"at": event.at, "words": moved_words(event)} for event in events.order_by("-pk")[:EVENTS]
    ]


def moved_words(event: CampaignEvent) -> str:
    """How many went from where to where, and why."""
    params = {
        "number": event.number,
        "source": event.relay_from.name if event.relay_from else "—",
        "target": event.relay_to.name if event.relay_to else "—",
        "reason": sentence(event.reason),
    }
    return _("%(number)s 封从“%(source)s”换到“%(target)s”：%(reason)s") % params


def _deliveries(campaign_id: int, **query: object) -> str:
    url = reverse("campaigns:campaign_deliveries", args=[campaign_id])
    given = urlencode({name: value for name, value in query.items() if value})
    return f"{url}?{given}" if given else url


# Stops ---------------------------------------------------------------------------------------------


def _stop(campaign: Campaign, stop: CampaignStop) -> dict[str, Any]:
    state = "" if stop.rule == StopRule.COMPLAINTS else DeliveryState.REFUSED
    where = {"relay": stop.relay_id, "q": f"@{stop.domain}" if stop.domain else ""}
    return {
        "stop": stop,
        "dialog": f"lift-{stop.pk}",
        "words": stop_words(stop),
        "scope": scope_words(stop),
        "named": stop_rules.named(stop)[:NAMED],
        "url": _deliveries(campaign.pk, state=state, **where),
    }


def stop_words(stop: CampaignStop) -> str:
    """Which rule, with its figures."""
    if stop.rule == StopRule.SAME_REFUSAL:
        words = _("%(minutes)s 分钟内有 %(number)s 封收到同样的拒收：%(reply)s")
    elif stop.rule == StopRule.COMPLAINTS:
        words = _("%(of)s 封已提交的邮件里有 %(number)s 次投诉，超过 %(limit)s%%。")
    else:
        words = _("%(of)s 封有结果的邮件里有 %(number)s 封退信或被拒，超过 %(limit)s%%。")
    return words % stop.figures


def scope_words(stop: CampaignStop) -> str:
    """What stands still, and what goes on."""
    if stop.relay is None:
        return _("整个活动停在这里，由人决定是否继续。")
    params = {"relay": stop.relay.name, "domain": stop.domain}
    if stop.domain:
        return _("“%(relay)s”发往 %(domain)s 的停在这里，其余照常发送。") % params
    return _("经“%(relay)s”的停在这里，经其他账号的照常发送。") % params


@member()
@require_POST
def campaign_stop_lift(request: HttpRequest, pk: int, stop_pk: int) -> HttpResponse:
    """A stop of one relay or domain; the campaign's own hold is lifted like every other."""
    campaign = own_campaign(request, pk)
    stop = get_object_or_404(CampaignStop, pk=stop_pk, campaign=campaign)
    if stop_rules.lift(stop, request.user):
        messages.success(request, _("已解除，继续发送。以前的失败不再计算。"))
    else:
        messages.info(request, _("状态已经变了，这一步没有生效。"))
    return redirect("campaigns:campaign", pk)


# Retry ---------------------------------------------------------------------------------------------


@member()
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """How many failed and why; those that are ticked go out again."""
    campaign = own_readable_campaign(request, pk)
    if request.method == "POST":
        number = retry_failed.begin(campaign, request.POST.getlist("group"), request.user)
        if number:
            messages.success(request, _("%(number)s 封重新排队。") % {"number": number})
            return redirect("campaigns:campaign", pk)
        messages.info(request, _("没有选中，或者已经在重试了。"))
        return redirect("campaigns:campaign_retry", pk)
    found = [
        {
            "group": group,
            "label": DeliveryState(group.state).label,
            "reason": sentence(group.reason),
            "url": _deliveries(campaign.pk, state=group.state),
        }
        for group in retry_failed.groups(campaign)
    ]
    context = {
        "campaign": campaign,
        "groups": found,
        "underway": retry_failed.underway(campaign),
        "held": Hold(campaign.hold_reason).label if campaign.hold_reason else "",
    }
    return render(request, "campaigns/campaigns/retry.html", context)


def may_offer_retry(campaign: Campaign) -> bool:
    """By the counts alone: the page itself looks at the rows."""
    counts = campaign.counts
    return any(counts.get(state) for state in retry_failed.RETRYABLE) and (
        retry_failed.may_retry(campaign)
    )


# One delivery --------------------------------------------------------------------------------------


def history_of(delivery: Delivery) -> list[dict[str, Any]]:
    """What was done with it beside attempts: moved to another relay, tried again by a person."""
    events = delivery.events.select_related("event__relay_from", "event__relay_to", "event__user")
    return [
        {"at": one.at, "words": _happened(one.event), "before": _before(one)}
        for one in events.order_by("at", "pk")
    ]


def _happened(event: CampaignEvent) -> str:
    if event.kind == EventKind.RETRIED:
        who = (event.user.name or event.user.email) if event.user else "—"
        return _("由 %(who)s 重试") % {"who": who}
    params = {
        "source": event.relay_from.name if event.relay_from else "—",
        "target": event.relay_to.name if event.relay_to else "—",
        "reason": sentence(event.reason),
    }
    return _("从“%(source)s”换到“%(target)s”：%(reason)s") % params


def _before(one: Any) -> str:
    """The end that a retry began from."""
    if one.event.kind != EventKind.RETRIED:
        return ""
    label = str(DeliveryState(one.state).label)
    return " · ".join(part for part in (label, sentence(one.reason), one.detail) if part)
