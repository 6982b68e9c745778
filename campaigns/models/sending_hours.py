"""SendingHours: when campaigns may send, by wall time of a zone; a team's default, or one campaign's."""

from __future__ import annotations

from datetime import time

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.mailer.sending_hours import Calendar, Hours
from campaigns.models.campaign import Campaign


class WorkCalendar(models.TextChoices):
    """Which days count beside, or instead of, the weekdays."""

    NONE = "", _("只看星期几")
    CHINA = "china", _("中国法定节假日和调休（只在工作日发送）")


def working_week() -> list[int]:
    """Monday to Friday, as date.weekday() counts."""
    return [0, 1, 2, 3, 4]


class SendingHours(models.Model):
    """From `opens` to `closes` (past midnight where it is the earlier one) on `weekdays`.

    The row without a campaign is its team's default, which binds newsletters, and payslips where
    `payslips` says so. A campaign's own row replaces it; with `any_time`, by nothing.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="sending_hours")
    campaign = models.OneToOneField(
        Campaign, models.CASCADE, null=True, blank=True, related_name="sending_hours"
    )
    any_time = models.BooleanField(_("不限时段"), default=False)
    opens = models.TimeField(_("开始"), default=time(9))
    closes = models.TimeField(_("结束"), default=time(18))
    weekdays = models.JSONField(_("星期"), default=working_week)
    calendar = models.CharField(
        _("日历"), max_length=10, choices=WorkCalendar.choices, blank=True, default=""
    )
    zone = models.CharField(_("时区"), max_length=64)
    payslips = models.BooleanField(_("工资条也只在时段内发送"), default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team"],
                name="sending_hours_default_once",
                condition=models.Q(campaign__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.opens}-{self.closes}"

    @property
    def hours(self) -> Hours | None:
        """Their arithmetic; None where nothing is limited."""
        if self.any_time:
            return None
        calendar = Calendar.CHINA if self.calendar == WorkCalendar.CHINA else Calendar.WEEKDAYS
        return Hours(self.opens, self.closes, frozenset(self.weekdays), self.zone, calendar)
