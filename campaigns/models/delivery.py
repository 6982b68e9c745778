"""Delivery, Attempt, Claim: the outbox row, what was tried with it, and who works on it now."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from campaigns.models.campaign import Campaign
from campaigns.models.contact import Contact
from campaigns.models.plainly_loaded import PlainlyLoaded
from campaigns.models.workbook import WorkbookRow


class DeliveryPurpose(models.TextChoices):
    CAMPAIGN = "campaign", _("群发")
    TEST = "test", _("测试")
    RESEND = "resend", _("补发")
    REMINDER = "reminder", _("提醒")


class DeliveryState(models.TextChoices):
    """queued → sending → accepted | refused | in_doubt | deferred (back to sending at due_at);
    queued or deferred → failed | expired | suppressed | cancelled;
    in_doubt → accepted or queued, by a person or by the campaign's policy."""

    QUEUED = "queued", _("排队中")
    SENDING = "sending", _("发送中")
    DEFERRED = "deferred", _("稍后重试")
    ACCEPTED = "accepted", _("已提交")
    REFUSED = "refused", _("被拒")
    IN_DOUBT = "in_doubt", _("待确认")
    FAILED = "failed", _("失败")
    EXPIRED = "expired", _("已过期")
    SUPPRESSED = "suppressed", _("已屏蔽")
    CANCELLED = "cancelled", _("已取消")


OPEN = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)
WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)

PRIORITY_TEST = 30
PRIORITY_PAYSLIP = 20
PRIORITY_NEWSLETTER = 10


# The domain of a delivery whose recipient was erased: whose it was can no longer be told.
ERASED_DOMAIN = ""


class Claim(models.Model):
    """One worker's open connection to a relay. Its rows are its own while the lease lives."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, models.CASCADE, related_name="claims")
    worker = models.CharField(max_length=100)
    lease_until = models.DateTimeField()
    # The database server's start time: after its restart, outcomes committed asynchronously may
    # be lost, so an open claim of a dead worker is in doubt as a whole (design, Durability).
    server_started_at = models.CharField(max_length=40, blank=True)
    # A direct relay's connection is one to this recipient domain's own servers; else blank.
    domain = models.CharField(max_length=253, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["relay", "lease_until"],
                name="claim_open",
                condition=models.Q(ended_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.relay_id} · {self.worker}"


class Delivery(PlainlyLoaded, models.Model):
    """One campaign × one recipient. `detail` names a cell or a cause, never what a cell holds."""

    # Keys that begin an index of Meta have none of their own: each costs every message's write.
    team = models.ForeignKey(Team, models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, related_name="deliveries", db_index=False
    )
    purpose = models.CharField(
        max_length=10, choices=DeliveryPurpose.choices, default=DeliveryPurpose.CAMPAIGN
    )
    # "c<contact id>" or "r<row number>.<part>": the same recipient is planned once.
    source_key = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField(default=0)
    resend_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="resends", db_index=False
    )
    contact = models.ForeignKey(
        Contact,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="deliveries",
        db_index=False,
    )
    row = models.ForeignKey(
        WorkbookRow,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="deliveries",
        db_index=False,
    )
    row_number = models.PositiveIntegerField(null=True, blank=True)
    address = models.CharField(max_length=320)
    address_key = models.CharField(max_length=320)
    domain = models.CharField(max_length=253)
    priority = models.PositiveSmallIntegerField(default=PRIORITY_NEWSLETTER)
    due_at = models.DateTimeField()
    deliver_until = models.DateTimeField()
    relay = models.ForeignKey(Relay, models.PROTECT, null=True, related_name="deliveries")
    claim = models.ForeignKey(
        Claim,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="deliveries",
        db_index=False,
        # Looked up twice a message for nothing: no claim is deleted but with its team, and whatever
        # a row says of one that is not there any more, no worker holds it.
        db_constraint=False,
    )
    state = models.CharField(
        max_length=12, choices=DeliveryState.choices, default=DeliveryState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    message_id = models.CharField(max_length=200, blank=True)
    variant = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    code = models.PositiveSmallIntegerField(null=True, blank=True)
    enhanced = models.CharField(max_length=12, blank=True)
    resolved_note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "purpose", "source_key", "sequence"], name="delivery_once"
            )
        ]
        indexes = [
            models.Index(fields=["campaign", "state"]),
            # A claim walks one campaign's due rows; paused campaigns cost it nothing.
            models.Index(
                fields=["campaign", "relay", "due_at", "id"],
                name="delivery_due",
                condition=models.Q(state__in=["queued", "deferred"], claim__isnull=True),
            ),
            # Where some domains are limited, a claim walks those apart from the others.
            models.Index(
                fields=["campaign", "relay", "domain", "due_at", "id"],
                name="delivery_domain_due",
                condition=models.Q(state__in=["queued", "deferred"], claim__isnull=True),
            ),
            # Tests and resends go out beside their campaign's state.
            models.Index(
                fields=["relay", "due_at"],
                name="delivery_single_due",
                condition=models.Q(
                    state__in=["queued", "deferred"],
                    claim__isnull=True,
                    purpose__in=["test", "resend"],
                ),
            ),
            models.Index(
                fields=["claim"], name="delivery_claimed", condition=models.Q(claim__isnull=False)
            ),
            models.Index(fields=["team", "address_key"]),
            # A newsletter has no row, a payslip no contact, and hardly any delivery is a resend.
            *(
                models.Index(
                    fields=[name],
                    name=f"delivery_{name}",
                    condition=models.Q(**{f"{name}__isnull": False}),
                )
                for name in ("contact", "row", "resend_of")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}:{self.source_key}"


class Attempt(models.Model):
    """One SMTP transaction for a delivery (RFC 5321). A payslip's reply text is sealed."""

    # The indexes of Meta begin with delivery and relay; nobody asks for a team's attempts alone, and
    # that it is there the delivery's own key says.
    team = models.ForeignKey(
        Team, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries", db_index=False)
    relay = models.ForeignKey(Relay, models.PROTECT, related_name="+", db_index=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    phase = models.CharField(max_length=12)
    outcome = models.CharField(max_length=12)
    # Whether a permit was spent: the quota ledger is rebuilt from these rows.
    content_began = models.BooleanField()
    code = models.PositiveSmallIntegerField(null=True, blank=True)
    enhanced = models.CharField(max_length=12, blank=True)
    text = models.TextField(blank=True)
    sealed_text = models.BinaryField(null=True)
    remote_id = models.CharField(max_length=200, blank=True)
    # The reply rule that caught it, if one did; the database fills it in for plain INSERTs.
    rule = models.CharField(max_length=60, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["delivery", "started_at"]),
            models.Index(fields=["relay", "started_at"]),
            # A stop rule looks for the same refusal within minutes, and at nothing else.
            models.Index(
                fields=["relay", "started_at"],
                name="attempt_refused",
                condition=models.Q(outcome="refused"),
            ),
            # A provider's webhook names the message by its own id.
            models.Index(
                fields=["remote_id"], name="attempt_remote", condition=~models.Q(remote_id="")
            ),
            models.Index(
                fields=["relay", "-started_at"],
                name="attempt_not_taken",
                condition=models.Q(code__gte=400),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.outcome}"
