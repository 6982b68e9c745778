"""A team with one row of every kind that an address or a form can name."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from accounts.models import BounceMailbox, OAuthLogin, Role, Team
from campaigns.mailer import bounce
from campaigns.models import (
    AlertChannel,
    BounceRule,
    CampaignStop,
    DomainCheck,
    DomainLimit,
    DomainPark,
    Original,
    PayslipLayout,
    Probe,
    ReplyRule,
    ReturnedWorkbook,
    Suppression,
)
from campaigns.pipeline import originals
from tests.views.scene import Scene, deliveries, launched

EVERY_ROLE = tuple(Role)


@dataclass
class World(Scene):
    """`ids`: primary keys by the words that routes begin with (`routes.Route.things`)."""

    ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hr = self.user(*EVERY_ROLE)
        self.campaign = self.payslips(self.hr)
        self.letter = self.newsletter()
        book, relay = self.campaign.workbook, self.campaign.relay
        assert book is not None
        assert relay is not None
        self.mailbox = BounceMailbox.objects.create(
            team=self.team, name="退信", address="b@corp.example", host="pop.corp.example"
        )
        (self.delivery,) = deliveries(self.campaign, "in_doubt")
        ReturnedWorkbook.objects.create(
            team=self.team, campaign=self.campaign, language="zh-hans", ended_at=timezone.now(),
            suffix=".xlsx", sealed=book.data_key.seal(b"PK"),
        )  # fmt: skip
        blocked = Suppression.objects.create(
            team=self.team, address="gone@x.example", address_key="gone@x.example", reason="manual"
        )
        contacts = self.letter.contact_list
        assert contacts is not None
        tracked = self.newsletter(
            tracking="individual", template=self.letter.template, relay=relay, contact_list=contacts
        )
        self.ids = {
            "campaign": self.campaign.pk,
            "tracked": launched(tracked).pk,
            "delivery": self.delivery.pk,
            "template": self.campaign.template_id or 0,
            "layout": PayslipLayout.objects.create(team=self.team, name="排版").pk,
            "relay": relay.pk,
            "probe": Probe.objects.create(team=self.team, relay=relay, asked_by=self.hr).pk,
            "rule": ReplyRule.objects.create(
                team=self.team, relay=relay, code="450", action="retry", sentence="慢一点"
            ).pk,
            "channel": AlertChannel.objects.create(team=self.team, kind="wecom", name="群").pk,
            "mailbox": self.mailbox.pk,
            "original": an_original(self.mailbox).pk,
            "phrase": BounceRule.objects.create(
                team=self.team, phrase="查无此人", meaning="hard", reason="userunknown"
            ).pk,
            "oauth": OAuthLogin.objects.create(team=self.team, name="谷歌", client_id="c").pk,
            "key": self.key().pk,
            "suppression": blocked.pk,
            "limit": DomainLimit.objects.create(
                team=self.team, name="QQ", domains=["qq.com"], minute=60
            ).pk,
            "park": DomainPark.objects.create(
                team=self.team, relay=relay, domain="qq.com", until=timezone.now()
            ).pk,
            "member": self.hr.pk,
            "choose": self.team.pk,
            "domain": DomainCheck.objects.create(
                team=self.team, relay=relay, domain="corp.example"
            ).pk,
            "workbook": book.pk,
            "list": contacts.pk,
            "membership": contacts.members.all()[0].pk,
            "contact": contacts.members.all()[0].contact_id,
            "row": book.rows[0].pk,
            "stop": CampaignStop.objects.create(
                team=self.team,
                campaign=self.campaign,
                relay=relay,
                domain="stopped.example",
                rule="bounces",
                figures={"number": 9, "of": 60, "limit": 10, "deliveries": []},
            ).pk,
        }


def an_original(mailbox: BounceMailbox) -> Original:
    """A message that nothing recognised."""
    raw = "Subject: 退信\r\n\r\n查无此人 li@x.example\r\n".encode()
    row = originals.kept(mailbox, raw, bounce.read(raw), [], cut=False)
    assert row is not None
    row.save()
    return row


def everything_of(team: Team) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a team as they lie in the database: to see that nothing was changed."""
    with connection.cursor() as cursor:
        return {table: _rows(cursor, sql, team.pk) for table, sql in _statements().items()}


@functools.cache
def _statements() -> dict[str, str]:
    """By table. SQL and not the ORM: sixty queries are built before and after each of a thousand requests."""
    statements = {}
    for model in apps.get_models():
        table, key = model._meta.db_table, model._meta.pk.column
        if model is Team or any(one.name == "team" for one in model._meta.fields):
            column = key if model is Team else model._meta.get_field("team").column
            statements[table] = f"SELECT * FROM {table} WHERE {column} = %s ORDER BY {key}"
    return statements


def _rows(cursor: Any, sql: str, team: int) -> list[tuple[Any, ...]]:
    cursor.execute(sql, [team])
    return [
        tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
        for row in cursor.fetchall()
    ]
