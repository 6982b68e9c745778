"""WarmUp: a new relay's ramp, a little more mail every day until its full limit."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from campaigns.mailer.warm_up import Ramp


class WarmUp(models.Model):
    """From `starts_on` (a day of `zone`) `first_amount`, each day `factor` times as much; or the
    table `amounts`, one number a day. From `full_amount` on, the ramp limits nothing any more."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.OneToOneField(Relay, models.CASCADE, related_name="warm_up")
    starts_on = models.DateField(_("开始日期"))
    first_amount = models.PositiveIntegerField(_("第一天的封数"), validators=[MinValueValidator(1)])
    factor = models.DecimalField(
        _("每天增长到前一天的几倍"),
        max_digits=4,
        decimal_places=2,
        default=Decimal("1.5"),
        validators=[MinValueValidator(Decimal("1.05")), MaxValueValidator(Decimal(10))],
    )
    amounts = models.JSONField(default=list)
    full_amount = models.PositiveIntegerField(
        _("达到这么多就结束预热"), validators=[MinValueValidator(1)]
    )
    zone = models.CharField(_("时区"), max_length=64)

    def __str__(self) -> str:
        return f"{self.relay_id} {self.starts_on}"

    @property
    def ramp(self) -> Ramp:
        """Its arithmetic."""
        return Ramp(
            self.starts_on, self.first_amount, self.factor, self.full_amount, tuple(self.amounts)
        )
