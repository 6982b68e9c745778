"""Stop rules: what goes wrong often enough stops by itself, and nothing else does.

A tick asks cheap figures first: the counts of the running campaigns, complaints by their index, and
the refusals of the last minutes by theirs. Only where these are too high are the failing rows looked
at: most of one relay, or of one domain on it, stop there; else the campaign is held. A person lifts a
stop, and what happened before that counts no more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.mailer.reply_recipient import DEAD
from campaigns.models import Attempt, Campaign, CampaignStop, Delivery, Feedback
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import WAITING, DeliveryPurpose, DeliveryState
from campaigns.models.feedback import FeedbackKind
from campaigns.models.signals import announce
from campaigns.models.stop import StopRule
from campaigns.pipeline.counts import BOUNCED

# Below these numbers a share says nothing: one of two is no half.
SAMPLE = 50
FEWEST_BOUNCES = 5
FEWEST_COMPLAINTS = 3
# So much of the failures must be of one relay or domain for it to be the cause.
OF_ONE = 0.9
# How many failing deliveries a stop names.
NAMED = 20
COMPLAINED = "complained"

# What a server's reply says of itself: beyond that it only repeats.
LONGEST_REPLY = 120


@dataclass(frozen=True)
class Failure:
    """One failing delivery and where it failed."""

    delivery: int
    relay: int | None
    domain: str


@dataclass
class Found:
    """A rule that fires: what it saw, and the deliveries behind it."""

    rule: StopRule
    figures: dict[str, Any]
    failures: list[Failure] = field(default_factory=list)


def judge() -> int:
    """Looks at every running campaign; how many stops were made."""
    running = list(
        Campaign.objects.filter(
            state=CampaignState.RUNNING, hold_reason="", planned_at__isnull=False
        )
        .prefetch_related("state_counts", "carriers")
        .defer("frozen_html", "frozen_text", "frozen_subject")
    )
    if not running:
        return 0
    last = _last_stops(running)
    complaints = _complaints(running)
    made = 0
    for campaign in running:
        seen = Seen.of(campaign, complaints.get(campaign.pk, 0), last.get(campaign.pk))
        found = _bounces(campaign, seen) or _complaint(campaign, seen)
        found = found or _same_refusal(campaign, seen)
        if found is not None:
            made += _stop(campaign, found, seen)
    return made


@dataclass(frozen=True)
class Seen:
    """The cheap figures since the last stop was made or lifted: what led to that counts no more."""

    begin: datetime
    now: dict[str, int]
    before: dict[str, int]

    @classmethod
    def of(cls, campaign: Campaign, complaints: int, last: CampaignStop | None) -> Seen:
        now = figures_of(campaign, complaints)
        if last is None:
            return cls(campaign.launched_at or campaign.created_at, now, {})
        return cls(max(last.at, last.lifted_at or last.at), now, last.figures["before"])

    def number(self, *states: str) -> int:
        return sum(self.now.get(state, 0) - self.before.get(state, 0) for state in states)


def figures_of(campaign: Campaign, complaints: int) -> dict[str, int]:
    """What a later look subtracts."""
    states = (DeliveryState.ACCEPTED, DeliveryState.REFUSED, BOUNCED)
    counts = campaign.counts
    return {COMPLAINED: complaints} | {str(state): counts.get(state, 0) for state in states}


def _last_stops(running: list[Campaign]) -> dict[int, CampaignStop]:
    """Each campaign's newest stop."""
    stops = CampaignStop.objects.filter(campaign__in=running).order_by("at", "pk")
    return {stop.campaign_id: stop for stop in stops}


# The rules -----------------------------------------------------------------------------------------


def _bounces(campaign: Campaign, seen: Seen) -> Found | None:
    """Proven bounces and refusals, as a share of what the servers have answered for good."""
    percent = campaign.stop_bounce_percent
    answered = seen.number(DeliveryState.ACCEPTED, DeliveryState.REFUSED)
    failed = seen.number(DeliveryState.REFUSED, BOUNCED)
    if percent is None or not _too_many(failed, answered, percent, FEWEST_BOUNCES):
        return None
    # A late report of what was sent before the last stop is none of what was sent since.
    rows = _answered(campaign, seen.begin)
    refused = rows.filter(state=DeliveryState.REFUSED)
    bounced = rows.filter(pk__in=_reports(campaign, FeedbackKind.BOUNCE)).exclude(
        state=DeliveryState.REFUSED
    )
    failures = [*_failures(refused), *_failures(bounced)]
    answered = rows.count()
    if not _too_many(len(failures), answered, percent, FEWEST_BOUNCES):
        return None
    figures = {"number": len(failures), "of": answered, "limit": percent}
    return Found(StopRule.BOUNCES, figures, failures)


def _complaint(campaign: Campaign, seen: Seen) -> Found | None:
    percent = campaign.stop_complaint_percent
    accepted, complaints = seen.number(DeliveryState.ACCEPTED), seen.number(COMPLAINED)
    if percent is None or not _too_many(complaints, accepted, percent, FEWEST_COMPLAINTS):
        return None
    rows = _answered(campaign, seen.begin).filter(state=DeliveryState.ACCEPTED)
    failures = _failures(rows.filter(pk__in=_reports(campaign, FeedbackKind.COMPLAINT)))
    accepted = rows.count()
    if not _too_many(len(failures), accepted, percent, FEWEST_COMPLAINTS):
        return None
    figures = {"number": len(failures), "of": accepted, "limit": str(percent)}
    return Found(StopRule.COMPLAINTS, figures, failures)


def _same_refusal(campaign: Campaign, seen: Seen) -> Found | None:
    """The same answer again and again is about us, not about the recipients: dead addresses aside."""
    limit = campaign.stop_refusals
    if limit is None or seen.number(DeliveryState.REFUSED) < limit:
        return None
    since = max(seen.begin, timezone.now() - timedelta(minutes=campaign.stop_minutes))
    relays = [row.relay_id for row in campaign.carriers.all()] or [campaign.relay_id]
    tried = Attempt.objects.filter(
        relay__in=relays, started_at__gt=since, outcome="refused", delivery__campaign=campaign
    ).exclude(delivery__purpose=DeliveryPurpose.TEST)
    by_words: dict[tuple[int | None, str, str], list[Failure]] = defaultdict(list)
    columns = ("code", "enhanced", "text", "delivery_id", "relay_id", "delivery__domain")
    dead = [str(reason) for reason in DEAD]
    for code, enhanced, text, *where in tried.exclude(delivery__reason__in=dead).values_list(
        *columns
    ):
        by_words[code, enhanced, normal(text)].append(Failure(*where))
    for (code, enhanced, words), failures in by_words.items():
        if len(failures) >= limit:
            figures = {
                "number": len(failures),
                "limit": limit,
                "minutes": campaign.stop_minutes,
                "reply": " ".join(part for part in (str(code or ""), enhanced, words) if part),
            }
            return Found(StopRule.SAME_REFUSAL, figures, failures)
    return None


def normal(text: str) -> str:
    """A reply without what differs from one recipient to the next. A payslip's is sealed: empty."""
    words = text.lower().split()
    return " ".join("#" if _varies(word) else word for word in words)[:LONGEST_REPLY]


def _varies(word: str) -> bool:
    """Ids, times and addresses differ from one reply to the next."""
    return "@" in word or any(sign.isdigit() for sign in word)


def _too_many(number: int, of: int, percent: Decimal | int, fewest: int) -> bool:
    return of >= SAMPLE and number >= fewest and number * 100 > of * percent


def _answered(campaign: Campaign, begin: datetime) -> QuerySet[Delivery]:
    """What relays took or refused since then."""
    return Delivery.objects.filter(
        campaign=campaign,
        state__in=[DeliveryState.ACCEPTED, DeliveryState.REFUSED],
        changed_at__gt=begin,
    ).exclude(purpose=DeliveryPurpose.TEST)


def _reports(campaign: Campaign, kind: FeedbackKind) -> QuerySet[Feedback, Any]:
    found = Feedback.objects.filter(campaign=campaign, kind=kind, delivery__isnull=False)
    return found.exclude(proof="").values("delivery")


def _failures(rows: QuerySet[Delivery]) -> list[Failure]:
    return [Failure(*row) for row in rows.order_by("pk").values_list("pk", "relay_id", "domain")]


def _complaints(running: list[Campaign]) -> dict[int, int]:
    """Proven complaints of each campaign, all of one query by their index."""
    found = Feedback.objects.filter(campaign__in=running, kind=FeedbackKind.COMPLAINT)
    grouped = found.exclude(proof="").values_list("campaign").annotate(Count("pk")).order_by()
    return dict(grouped)


# What is stopped -----------------------------------------------------------------------------------


def _stop(campaign: Campaign, found: Found, seen: Seen) -> bool:
    """Writes the stop once, and takes what was claimed but not begun out of the workers' hands."""
    relay, domain = _scope(campaign, found.failures)
    deliveries = [one.delivery for one in found.failures[:NAMED]]
    figures = found.figures | {"deliveries": deliveries, "before": seen.now}
    with transaction.atomic():
        living = Campaign.objects.select_for_update().filter(
            pk=campaign.pk, state=CampaignState.RUNNING, hold_reason=""
        )
        if not living.exists():
            return False
        CampaignStop.objects.create(
            team_id=campaign.team_id,
            campaign=campaign,
            relay_id=relay,
            domain=domain,
            rule=found.rule,
            figures=figures,
        )
        if relay is None:
            Campaign.objects.filter(pk=campaign.pk).update(hold_reason=Hold.STOP_RULE)
        # A worker begins only what carries its claim (claim.BEGIN): in flight is what ends now.
        claimed = Delivery.objects.filter(campaign=campaign, state__in=WAITING)
        claimed = claimed.filter(claim__isnull=False, **({"relay": relay} if relay else {}))
        claimed.filter(**({"domain": domain} if domain else {})).update(claim=None)
    return True


def _scope(campaign: Campaign, failures: Sequence[Failure]) -> tuple[int | None, str]:
    """The relay and domain that fail, where others go on; None for the campaign as a whole."""
    relays = Counter(one.relay for one in failures)
    relay, number = relays.most_common(1)[0]
    if relay is None or number < len(failures) * OF_ONE:
        return None, ""
    domains = Counter(one.domain for one in failures if one.relay == relay)
    domain, number = domains.most_common(1)[0]
    if number >= len(failures) * OF_ONE and _others(campaign, relay, domain):
        return relay, domain
    several = len({row.relay_id for row in campaign.carriers.all()}) > 1
    return (relay, "") if several else (None, "")


def _others(campaign: Campaign, relay: int, domain: str) -> bool:
    """Whether this relay has anything of another domain in this campaign."""
    rows = Delivery.objects.filter(campaign=campaign, relay=relay).exclude(domain=domain)
    return rows.exclude(purpose=DeliveryPurpose.TEST).exists()


# What a person does --------------------------------------------------------------------------------


def standing(campaign: Campaign) -> list[CampaignStop]:
    """What is stopped now, the newest first."""
    stops = CampaignStop.objects.filter(campaign=campaign, lifted_at=None).select_related("relay")
    return list(stops.defer("relay__secret", "relay__ca_pem").order_by("-at", "-pk"))


def number_standing(campaign: Campaign) -> int:
    """How many stops wait for a person."""
    return CampaignStop.objects.filter(campaign=campaign, lifted_at=None).count()


def lift(stop: CampaignStop, user: User | None) -> bool:
    """One stop of a relay or domain; the campaign's own hold ends by control.resume."""
    with transaction.atomic():
        done = stop.relay_id is not None and _lift([stop], user)
        if done:
            announce("tick")
    return done


def lift_hold(campaign: Campaign, user: User | None) -> None:
    """The stops behind the campaign's hold, which a person ends."""
    _lift(list(CampaignStop.objects.filter(campaign=campaign, relay=None, lifted_at=None)), user)


def _lift(stops: list[CampaignStop], user: User | None) -> bool:
    """What was seen until now is what a later look subtracts."""
    done = 0
    for stop in stops:
        complaints = _complaints([stop.campaign]).get(stop.campaign_id, 0)
        figures = stop.figures | {"before": figures_of(stop.campaign, complaints)}
        done += CampaignStop.objects.filter(pk=stop.pk, lifted_at=None).update(
            lifted_at=timezone.now(), lifted_by=user, figures=figures
        )
    return bool(done)


def named(stop: CampaignStop) -> list[Delivery]:
    """The first deliveries behind it."""
    found = Delivery.objects.filter(campaign=stop.campaign_id, pk__in=stop.figures["deliveries"])
    return list(found.only("address", "code", "enhanced", "state").order_by("pk"))
