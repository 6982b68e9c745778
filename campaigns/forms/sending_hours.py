"""The form of sending hours: a team's default, or one campaign's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from accounts.field_groups import grouped
from accounts.models import Team
from accounts.models.team import known_time_zone
from campaigns.models import Campaign, SendingHours
from campaigns.models.sending_hours import WorkCalendar, working_week

GROUPS = (
    (_("钟点"), ("any_time", "opens", "closes", "zone")),
    (_("日子"), ("weekdays", "calendar", "payslips")),
)


class SendingHoursForm(forms.ModelForm):
    """`campaign` None: the team's default. Only a campaign can do away with hours altogether."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("星期"),
        choices=list(WEEKDAYS.items()),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = SendingHours
        fields = ("any_time", "opens", "closes", "weekdays", "calendar", "zone", "payslips")
        widgets = {
            "opens": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "closes": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "calendar": forms.RadioSelect,
        }
        help_texts = {
            "closes": _("早于开始时间表示到第二天；两者相同表示全天。到点后不再开始新的一封。"),
            "calendar": _("选了中国的日历，就不看星期几：节假日不发，调休的周末照发。"),
        }

    def __init__(self, *args: Any, team: Team, campaign: Campaign | None, **kwargs: Any) -> None:
        self.team, self.campaign = team, campaign
        super().__init__(*args, **kwargs)
        self.fields["zone"].validators.append(known_time_zone)
        self.fields["calendar"].choices = WorkCalendar.choices
        self.fields["calendar"].required = False
        if not self.instance.pk:
            self.initial = {
                "zone": team.time_zone,
                "weekdays": working_week(),
                **self.initial,
            }
        del self.fields["any_time" if campaign is None else "payslips"]

    def groups(self) -> Iterator[dict[str, Any]]:
        return grouped(self, GROUPS)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        bound = not data.get("any_time") and not data.get("calendar")
        if bound and not data.get("weekdays"):
            self.add_error("weekdays", ValidationError(_("请至少选一天。")))
        return data

    def save(self, commit: bool = True) -> SendingHours:
        self.instance.team, self.instance.campaign = self.team, self.campaign
        row: SendingHours = super().save(commit)
        return row
