"""Campaign: what, to whom, when; draft → scheduled → running ⇄ paused → finished | cancelled."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from campaigns.models.contact import ContactList
from campaigns.models.content import ContentGrant
from campaigns.models.layout import PayslipLayout
from campaigns.models.template import Kind, MessageTemplate
from campaigns.models.tracking import Tracking
from campaigns.models.workbook import Workbook


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("草稿")
    SCHEDULED = "scheduled", _("已排期")
    RUNNING = "running", _("发送中")
    PAUSED = "paused", _("已暂停")
    FINISHED = "finished", _("已完成")
    CANCELLED = "cancelled", _("已取消")


class Hold(models.TextChoices):
    """Why a campaign does not send although its state would let it; a person lifts it."""

    LATE_START = "late_start", _("错过了预定时间")
    RESTORED_COPY = "restored_copy", _("数据库是恢复的副本")
    STOP_RULE = "stop_rule", _("触发停止规则")
    CONTENT_VERDICT = "content_verdict", _("内容被服务器判为垃圾邮件")
    RELEASE_AWAITED = "release_awaited", _("等待第二人放行")
    COUNTDOWN = "countdown", _("倒计时中")


class Duplicates(models.TextChoices):
    """What to do with an address that stands in several rows; a payroll needs a decision."""

    UNDECIDED = "", _("尚未决定")
    BOTH = "both", _("每行各发一封")
    MERGED = "merged", _("合并为一封")
    STOP = "stop", _("不发送，先修正工作簿")


class InDoubtPolicy(models.TextChoices):
    """What happens to a delivery whose end cannot be known."""

    ASK = "ask", _("由人决定")
    RESEND = "resend", _("再发一次（可能重复）")
    ACCEPT = "accept", _("视为已提交")


class AttachmentKind(models.TextChoices):
    """As what kind of file a payslip goes, beside or instead of the message's own text."""

    NONE = "", _("不用附件，明细写在正文里")
    PDF = "pdf", _("加密的 PDF")
    XLSX = "xlsx", _("加密的 Excel（.xlsx）")


class Campaign(models.Model):
    """Template, headers, mapping and rows are frozen by the launch (`frozen_*`)."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="campaigns")
    kind = models.CharField(_("类型"), max_length=12, choices=Kind.choices)
    name = models.CharField(_("名称"), max_length=150)
    state = models.CharField(
        max_length=12, choices=CampaignState.choices, default=CampaignState.DRAFT
    )
    hold_reason = models.CharField(max_length=20, choices=Hold.choices, blank=True)

    template = models.ForeignKey(
        MessageTemplate, models.SET_NULL, null=True, verbose_name=_("模板"), related_name="+"
    )
    # A payslip is drawn by a layout; a template of one's own, if there is one, takes its cells from it.
    layout = models.ForeignKey(
        PayslipLayout,
        models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("排版"),
        related_name="campaigns",
    )
    # Blank: the template's own.
    subject = models.CharField(_("主题"), max_length=500, blank=True)
    contact_list = models.ForeignKey(
        ContactList,
        models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("名单"),
        related_name="+",
    )
    workbook = models.ForeignKey(
        Workbook,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("工作簿"),
        related_name="campaigns",
    )
    relay = models.ForeignKey(
        Relay, models.PROTECT, null=True, verbose_name=_("发信账号"), related_name="+"
    )
    from_name = models.CharField(_("发件人名称"), max_length=100, blank=True)
    from_address = models.EmailField(_("发件地址"))
    reply_to = models.EmailField(_("回复地址"), blank=True)
    duplicates = models.CharField(
        _("重复地址"), max_length=10, choices=Duplicates.choices, blank=True, default=""
    )
    in_doubt_policy = models.CharField(
        _("待确认的投递"),
        max_length=10,
        choices=InDoubtPolicy.choices,
        default=InDoubtPolicy.ASK,
    )
    # A payslip as an encrypted file: the password is the end of a column of its own row.
    attachment = models.CharField(
        _("附件"),
        max_length=4,
        choices=AttachmentKind.choices,
        blank=True,
        default=AttachmentKind.NONE,
    )
    password_column = models.CharField(_("密码所在的列"), max_length=255, blank=True)
    password_tail = models.PositiveSmallIntegerField(_("取末尾几位"), default=6)
    password_hint = models.CharField(_("密码提示"), max_length=200, blank=True)
    # How long the link of a payslip's page lives; 0: no confirmation is asked for.
    confirm_days = models.PositiveSmallIntegerField(_("请员工确认"), default=0)
    # The column whose extremes the preview offers; blank: net pay.
    preview_column = models.CharField(max_length=255, blank=True)
    # address_key of each hard-bounced payroll address that HR decided to send to all the same.
    send_anyway = models.JSONField(default=list)

    # Stop rules (pipeline/stop_rules.py); null: that rule is off.
    stop_bounce_percent = models.PositiveSmallIntegerField(
        _("退信和被拒超过（%）"),
        null=True,
        blank=True,
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    stop_complaint_percent = models.DecimalField(
        _("投诉超过（%）"),
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        default=Decimal("0.3"),
        validators=[MinValueValidator(Decimal("0.01"))],
    )
    stop_refusals = models.PositiveSmallIntegerField(
        _("同样的拒收达到（封）"),
        null=True,
        blank=True,
        default=30,
        validators=[MinValueValidator(3)],
    )
    stop_minutes = models.PositiveSmallIntegerField(
        _("在几分钟之内"), default=10, validators=[MinValueValidator(1), MaxValueValidator(1440)]
    )

    # A newsletter's opens and clicks, and what its links tell the sites they lead to:
    # {"domains": […], "source": …, "medium": …, "campaign": …, "term": …, "content": …}.
    tracking = models.CharField(
        _("打开和点击"), max_length=10, choices=Tracking.choices, blank=True, default=Tracking.OFF
    )
    utm = models.JSONField(default=dict, blank=True)

    frozen_subject = models.TextField(blank=True, editable=False)
    frozen_html = models.TextField(blank=True, editable=False)
    frozen_text = models.TextField(blank=True, editable=False)
    # The layout as it was sent, with its picture; and the columns by which next month's workbook is
    # known again when this one's content is destroyed: [{"name": …, "role": address, name or ""}].
    frozen_layout = models.JSONField(null=True, blank=True, editable=False)
    frozen_columns = models.JSONField(default=list, editable=False)
    # The targets of its tracked links as the template writes them; the first one is link 1.
    frozen_links = models.JSONField(default=list, editable=False)

    # A schedule is wall time in a zone and the instant that follows from them.
    scheduled_wall = models.CharField(max_length=16, blank=True)
    scheduled_zone = models.CharField(max_length=64, blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    # The sending hours that are open now, or come next; nothing begins outside. Null: at any time.
    sends_from = models.DateTimeField(null=True, blank=True)
    sends_until = models.DateTimeField(null=True, blank=True)

    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="occurrences"
    )
    occurrence = models.PositiveIntegerField(null=True, blank=True)

    # A payslip taken back: its pages are closed, and what had not left never leaves.
    recalled_at = models.DateTimeField(null=True, blank=True)
    recalled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    recall_reason = models.CharField(_("撤回的原因"), max_length=300, blank=True)
    # The campaign that this one puts right: the only way to send a month twice.
    corrects = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="corrections"
    )
    # The campaign whose failed rows this one sends, put right; nobody who got it gets it again.
    completes = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="completions"
    )
    # Last month's campaign, whose settings this one was begun with.
    continues = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="continued_by"
    )

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    launched_at = models.DateTimeField(null=True, blank=True)
    plan_lease_until = models.DateTimeField(null=True, blank=True)
    planned_at = models.DateTimeField(null=True, blank=True)
    counted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "occurrence"], name="occurrence_once"),
            models.CheckConstraint(
                condition=models.Q(state="draft") | models.Q(relay__isnull=False),
                name="campaign_has_relay",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "-created_at"]),
            # Ticks look at what is alive and never scan history.
            models.Index(
                fields=["state", "scheduled_at"],
                name="campaign_alive",
                condition=models.Q(state__in=["scheduled", "running", "paused"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_payslip(self) -> bool:
        return self.kind == Kind.PAYSLIP

    @property
    def counts(self) -> dict[str, int]:
        """Deliveries by state, tests left out; "bounced" beside them."""
        return {count.state: count.number for count in self.state_counts.all()}

    def content_visible_to(self, user: models.Model) -> bool:
        """A newsletter is seen by the team; a payslip campaign by those with a grant alone."""
        if not self.is_payslip:
            return True
        return ContentGrant.objects.filter(user=user, campaign=self).exists()


class CampaignCount(models.Model):
    """How many deliveries are in a state: workers add per batch, and a tick recounts."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="state_counts")
    state = models.CharField(max_length=12)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "state"], name="campaign_count_once")
        ]
        # Every minute somebody asks where doubts wait; `number` is no part of it, for it changes often.
        indexes = [
            models.Index(
                fields=["campaign"],
                name="campaign_count_doubt",
                condition=models.Q(state="in_doubt"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}:{self.state}"


class Release(models.Model):
    """A second person's consent to exactly this content; void when the content changes."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="releases")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    content_hash = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "user", "content_hash"], name="release_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} · {self.user_id}"
