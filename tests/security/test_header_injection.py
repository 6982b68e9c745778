"""One To, no Bcc, exactly one message (ASVS 1.3.11, 5.4.2): whatever stands in a name, a subject, a cell."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from campaigns.models import Campaign, Delivery, WorkbookRow
from campaigns.pipeline import send
from tests import cast
from tests.fakes.scripted_relay import Accepted, RelayOptions, ScriptedRelay
from tests.pipeline.conftest import new_ledger
from tests.security.world import World

__all__ = ["new_ledger"]
pytestmark = pytest.mark.django_db(transaction=True)

ENDS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x85", "\u2028", "\u2029", "\r\n\r\n", "\n.\n", "\r.\r"]
HOSTILE = [f"x{end}Bcc: evil@evil.example" for end in ENDS]
SMUGGLED = (
    "MAIL FROM:<a@evil.example>\r\nRCPT TO:<evil@evil.example>\r\nDATA\r\nSubject: x\r\n\r\nx"
)


@pytest.fixture
def relay() -> Iterator[ScriptedRelay]:
    with ScriptedRelay(RelayOptions()) as server:
        yield server


def sent(relay: ScriptedRelay, campaign: Campaign) -> list[Accepted]:
    cast.launched(campaign)
    send.send_batch(campaign.relay_id, "test")
    return list(relay.accepted)


def a_campaign(relay: ScriptedRelay, addresses: list[str], **fields: Any) -> Campaign:
    team = cast.a_team()
    cast.a_key(team)
    book = cast.a_payroll(team, addresses)
    return cast.a_campaign(cast.a_relay(team, relay.port), book, **fields)


def check(taken: list[Accepted], addresses: list[str]) -> None:
    """Each recipient got one message that nobody added a field to."""
    assert sorted(message.rcpt_to for message in taken) == sorted((a,) for a in addresses)
    for message in taken:
        head = message.content.partition(b"\r\n\r\n")[0]
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", message.content)
        names = [line.partition(b":")[0].lower() for line in re.split(rb"\r\n(?![ \t])", head)]
        for once in (b"to", b"from", b"subject", b"message-id", b"date"):
            assert names.count(once) == 1, once
        assert b"bcc" not in names
        assert b"cc" not in names
        parsed = email.message_from_bytes(message.content, policy=email.policy.default)
        assert [a.addr_spec for a in parsed["To"].addresses] == [message.rcpt_to[0]]


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_a_cell_of_the_workbook_adds_no_field(hostile: str, relay: ScriptedRelay) -> None:
    """As a name (To, Subject by a merge field) and as any value of the body."""
    addresses = ["p1@staff.example.com", "p2@staff.example.com"]
    campaign = a_campaign(relay, addresses)
    template = campaign.template
    assert template is not None
    template.subject = "工资条 {{ 姓名 }}"
    template.save()
    book = campaign.workbook
    assert book is not None
    row = WorkbookRow.objects.filter(workbook=book).first()
    assert row is not None
    row.sealed = book.data_key.seal_json({"name": hostile, "values": [hostile] * 6})
    row.save()
    taken = sent(relay, campaign)
    states = dict(Delivery.objects.values_list("address", "state"))
    got = [address for address in addresses if states[address] == "accepted"]
    check(taken, got)
    assert "p2@staff.example.com" in got, "the other rows go on"
    assert states["p1@staff.example.com"] in ("accepted", "failed")


@pytest.mark.parametrize("field", ["name", "from_name"])
# Without NUL, which PostgreSQL stores in no text.
@pytest.mark.parametrize("hostile", [text for text in HOSTILE if "\0" not in text], ids=repr)
def test_a_field_of_the_campaign_adds_no_field(
    field: str, hostile: str, relay: ScriptedRelay
) -> None:
    """Past the form, as if a row had been written by something else."""
    campaign = a_campaign(relay, ["p1@staff.example.com"], **{field: hostile})
    taken = sent(relay, campaign)
    check(taken, ["p1@staff.example.com"] if taken else [])
    if not taken:
        assert Delivery.objects.get().state == "failed"


@pytest.mark.parametrize(
    ("field", "hostile"),
    [
        ("from_name", "x\nBcc: a@evil.example"),
        ("name", "x\u2028Bcc: a@evil.example"),
        ("from_address", "a@corp.example\nBcc: b@evil.example"),
        ("from_address", "a@corp.example, b@evil.example"),
        ("reply_to", "a@corp.example\r\nBcc: b@evil.example"),
        ("reply_to", "a@corp.example,b@evil.example"),
    ],
)
def test_the_forms_refuse_it(field: str, hostile: str) -> None:
    world = World()
    fields = {
        "kind": "payslip",
        "name": "十一月",
        "audience": f"workbook:{world.ids['workbook']}",
        "template": world.ids["template"],
        "relay": world.ids["relay"],
        "from_name": "人事部",
        "from_address": "hr@corp.example",
        "in_doubt_policy": "ask",
    }
    client, url = world.client(user=world.hr), reverse("campaigns:campaign_new")
    assert client.post(url, fields).status_code == 302
    before = Campaign.objects.count()
    assert client.post(url, fields | {field: hostile}).status_code == 422
    assert Campaign.objects.count() == before


@pytest.mark.parametrize("end", ["\n.\n", "\r.\r", "\r\n.\r\n", "\r\n.\n", "\n.\r\n", "\0.\n"])
def test_no_end_of_data_can_be_written_in_a_body(end: str, relay: ScriptedRelay) -> None:
    """SMTP smuggling: the relay sees one message for one recipient, then QUIT."""
    campaign = a_campaign(relay, ["p1@staff.example.com"])
    book = campaign.workbook
    assert book is not None
    row = WorkbookRow.objects.get(workbook=book)
    text = f"x{end}{SMUGGLED}{end}QUIT"
    row.sealed = book.data_key.seal_json({"name": "李雷", "values": [text] * 6})
    row.save()
    taken = sent(relay, campaign)
    check(taken, ["p1@staff.example.com"] if taken else [])
    said = [line for _connection, line in relay.dialogue]
    assert not any("evil" in line for line in said)
    assert sum(line.upper().startswith("MAIL ") for line in said) == len(taken)
    assert taken or Delivery.objects.get().state == "failed"
