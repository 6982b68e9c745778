"""Why a relay stands still, and what its replies led to lately: sentences for its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Relay
from campaigns.models import RelayPark
from campaigns.pipeline import reply_rules
from campaigns.reasons import sentence
from campaigns.rule_texts import effect, lasting, said

STOPS = 5
RULES = 8


def why_parked(relay: Relay) -> str:
    """“网易：发送过于频繁（MI:SFQ），停 15 分钟，到 14:20。” for a relay that a reply has stopped."""
    rule = reply_rules.find(relay.park_rule, relay.team_id) if relay.park_rule else None
    assert relay.parked_until is not None
    # The one that runs may be longer than its rule says: it came again (pipeline/park_length.py).
    began = RelayPark.objects.filter(
        relay=relay, until=relay.parked_until, rule=relay.park_rule
    ).values_list("at", flat=True)
    span = next((relay.parked_until - at for at in began[:1]), rule.park_for if rule else None)
    return _stopped(said(rule) if rule else sentence(relay.park_reason), span, relay.parked_until)


def _stopped(why: str, span: timedelta | None, until: datetime) -> str:
    local = timezone.localtime(until)
    params = {
        "why": why.rstrip("。.") or _("服务器要求放慢"),
        "span": lasting(span),
        "until": date_format(local, "H:i" if local.date() == timezone.localdate() else "m-d H:i"),
    }
    if params["span"]:
        return _("%(why)s，停 %(span)s，到 %(until)s。") % params
    return _("%(why)s，停到 %(until)s。") % params


def lately(relay: Relay) -> dict[str, Any]:
    """Its last stops, and the rules that spoke in the last days with their numbers."""
    stops = list(RelayPark.objects.filter(relay=relay).order_by("-at")[:STOPS])
    caught = reply_rules.caught_lately(relay)
    keys = {*(stop.rule for stop in stops if stop.rule), *list(caught)[:RULES]}
    found = reply_rules.find_all(keys, relay.team_id)
    return {
        "stops": [
            {
                "at": stop.at,
                "words": _stopped(
                    said(rule) if rule else sentence(stop.reason), stop.until - stop.at, stop.until
                ),
            }
            for stop in stops
            for rule in [found.get(stop.rule)]
        ],
        "caught": [
            {
                "key": key,
                "said": said(rule) if rule else _("已删除的规则"),
                "effect": effect(rule) if rule else "",
                "number": caught[key].number,
                "last_at": caught[key].last_at,
            }
            for key in list(caught)[:RULES]
            for rule in [found[key]]
        ],
    }
