"""Confirmation: what an employee did on the page of his payslip. Each fact came by a POST of his own."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery


class ConfirmationState(models.TextChoices):
    """Opened is not confirmed; a dispute stands until the employee confirms after all."""

    WAITING = "unconfirmed", _("未确认")
    OPENED = "opened", _("已打开")
    CONFIRMED = "confirmed", _("已确认")
    DISPUTED = "disputed", _("有异议")


class Confirmation(models.Model):
    """One payslip's, whatever message of it (reminder, resend) the employee came by.

    `delivery` is the campaign's own. A dispute after a confirmation takes it back, and the other way
    round: `confirmed_at` says whether the slip stands confirmed now.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="confirmations")
    delivery = models.OneToOneField(Delivery, models.CASCADE, related_name="confirmation")
    opened_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    disputed_at = models.DateTimeField(null=True, blank=True)
    # [{"at": …, "text": …}]: sealed with the workbook's key, as everything that tells of a salary.
    sealed_text = models.BinaryField(null=True)

    class Meta:
        indexes = [models.Index(fields=["campaign", "confirmed_at"])]

    def __str__(self) -> str:
        return f"{self.delivery_id}: {self.state}"

    @property
    def state(self) -> ConfirmationState:
        if self.confirmed_at:
            return ConfirmationState.CONFIRMED
        if self.disputed_at:
            return ConfirmationState.DISPUTED
        return ConfirmationState.OPENED if self.opened_at else ConfirmationState.WAITING
