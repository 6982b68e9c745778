"""First steps: what a newcomer does, in order and by his rights, with those ticked off that are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import BounceMailbox, Membership, Relay, Right, Team
from campaigns.models import Campaign, MessageTemplate, PayslipLayout, Workbook
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose, ReadingState


@dataclass(frozen=True)
class Step:
    """A sentence or two, the page where it is done, and whether it is."""

    title: str
    text: str
    url: str
    done: bool


def first_steps(team: Team, rights: frozenset[str]) -> list[Step]:
    """[] once the team has launched a campaign: then it knows the way."""
    if Campaign.objects.filter(team=team, launched_at__isnull=False).exists():
        return []
    return [
        Step(title, text, reverse(name) + query, done())
        for right, name, query, title, text, done in _steps(team)
        if right in rights
    ]


def _steps(team: Team) -> list[tuple[str, str, str, str, str, Callable[[], bool]]]:
    """Right, page, its query, title, text and what tells that it is done."""
    payslips, letters = f"?kind={Kind.PAYSLIP}", f"?kind={Kind.NEWSLETTER}"
    return [
        (
            Right.RELAYS, "campaigns:relay_new", "", _("添加发信账号"),
            _("填写 SMTP 服务器和授权码，测试一下。"),
            Relay.objects.filter(team=team).exists,
        ),
        (
            Right.RELAYS, "campaigns:mailbox_new", "", _("添加退信邮箱"),
            _("退信会自动收取，失效的地址不再打扰。"),
            BounceMailbox.objects.filter(team=team).exists,
        ),
        (
            Right.PAYSLIPS, "campaigns:workbook_upload", "?purpose=payslip", _("上传工资表"),
            _("Excel 原样上传，表头和列会自动认出。"),
            _confirmed(team, Purpose.PAYSLIP).exists,
        ),
        (
            Right.PAYSLIPS, "campaigns:layouts", "", _("排一张工资条"),
            _("哪些列给员工看，怎么分组，不用写 HTML。"),
            PayslipLayout.objects.filter(team=team).exists,
        ),
        (
            Right.NEWSLETTERS, "campaigns:workbook_upload", "?purpose=list", _("上传名单"),
            _("Excel 里的联系人，确认后放进名单。"),
            _confirmed(team, Purpose.LIST).exists,
        ),
        (
            Right.NEWSLETTERS, "campaigns:template_new", letters, _("写一个模板"),
            _("从现成的新闻邮件模板开始。"),
            MessageTemplate.objects.filter(team=team, kind=Kind.NEWSLETTER).exists,
        ),
        (
            Right.PAYSLIPS, "campaigns:campaign_new", payslips, _("新建工资条活动"),
            _("预览每一行，先发给自己，再启动。"),
            Campaign.objects.filter(team=team, kind=Kind.PAYSLIP).exists,
        ),
        (
            Right.NEWSLETTERS, "campaigns:campaign_new", letters, _("新建新闻邮件活动"),
            _("预览、测试，然后启动或定时。"),
            Campaign.objects.filter(team=team, kind=Kind.NEWSLETTER).exists,
        ),
        (
            Right.MEMBERS, "accounts:members", "", _("邀请同事"),
            _("人事、营销、邮件管理员各有各的权限。"),
            _others(team),
        ),
    ]  # fmt: skip


def _confirmed(team: Team, purpose: Purpose) -> QuerySet[Workbook]:
    return Workbook.objects.filter(team=team, purpose=purpose, state=ReadingState.CONFIRMED)


def _others(team: Team) -> Callable[[], bool]:
    people = Membership.objects.filter(team=team).values("user").distinct()
    return lambda: people.count() > 1
