"""The demo team: one person with every role, a relay and a bounce mailbox of the sandbox, a key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts.models import (
    BounceMailbox,
    Membership,
    Relay,
    RelayLimit,
    Role,
    SigningKey,
    Team,
    TlsMode,
    User,
)
from accounts.models.bounce_mailbox import Leaving
from campaigns.documents.layout import Accent
from campaigns.documents.layout_guess import guess
from campaigns.mailer.payslip_template import default_newsletter, default_payslip
from campaigns.mailer.signing import Algorithm, dns_record, generate_rsa
from campaigns.models import Contact, ContactList, ListMember, PayslipLayout
from campaigns.models.template import Kind
from campaigns.pipeline.prepare import save_template
from campaigns.quickstart.payroll import column_names
from campaigns.sandbox.sandbox import MailSandbox, Ports

DOMAIN = "hongyan.test"
EMPLOYEES = "staff.hongyan.test"
EMAIL = f"demo@{DOMAIN}"
BOUNCES = f"bounce@{DOMAIN}"
RELAY, MAILBOX, PAYSLIP, NEWSLETTER = "邮件沙箱", "沙箱退信", "工资条（示例）", "新闻邮件（示例）"
LAYOUT = "工资条排版（示例）"


@dataclass(frozen=True)
class Demo:
    """What was seeded; `password` is the demo person's."""

    team: Team
    user: User
    password: str


def seed(folder: Path, *, per_second: int) -> Demo:
    """The demo data; what is there already stays as the person left it."""
    password = _password(folder / "demo.password")
    with transaction.atomic():
        user = User.objects.filter(email=EMAIL).first()
        if user is None:
            user = User.objects.create_superuser(EMAIL, password, name="演示用户")
        team = Team.objects.filter(memberships__user=user).first()
        if team is None:
            team = _team(user, per_second)
    return Demo(team, user, password)


def _password(path: Path) -> str:
    """Made once, kept for its owner's eyes alone."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(f"hongyan-{secrets.token_hex(4)}", encoding="ascii")
    return path.read_text(encoding="ascii")


def _team(user: User, per_second: int) -> Team:
    team = Team.objects.create(name="鸿雁科技（演示）", intranet_links_allowed=True)
    roles = [Role.OWNER, Role.HR, Role.MARKETER, Role.MAIL_ADMIN]
    Membership.objects.bulk_create([Membership(team=team, user=user, role=r) for r in roles])
    mailbox = BounceMailbox.objects.create(
        team=team,
        name=MAILBOX,
        address=BOUNCES,
        host="127.0.0.1",
        port=1,
        tls_mode=TlsMode.NONE,
        internal_allowed=True,
        username="sandbox",
        exclusive=True,
        leaving=Leaving.OURS_DELETED,
        return_path_pattern=BOUNCES.replace("@", "+{token}@"),
    )
    relay = Relay.objects.create(
        team=team,
        name=RELAY,
        host="127.0.0.1",
        port=1,
        tls_mode=TlsMode.NONE,
        internal_allowed=True,
        username="sandbox",
        from_addresses=[f"hr@{DOMAIN}", f"@{DOMAIN}"],
        own_return_path=True,
        bounce_mailbox=mailbox,
        max_connections=4,
        # The sandbox is quick to forgive, so that the demo and the check end within a minute.
        retry_seconds=[1],
        connect_timeout=5,
        command_timeout=5,
        final_dot_timeout=5,
    )
    RelayLimit.objects.create(team=team, relay=relay, window="second", amount=per_second)
    private, public = generate_rsa()
    SigningKey.objects.create(
        team=team, domain=DOMAIN, selector="demo", private_key=private, public_key=public
    )
    _templates_and_list(team, user)
    return team


def _templates_and_list(team: Team, user: User) -> None:
    for kind, name, source in (
        (Kind.PAYSLIP, PAYSLIP, default_payslip()),
        (Kind.NEWSLETTER, NEWSLETTER, default_newsletter()),
    ):
        _template, faults = save_template(
            team=team,
            user=user,
            kind=kind,
            name=name,
            subject=source.subject,
            html=source.html,
            text=source.text,
        )
        assert not faults, faults
    PayslipLayout.objects.create(team=team, name=LAYOUT, content=_layout(), updated_by=user)
    readers = ContactList.objects.create(team=team, name="读者（示例）")
    for number in range(1, 13):
        address = f"reader{number:02d}@readers.hongyan.test"
        contact = Contact.objects.create(
            team=team, address=address, address_key=address, name=f"读者{number:02d}"
        )
        ListMember.objects.create(team=team, contact_list=readers, contact=contact)


def _layout() -> dict[str, Any]:
    """Of the demo payroll's columns, as the product guesses it, with what a person would add."""
    layout = guess(column_names(), hidden=["姓名", "邮箱"])
    note = "工资的计算期间是 11 月 1 日至 30 日。\n有疑问请在三天内联系人力资源部。"
    named = replace(layout, company="鸿雁科技有限公司", note=note, accent=Accent.TEAL)
    return named.as_json()


def connect(demo: Demo, sandbox: MailSandbox, ports: Ports) -> None:
    """Where the sandbox listens this time."""
    Relay.objects.filter(team=demo.team, name=RELAY).update(host="127.0.0.1", port=ports.smtp)
    BounceMailbox.objects.filter(team=demo.team, name=MAILBOX).update(port=ports.pop3)
    relay = Relay.objects.get(team=demo.team, name=RELAY)
    mailbox = BounceMailbox.objects.get(team=demo.team, name=MAILBOX)
    relay.secret = mailbox.secret = sandbox.password
    # One sandbox is one account, whatever port it listens on today.
    relay.quota_group = "sandbox"
    relay.save(update_fields=["secret", "quota_group"])
    mailbox.save(update_fields=["secret"])


def published_keys() -> dict[tuple[str, str], str]:
    """What DNS would answer for the keys that are there: (domain, selector) → TXT value."""
    return {
        (key.domain, key.selector): dns_record(Algorithm(key.algorithm), key.public_key)
        for key in SigningKey.objects.all()
    }
