"""Alert: trouble that somebody should hear of, the channels that tell it, and each telling as a row."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay, Team
from accounts.secrets import SecretField


class AlertKind(models.TextChoices):
    """The cause. Every one is closed when it is over."""

    RELAY_LOGIN = "relay_login", _("发信账号登录失败或被停用")
    RELAY_PARKED = "relay_parked", _("发信账号暂停得久，或一再暂停")
    NO_RELAY = "no_relay", _("发送中的活动没有可用的发信账号")
    CAMPAIGN_HELD = "campaign_held", _("活动被叫停，等人处理")
    IN_DOUBT = "in_doubt", _("有待确认的投递")
    MAILBOX = "mailbox", _("退信邮箱收不了信")
    DNS = "dns", _("域名的 DNS 变坏了")
    SUPPRESSIONS = "suppressions", _("屏蔽的地址突然增多")
    WORKERS = "workers", _("后台程序没有运行")
    DISK = "disk", _("磁盘快满了")


class ChannelKind(models.TextChoices):
    WECOM = "wecom", _("企业微信群机器人")
    DINGTALK = "dingtalk", _("钉钉群机器人")
    FEISHU = "feishu", _("飞书群机器人")
    EMAIL = "email", _("邮件（经另一个发信账号）")


class AlertChannel(models.Model):
    """Where alerts go. `events`: the AlertKinds it tells; `addresses`: of the e-mail kind.

    `busy_until`: one worker at a time tells something here, and robots take 20 messages a minute.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="alert_channels")
    kind = models.CharField(_("种类"), max_length=10, choices=ChannelKind.choices)
    name = models.CharField(_("名称"), max_length=100)
    # The address holds the robot's token: whoever knows it can write into the group.
    url = SecretField(_("机器人的 Webhook 地址"), blank=True)
    secret = SecretField(_("签名密钥"), blank=True)
    ca_pem = models.TextField(_("公司 CA 证书（PEM）"), blank=True)
    internal_allowed = models.BooleanField(_("允许内网地址"), default=False)
    relay = models.ForeignKey(
        Relay,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("经哪个发信账号"),
    )
    addresses = models.JSONField(_("收件地址"), default=list)
    events = models.JSONField(_("通知哪些事"), default=list)
    language = models.CharField(_("语言"), max_length=10, default="zh-hans")
    enabled = models.BooleanField(_("启用"), default=True)
    busy_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="alert_channel_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """One cause, from when it began until it was over. `params`: numbers, codes and names of things,
    never an address, a subject line or a name of a recipient."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=AlertKind.choices)
    # What it is about: "relay" and its id. Blank for the installation itself.
    subject = models.CharField(max_length=12, blank=True)
    subject_id = models.BigIntegerField(default=0)
    params = models.JSONField(default=dict)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    count = models.PositiveIntegerField(default=1)
    # When it is told next: first after a moment's patience, then every few hours while it lasts.
    tell_at = models.DateTimeField(default=timezone.now)
    told = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "kind", "subject", "subject_id"],
                name="alert_open_once",
                condition=models.Q(closed_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["team", "-first_at"], name="alert_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}{self.subject_id}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class TellingState(models.TextChoices):
    WAITING = "waiting", _("等待发出")
    SENT = "sent", _("已发出")
    FAILED = "failed", _("没有发出")
    SKIPPED = "skipped", _("没有用这个渠道")


class TellingOccasion(models.TextChoices):
    BEGAN = "began", _("发生了")
    LASTS = "lasts", _("还没有解决")
    OVER = "over", _("恢复了")
    TEST = "test", _("测试")


class AlertTelling(models.Model):
    """One alert to one channel on one occasion; the row is the queue. `result` is a code of
    campaigns/alert_texts.py, `answer` the robot's own error number: never what it answered."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    channel = models.ForeignKey(AlertChannel, models.CASCADE, related_name="tellings")
    # None: a test of the channel.
    alert = models.ForeignKey(Alert, models.CASCADE, null=True, blank=True, related_name="tellings")
    occasion = models.CharField(max_length=6, choices=TellingOccasion.choices)
    # How many times the alert had been told before: each time once to each channel.
    number = models.PositiveIntegerField(default=0)
    state = models.CharField(
        max_length=8, choices=TellingState.choices, default=TellingState.WAITING
    )
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    result = models.CharField(max_length=40, blank=True)
    answer = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "occasion", "number"], name="alert_told_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="alert_telling_waiting",
                condition=models.Q(state="waiting"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.channel_id} {self.occasion}"


class Heartbeat(models.Model):
    """When something of this installation last ran; no team's."""

    name = models.CharField(max_length=20, unique=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} {self.at}"
