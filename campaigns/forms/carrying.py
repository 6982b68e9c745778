"""Which relays carry a campaign, each with its share, and when it stops by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay
from campaigns.models import Campaign, CampaignRelay
from campaigns.models.carrying import HEAVIEST


class SharesForm(forms.Form):
    """A number for each relay of the team: its part of the recipients, of the sum of all numbers.

    Empty or 0 leaves a relay out. The campaign's own relay is always in, with 1 where nothing is said;
    where no other has a number, it carries everything and there is nothing to share.
    """

    def __init__(self, *args: Any, relays: list[Relay], campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.relays = relays
        known = dict(campaign.carriers.values_list("relay_id", "weight")) if campaign.pk else {}
        for relay in relays:
            self.fields[f"weight_{relay.pk}"] = forms.IntegerField(
                label=relay.name,
                required=False,
                min_value=0,
                max_value=HEAVIEST,
                initial=known.get(relay.pk),
                help_text="、".join(relay.from_addresses[:4]),
            )
        self.is_used = bool(known)

    @property
    def is_offered(self) -> bool:
        """With one relay there is nothing to choose."""
        return len(self.relays) > 1

    def check(self, main: Relay | None, address: str) -> bool:
        """After is_valid: each chosen relay lets the from-address through."""
        for relay, _weight in self.chosen(main):
            if address and relay != main and not relay.may_send_as(address):
                words = _("这个账号不能用发件地址 %(address)s。")
                fault = ValidationError(words, params={"address": address})
                self.add_error(f"weight_{relay.pk}", fault)
        return not self.errors

    def chosen(self, main: Relay | None) -> list[tuple[Relay, int]]:
        """The relays with their weights, the campaign's own first; empty where it is the only one."""
        weights = {relay: self.cleaned_data.get(f"weight_{relay.pk}") or 0 for relay in self.relays}
        others = [(relay, number) for relay, number in weights.items() if number and relay != main]
        if main is None or not others:
            return []
        return [(main, weights.get(main) or 1), *others]

    def store(self, campaign: Campaign) -> None:
        """In the transaction that stores the campaign."""
        CampaignRelay.objects.filter(campaign=campaign).delete()
        CampaignRelay.objects.bulk_create(
            CampaignRelay(team_id=campaign.team_id, campaign=campaign, relay=relay, weight=weight)
            for relay, weight in self.chosen(campaign.relay)
        )


STOP_RULES = (
    "stop_bounce_percent",
    "stop_complaint_percent",
    "stop_refusals",
    "stop_minutes",
)


class StopRulesForm(forms.ModelForm):
    """An empty number switches that rule off."""

    class Meta:
        model = Campaign
        fields = STOP_RULES
        help_texts = {
            "stop_bounce_percent": _("有结果的至少 50 封、失败至少 5 封才算。留空则不用这条规则。"),
            "stop_complaint_percent": _("已提交的至少 50 封、投诉至少 3 次才算。留空则不用。"),
            "stop_refusals": _("同样的回复（数字和地址不算）；地址不存在的不算。留空则不用。"),
            "stop_minutes": _("只看这段时间里的拒收。"),
        }

    @classmethod
    def of(cls, data: Any, campaign: Campaign) -> StopRulesForm:
        """Bound only to a form that had these fields: a campaign made elsewhere keeps its rules."""
        return cls(data if data and "stop_minutes" in data else None, instance=campaign)

    @property
    def is_fine(self) -> bool:
        return not self.is_bound or self.is_valid()

    def __iter__(self) -> Iterator[forms.BoundField]:
        for name in STOP_RULES:
            yield self[name]
