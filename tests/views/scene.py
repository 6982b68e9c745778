"""A team with its people, relay, workbook, templates and campaigns, for tests of pages."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import (
    Membership,
    Relay,
    RelayLimit,
    Role,
    SigningKey,
    Team,
    TlsMode,
    User,
)
from campaigns.mailer.signing import generate_rsa
from campaigns.models import (
    Campaign,
    Contact,
    ContactList,
    ContentGrant,
    DataKey,
    Delivery,
    ListMember,
    MessageTemplate,
    Workbook,
    WorkbookRow,
)
from campaigns.models.delivery import DeliveryState
from campaigns.models.template import Kind
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import counts
from campaigns.pipeline.prepare import save_template

_numbers = itertools.count(1)
CANARY = "8888.88"
PAYROLL = [
    ("王小明", "wang@corp.example", "12000.00", "9533.50"),
    ("李雷", "lilei@corp.example", "8000.00", CANARY),
    ("韩梅梅", "han@corp.example", "9000.00", "7700.00"),
]
COLUMNS = ["姓名", "邮箱", "应发", "实发"]
PAYSLIP_HTML = "<p>{{ 姓名 }}：实发 {{ 实发 }}</p>"
LETTER_HTML = '<p>{{ 姓名 }} 您好</p><p><a href="{{ unsubscribe_url }}">退订</a></p>'


@functools.cache
def rsa_pair() -> tuple[str, str]:
    """One pair for all tests: making one takes a tenth of a second."""
    return generate_rsa()


@dataclass
class Scene:
    """One team; `client(Role.HR)` is signed in as a new member with these roles."""

    team: Team = field(default_factory=lambda: Team.objects.create(name=f"团队{next(_numbers)}"))

    def user(self, *roles: Role, **fields: Any) -> User:
        user = User.objects.create(email=f"user{next(_numbers)}@corp.example", **fields)
        for role in roles:
            Membership.objects.create(team=self.team, user=user, role=role)
        return user

    def client(self, *roles: Role, user: User | None = None) -> Client:
        client = Client()
        client.force_login(user or self.user(*roles))
        return client

    def relay(self, per_day: int | None = 1000, **fields: Any) -> Relay:
        values = {
            "name": f"账号{next(_numbers)}",
            "host": "smtp.corp.example",
            "tls_mode": TlsMode.IMPLICIT,
            "from_addresses": ["@corp.example"],
        }
        relay = Relay.objects.create(team=self.team, **{**values, **fields})
        if per_day:
            RelayLimit.objects.create(team=self.team, relay=relay, window="day", amount=per_day)
        return relay

    def key(self, domain: str = "corp.example") -> SigningKey:
        private, public = rsa_pair()
        return SigningKey.objects.create(
            team=self.team, domain=domain, selector="s1", private_key=private, public_key=public
        )

    def workbook(
        self,
        reader: User | None = None,
        rows: Sequence[Sequence[str | None]] = PAYROLL,
        columns: Sequence[str] = COLUMNS,
        **fields: Any,
    ) -> Workbook:
        """Confirmed; the first two columns are name and address, the first row is number 2."""
        key = DataKey.objects.create(team=self.team)
        values = {
            "purpose": "payslip",
            "name": f"工资{next(_numbers)}.xlsx",
            "size": 1000,
            "sha256": "0" * 64,
            "state": ReadingState.CONFIRMED,
            "reading": 1,
            "sheet": "11月工资",
            "sheets": ["11月工资"],
            "header_rows": [1],
            "columns": [
                {"name": name, "letter": chr(65 + index)} for index, name in enumerate(columns)
            ],
            "address_column": 1,
            "name_column": 0,
            "row_count": len(rows),
        }
        workbook = Workbook.objects.create(team=self.team, data_key=key, **{**values, **fields})
        for number, row in enumerate(rows, 2):
            address = str(row[1])
            WorkbookRow.objects.create(
                team=self.team,
                workbook=workbook,
                reading=1,
                number=number,
                address=address,
                address_key=address.lower(),
                sealed=key.seal_json({"name": row[0], "values": list(row)}),
            )
        if reader is not None:
            ContentGrant.objects.create(team=self.team, user=reader, workbook=workbook)
        return workbook

    def template(self, kind: str = Kind.PAYSLIP, **parts: str) -> MessageTemplate:
        html = PAYSLIP_HTML if kind == Kind.PAYSLIP else LETTER_HTML
        values = {"subject": "{{ title }}", "html": html, "text": "", **parts}
        name = f"模板{next(_numbers)}"
        template, faults = save_template(team=self.team, user=None, kind=kind, name=name, **values)
        assert template is not None, faults
        return template

    def contacts(self, *addresses: str, **attributes: str) -> ContactList:
        made = ContactList.objects.create(team=self.team, name=f"名单{next(_numbers)}")
        for address in addresses:
            contact, _new = Contact.objects.get_or_create(
                team=self.team,
                address_key=address.lower(),
                defaults={
                    "address": address,
                    "name": address.partition("@")[0],
                    "attributes": attributes,
                },
            )
            ListMember.objects.create(team=self.team, contact_list=made, contact=contact)
        return made

    def payslips(self, reader: User | None = None, **fields: Any) -> Campaign:
        """A draft on a payroll of three, which `reader` may read."""
        values: dict[str, Any] = {
            "kind": Kind.PAYSLIP,
            "name": "十一月工资条",
            "from_address": "hr@corp.example",
            **fields,
        }
        values.setdefault("workbook", None) or values.update(workbook=self.workbook(reader))
        values.setdefault("relay", None) or values.update(relay=self.relay())
        values.setdefault("template", None) or values.update(template=self.template())
        campaign = Campaign.objects.create(team=self.team, **values)
        if reader is not None:
            ContentGrant.objects.create(team=self.team, user=reader, campaign=campaign)
        return campaign

    def newsletter(self, *addresses: str, **fields: Any) -> Campaign:
        values: dict[str, Any] = {
            "kind": Kind.NEWSLETTER,
            "name": "十一月通讯",
            "from_address": "news@corp.example",
            **fields,
        }
        values.setdefault("contact_list", None) or values.update(
            contact_list=self.contacts(*(addresses or ("a@x.example", "b@x.example")))
        )
        values.setdefault("relay", None) or values.update(relay=self.relay())
        values.setdefault("template", None) or values.update(
            template=self.template(Kind.NEWSLETTER)
        )
        return Campaign.objects.create(team=self.team, **values)


def deliveries(campaign: Campaign, *states: str) -> list[Delivery]:
    """One delivery per state, of the workbook's rows in turn or of made-up contacts; counted."""
    now = timezone.now()
    rows = list(campaign.workbook.rows) if campaign.workbook else []
    made = []
    for index, state in enumerate(states):
        row = rows[index % len(rows)] if rows else None
        address = row.address if row else f"c{index}@x.example"
        made.append(
            Delivery.objects.create(
                team=campaign.team,
                campaign=campaign,
                source_key=f"r{index}",
                row=row,
                row_number=row.number if row else None,
                address=address,
                address_key=address.lower(),
                domain=address.partition("@")[2],
                due_at=now,
                deliver_until=now + timedelta(hours=24),
                relay=campaign.relay,
                state=state,
                changed_at=now,
                attempts=0 if state == DeliveryState.QUEUED else 1,
            )
        )
    counts.recount(campaign.pk)
    return made


def launched(campaign: Campaign, state: str = "running") -> Campaign:
    """As a launch and a plan leave it."""
    now = timezone.now()
    assert campaign.template is not None
    Campaign.objects.filter(pk=campaign.pk).update(
        state=state,
        frozen_subject=campaign.template.subject,
        frozen_html=campaign.template.prepared_html,
        frozen_text=campaign.template.prepared_text,
        scheduled_at=now,
        launched_at=now,
        planned_at=now,
    )
    campaign.refresh_from_db()
    return campaign
