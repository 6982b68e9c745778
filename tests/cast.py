"""The cast of the tests: one company with its people, a relay, a payroll and a campaign of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Membership, Relay, Role, SigningKey, Team, User
from campaigns.mailer.payslip_template import default_payslip
from campaigns.mailer.signing import generate_ed25519
from campaigns.models import (
    Campaign,
    Contact,
    ContactList,
    ContentGrant,
    DataKey,
    ListMember,
    MessageTemplate,
    Workbook,
    WorkbookRow,
)
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import blocks, control, plan
from campaigns.pipeline.prepare import save_template
from campaigns.workbooks.blocks import Block, BlockWriter
from campaigns.workbooks.results import ReadRow

COLUMNS = ("工号", "姓名", "邮箱", "应发/基本工资", "扣款/社保", "实发工资")
LETTERS = "ABCDEF"
DOMAIN = "corp.example.com"
PASSWORD = "correct horse battery"


def a_team(name: str = "甲公司") -> Team:
    return Team.objects.create(name=name)


def a_user(team: Team, *roles: Role, email: str = "alice@corp.example.com") -> User:
    user = User.objects.create_user(email, PASSWORD, name=email.partition("@")[0])
    for role in roles or (Role.HR, Role.MARKETER, Role.OWNER, Role.MAIL_ADMIN):
        Membership.objects.create(team=team, user=user, role=role)
    return user


def a_relay(team: Team, port: int = 1, **fields: Any) -> Relay:
    """A relay on loopback that forgives at once and loses patience soon."""
    given = {
        "name": "中继",
        "host": "127.0.0.1",
        "port": port,
        "tls_mode": "none",
        "internal_allowed": True,
        "from_addresses": [f"@{DOMAIN}"],
        "retry_seconds": [1],
        "connect_timeout": 2,
        "command_timeout": 2,
        "final_dot_timeout": 1,
    }
    return Relay.objects.create(team=team, **(given | fields))


def a_key(team: Team, domain: str = DOMAIN) -> SigningKey:
    """Ed25519: a key pair in microseconds, where the algorithm is not what is tested."""
    private, public = generate_ed25519()
    return SigningKey.objects.create(
        team=team,
        domain=domain,
        selector="s1",
        algorithm="ed25519",
        private_key=private,
        public_key=public,
    )


def a_template(team: Team, kind: Kind = Kind.PAYSLIP, **parts: str) -> MessageTemplate:
    source = default_payslip()
    given = {"subject": source.subject, "html": source.html, "text": source.text} | parts
    template, faults = save_template(
        team=team, user=None, kind=kind, name=f"模板 {MessageTemplate.objects.count()}", **given
    )
    assert template is not None, faults
    return template


def a_payroll(team: Team, addresses: Sequence[str], *, confirmed: bool = True) -> Workbook:
    """A read workbook with one row an address, from row 4 on; each salary is told by its row."""
    key = DataKey.objects.create(team=team)
    workbook = Workbook.objects.create(
        team=team,
        purpose=Purpose.PAYSLIP,
        name="工资表.xlsx",
        size=1,
        sha256="0" * 64,
        data_key=key,
        state=ReadingState.CONFIRMED if confirmed else ReadingState.READ,
        reading=1,
        sheet="11月",
        columns=[
            {"name": name, "letter": letter} for name, letter in zip(COLUMNS, LETTERS, strict=True)
        ],
        address_column=2,
        name_column=1,
        row_count=len(addresses),
    )
    WorkbookRow.objects.bulk_create(
        [
            WorkbookRow(
                team=team,
                workbook=workbook,
                reading=1,
                number=number,
                part=1,
                address=address,
                address_key=address.lower(),
                sealed=key.seal_json({"name": f"员工{number}", "values": values(number, address)}),
            )
            for number, address in enumerate(addresses, start=4)
        ]
    )
    return workbook


def values(number: int, address: str) -> list[str | None]:
    return [
        f"{number:05d}",
        f"员工{number}",
        address,
        f"{9000 + number}.00",
        "800.00",
        f"{8200 + number}.00",
    ]


def a_campaign(relay: Relay, workbook: Workbook | None = None, **fields: Any) -> Campaign:
    """A payslip campaign of a workbook, or (without one) a newsletter to a list that `fields` names."""
    team = relay.team
    kind = Kind.PAYSLIP if workbook else Kind.NEWSLETTER
    given = {
        "name": "11 月工资条",
        "kind": kind,
        "template": fields.pop("template", None) or a_template(team, kind),
        "workbook": workbook,
        "from_name": "人事部",
        "from_address": f"hr@{DOMAIN}",
        "duplicates": "both" if workbook else "",
    }
    return Campaign.objects.create(team=team, relay=relay, **(given | fields))


def a_list(team: Team, addresses: Sequence[str], name: str = "读者") -> ContactList:
    readers = ContactList.objects.create(team=team, name=name)
    for address in addresses:
        contact = Contact.objects.create(team=team, address=address, address_key=address.lower())
        ListMember.objects.create(team=team, contact_list=readers, contact=contact)
    return readers


def grant(user: User, thing: Workbook | Campaign) -> None:
    """May read its content."""
    field = "workbook" if isinstance(thing, Workbook) else "campaign"
    ContentGrant.objects.create(team=thing.team, user=user, **{field: thing})


def launched(campaign: Campaign, user: User | None = None) -> Campaign:
    """Scheduled for now, started and planned, as ticks do it."""
    assert control.launch(campaign, user)
    for campaign_id in plan.start_due():
        plan.plan(campaign_id)
    campaign.refresh_from_db()
    return campaign


def long_ago() -> Any:
    return timezone.now() - timedelta(days=1)


def fold(workbook: Workbook) -> Workbook:
    """The same list as a reading stores it: its people in blocks."""
    made: list[Block] = []
    writer = BlockWriter(made.append)
    take = writer.begin(blocks.columns_of(workbook))
    for row in workbook.rows:
        opened = workbook.data_key.open_json(row.sealed)
        take(ReadRow(row.number, 1, row.address, opened["name"], tuple(opened["values"])))
    writer.flush()
    workbook.rows.delete()
    workbook.readings_begun, workbook.folded = workbook.reading, True
    workbook.save()
    blocks.insert(workbook, made)
    return workbook
