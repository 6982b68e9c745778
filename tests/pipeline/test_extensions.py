"""What a server offers at EHLO and what that means for a row: SIZE, 8BITMIME and SMTPUTF8, each end in words."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.pipeline import send
from tests import cast
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
CHINESE = "张三@example.com"


def sent(address: str, *extensions: str) -> tuple[Any, ScriptedRelay]:
    """The row of one payslip, after a server that offers just these had its chance."""
    with ScriptedRelay(RelayOptions(extensions=extensions)) as server:
        team = cast.a_team()
        cast.a_key(team)
        relay = cast.a_relay(team, server.port)
        campaign = cast.launched(cast.a_campaign(relay, cast.a_payroll(team, [address])))
        send.send_batch(relay.pk, "worker")
    return campaign.deliveries.get(), server


def mail_from(server: ScriptedRelay) -> str:
    return next(line for line in server.commands() if line.startswith("MAIL"))


def test_the_size_is_said_where_the_server_wants_to_know_it() -> None:
    row, server = sent("a@example.com", "SIZE 1000000")
    assert row.state == "accepted"
    (taken,) = server.accepted
    assert f" SIZE={len(taken.content)}" in mail_from(server)


def test_what_the_server_says_is_too_large_is_not_sent_at_all() -> None:
    row, server = sent("a@example.com", "SIZE 2000")
    assert (row.state, row.reason) == ("failed", "mesgtoobig")
    assert not any(line.startswith("MAIL") for line in server.commands())


def test_ordinary_mail_needs_no_extension() -> None:
    row, server = sent("a@example.com")
    assert row.state == "accepted"
    assert mail_from(server).endswith(">")
    assert server.accepted[0].content.isascii()


def test_an_address_in_chinese_goes_where_the_server_takes_such() -> None:
    row, server = sent(CHINESE, "8BITMIME", "SMTPUTF8")
    assert row.state == "accepted"
    assert server.accepted[0].rcpt_to == (CHINESE,)
    assert CHINESE.encode() in server.accepted[0].content
    assert mail_from(server).split(">")[1].split() == ["BODY=8BITMIME", "SMTPUTF8"]


@pytest.mark.parametrize("offered", [(), ("8BITMIME",)])
def test_an_address_in_chinese_ends_in_words_where_the_server_does_not(
    offered: tuple[str, ...],
) -> None:
    row, server = sent(CHINESE, *offered)
    assert (row.state, row.reason) == ("failed", "needs_smtputf8")
    assert server.accepted == []
