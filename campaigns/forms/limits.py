"""Forms of what holds a sender back on purpose: domain limits, parked domains, a warm-up."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import LimitWindow, Relay, Team
from campaigns.mailer.address import AddressFault, address_key
from campaigns.mailer.warm_up import LONGEST
from campaigns.models import DomainLimit, WarmUp

_MOST_DOMAINS = 200
_APART = re.compile(r"[\s,，、;；+]+")


def clean_domain(text: str) -> str:
    """A domain as it stands in a delivery: lower case, A-labels. Raises ValidationError."""
    try:
        return address_key(f"x@{text.strip().rstrip('.')}").rpartition("@")[2]
    except AddressFault as fault:
        raise ValidationError(
            _("“%(line)s”：%(why)s") % {"line": text[:80], "why": fault.text}
        ) from None


class DomainLimitForm(forms.ModelForm):
    """Amounts that stand empty are not limited; at least one has to be there."""

    domains = forms.CharField(
        label=_("收件域"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_(
            "每行一个，或用逗号分开；几个域名合起来算，例如 qq.com 和 foxmail.com。*.example.com 表示它下面的所有域名。"
        ),
    )

    class Meta:
        model = DomainLimit
        fields = ("name", "domains", *LimitWindow.values, "connections", "enabled")
        help_texts = {
            "connections": _(
                "发往这些域名、还没等到答复的邮件最多这么多封，所有发信账号加在一起。留空为不限。"
            ),
        }

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        self.team = team
        super().__init__(*args, **kwargs)
        for window in LimitWindow:
            field = self.fields[window.value]
            field.label = _("%(window)s最多（封）") % {"window": window.label}
            field.max_value = 10_000_000
            field.widget.attrs["placeholder"] = _("不限")
        if self.instance.pk:
            self.initial["domains"] = "\n".join(self.instance.domains)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if self._others().filter(name=name).exists():
            raise ValidationError(_("已经有同名的限速。"))
        return name

    def clean_domains(self) -> list[str]:
        words = [word for word in _APART.split(self.cleaned_data["domains"].lower()) if word]
        if len(words) > _MOST_DOMAINS:
            raise ValidationError(_("最多 %(most)d 个域名。") % {"most": _MOST_DOMAINS})
        found = list(dict.fromkeys(_pattern(word) for word in words))
        if not found:
            raise ValidationError(_("请至少填写一个域名。"))
        for other in self._others():
            if both := sorted(set(found) & set(other.domains)):
                raise ValidationError(
                    _("%(domain)s 已经在“%(name)s”里。") % {"domain": both[0], "name": other.name}
                )
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        names = (*LimitWindow.values, "connections")
        if not self.errors and not any(data.get(name) for name in names):
            raise ValidationError(_("请至少填写一个上限。"))
        return data

    def save(self, commit: bool = True) -> DomainLimit:
        """Whatever was full by the old amounts is asked again."""
        self.instance.team = self.team
        self.instance.resting_until = None
        limit: DomainLimit = super().save(commit)
        return limit

    def _others(self) -> Any:
        return DomainLimit.objects.filter(team=self.team).exclude(pk=self.instance.pk)


def _pattern(word: str) -> str:
    if word.startswith("*."):
        below = clean_domain(word[2:])
        if "_" in below or "%" in below:
            raise ValidationError(_("“%(line)s”不是域名。") % {"line": word[:80]})
        return f"*.{below}"
    return clean_domain(word.removeprefix("@"))


class ParkForm(forms.Form):
    """A person stops one domain on one relay."""

    domain = forms.CharField(label=_("收件域"), max_length=253)
    hours = forms.IntegerField(label=_("暂停多少小时"), min_value=1, max_value=24 * 30, initial=24)
    reason = forms.CharField(label=_("原因"), max_length=200)

    def clean_domain(self) -> str:
        return clean_domain(self.cleaned_data["domain"].lower().removeprefix("@"))

    @property
    def until(self) -> Any:
        return timezone.now() + timedelta(hours=self.cleaned_data["hours"])


class WarmUpForm(forms.ModelForm):
    """By a factor, or by a table of days, which then counts alone."""

    table = forms.CharField(
        label=_("或者逐日填写封数"),
        required=False,
        max_length=4000,
        help_text=_("用逗号分开，例如 50, 100, 200, 400；填了就不用上面的倍数。"),
    )

    class Meta:
        model = WarmUp
        fields = ("starts_on", "first_amount", "factor", "table", "full_amount")
        widgets = {"starts_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}
        help_texts = {
            "starts_on": _("从这一天起逐日增加；在这之前按第一天的封数。"),
            "full_amount": _("达到以后只按账号本身的限速。"),
        }

    def __init__(self, *args: Any, relay: Relay, **kwargs: Any) -> None:
        self.relay = relay
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["table"] = ", ".join(map(str, self.instance.amounts))

    def clean_table(self) -> list[int]:
        words = [word for word in _APART.split(self.cleaned_data["table"]) if word]
        if not all(word.isascii() and word.isdecimal() and len(word) < 9 for word in words):
            raise ValidationError(_("请填数字，用逗号分开，例如 50, 100, 200。"))
        amounts = [int(word) for word in words]
        if len(amounts) > LONGEST or 0 in amounts:
            raise ValidationError(_("请填 1 到 %(most)d 天，每天至少 1 封。") % {"most": LONGEST})
        if amounts != sorted(amounts):
            raise ValidationError(_("每天的封数不能比前一天少。"))
        return amounts

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        first = (data.get("table") or [data.get("first_amount")])[0]
        if first and data.get("full_amount") and first >= data["full_amount"]:
            self.add_error("full_amount", _("要大于第一天的封数。"))
        return data

    def save(self, commit: bool = True) -> WarmUp:
        self.instance.team = self.relay.team
        self.instance.relay = self.relay
        self.instance.zone = self.relay.team.time_zone
        self.instance.amounts = self.cleaned_data["table"]
        warm_up: WarmUp = super().save(commit)
        return warm_up
