"""Team, Membership, Role: every row belongs to a team, and a role says what its member may do."""

from __future__ import annotations

from typing import ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member does. A person may have several roles in one team."""

    OWNER = "owner", _("所有者")
    MARKETER = "marketer", _("营销")
    HR = "hr", _("人事")
    MAIL_ADMIN = "mail_admin", _("邮件管理员")
    VIEWER = "viewer", _("只读")


class Right(models.TextChoices):
    """What a page or an action asks for."""

    SEE = "see", _("查看")
    NEWSLETTERS = "newsletters", _("发送新闻邮件")
    PAYSLIPS = "payslips", _("发送工资条")
    RELAYS = "relays", _("管理发信账号、退信邮箱和密钥")
    MEMBERS = "members", _("管理成员")


RIGHTS: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset({Right.SEE, Right.NEWSLETTERS, Right.RELAYS, Right.MEMBERS}),
    Role.MARKETER: frozenset({Right.SEE, Right.NEWSLETTERS}),
    # An owner is no HR: who may send payslips is said by a membership of its own.
    Role.HR: frozenset({Right.SEE, Right.PAYSLIPS}),
    Role.MAIL_ADMIN: frozenset({Right.SEE, Right.RELAYS}),
    Role.VIEWER: frozenset({Right.SEE}),
}


def known_time_zone(name: str) -> None:
    """Validator: an IANA time zone name."""
    if name not in available_timezones():
        raise ValidationError(_("没有名为 %(name)s 的时区。"), params={"name": name})


def default_time_zone() -> str:
    return settings.DEFAULT_TEAM_TIME_ZONE


class Team(models.Model):
    """A company or department with its own contacts, relays and campaigns."""

    name = models.CharField(_("名称"), max_length=100)
    time_zone = models.CharField(
        _("时区"), max_length=64, default=default_time_zone, validators=[known_time_zone]
    )
    # A superuser's decision: links in mails may point to PUBLIC_URL though it is an intranet address.
    intranet_links_allowed = models.BooleanField(_("允许内网链接"), default=False)
    # Four eyes: whoever launches does not release (pipeline/release.py).
    payslip_release = models.BooleanField(_("工资条要第二个人放行"), default=False)
    release_above = models.PositiveIntegerField(
        _("收件人超过多少位也要第二个人放行"), null=True, blank=True
    )
    # An immediate launch begins only after this, and can be undone until then.
    undo_seconds = models.PositiveSmallIntegerField(
        _("启动后的倒计时（秒）"), default=0, validators=[MaxValueValidator(3600)]
    )
    # The database is a restored copy: nothing is sent and no mailbox read until somebody says so
    # (campaigns/pipeline/restored.py). The reason is how that was seen.
    sending_off_at = models.DateTimeField(null=True, blank=True)
    sending_off_reason = models.CharField(max_length=20, blank=True)
    # A mailbox that is full or closed is no dead address, until it has been so this often (0: never).
    soft_bounces = models.PositiveSmallIntegerField(_("软退信几次后屏蔽"), default=3)
    soft_days = models.PositiveSmallIntegerField(
        _("在多少天之内"), default=30, validators=[MinValueValidator(1)]
    )
    # More than this is likely a server's fault, and waits for a person (0: no limit).
    suppressions_per_hour = models.PositiveIntegerField(
        _("每小时最多自动屏蔽几个地址"), default=500
    )
    # What uploaded workbooks say is destroyed so many days after its last use (pipeline/retention.py).
    keep_days = models.PositiveSmallIntegerField(
        _("工作簿的内容保留多少天"), null=True, blank=True, validators=[MinValueValidator(7)]
    )
    # What came back is kept as it came for so many days (pipeline/originals.py); 0: not at all.
    originals_days = models.PositiveSmallIntegerField(
        _("退信原件保留多少天"), default=30, validators=[MaxValueValidator(3650)]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    members: models.ManyToManyField = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="teams"
    )

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Membership(models.Model):
    """One role of one user in one team."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(_("角色"), max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["team", "user", "role"], name="membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


def rights_of(user: models.Model, team: Team) -> frozenset[str]:
    """All rights that the user's roles in the team add up to; empty for an outsider."""
    roles = Membership.objects.filter(user=user, team=team).values_list("role", flat=True)
    return frozenset().union(*(RIGHTS[role] for role in roles))
