"""Whether a newsletter's opens and clicks are counted, and what its links tell the sites they lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from campaigns.forms.campaign import one_line
from campaigns.forms.limits import clean_domain
from campaigns.mailer.utm import FIELDS
from campaigns.models import Campaign
from campaigns.models.tracking import Tracking

# What a launched campaign keeps of it.
TRACKING = ("tracking", "utm")
_APART = re.compile(r"[\s,，、;；]+")
_MOST_DOMAINS = 20


def no_field(value: str) -> None:
    """Validator: the same for all recipients, so that it names nobody to another site."""
    if "{{" in value or "{%" in value:
        raise ValidationError(_("这里不能写合并字段。"))


class TrackingForm(forms.ModelForm):
    """The UTM texts are stored together, in Campaign.utm."""

    domains = forms.CharField(
        label=_("加在这些网站的链接上"),
        required=False,
        max_length=1000,
        help_text=_("例如 shop.example.com；包括它下面的子域名。几个用逗号分开。"),
    )

    class Meta:
        model = Campaign
        fields = ("tracking",)
        help_texts = {
            "tracking": _(
                "默认不统计。“只计总数”的链接里没有收件人，谁也查不出是谁；“记到每个人”请先取得收件人的同意。"
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(value, label) for value, label in Tracking.choices]
        self.fields["tracking"].widget = forms.RadioSelect(choices=choices)
        for name in FIELDS:
            self.fields[name] = forms.CharField(
                label=f"utm_{name}",
                required=False,
                max_length=100,
                validators=[one_line, no_field],
                initial=self.instance.utm.get(name, ""),
            )
        self.initial["domains"] = "、".join(self.instance.utm.get("domains", []))

    @classmethod
    def of(cls, data: Any, campaign: Campaign) -> TrackingForm | None:
        """None for a payslip; bound only to a form that had these fields."""
        if campaign.is_payslip:
            return None
        return cls(data if data and "domains" in data else None, instance=campaign)

    @property
    def is_fine(self) -> bool:
        return not self.is_bound or self.is_valid()

    @property
    def has_utm(self) -> bool:
        return bool(self.instance.utm) or any(name in self.errors for name in ("domains", *FIELDS))

    @property
    def utm_fields(self) -> Iterator[forms.BoundField]:
        for name in ("domains", *FIELDS):
            yield self[name]

    def clean_domains(self) -> list[str]:
        """Hosts in A-labels; a whole address means its host."""
        found = [part for part in _APART.split(self.cleaned_data["domains"]) if part]
        if len(found) > _MOST_DOMAINS:
            raise ValidationError(_("最多 %(most)s 个域名。"), params={"most": _MOST_DOMAINS})
        return list(dict.fromkeys(clean_domain(_host(part)) for part in found))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        texts = {name: cleaned[name].strip() for name in FIELDS if cleaned.get(name, "").strip()}
        domains = cleaned.get("domains")
        if texts and domains == []:
            self.add_error("domains", _("请填写域名：别的网站的链接不会改动。"))
        self.instance.utm = {"domains": domains, **texts} if texts and domains else {}
        return cleaned


def _host(text: str) -> str:
    try:
        return urlsplit(text).hostname or "" if "://" in text else text.partition("/")[0]
    except ValueError:
        return text
