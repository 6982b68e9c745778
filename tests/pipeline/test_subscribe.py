"""Joining a list by its public form: one mail, one link, one proof, and no means to bother others."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import (
    Contact,
    ContactList,
    Delivery,
    ListMember,
    SubscribeForm,
    SubscriptionProof,
    Suppression,
)
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryState
from campaigns.pipeline import personal_data, send, subscribe, sweep
from campaigns.pipeline.compose import links
from tests import cast
from tests.fakes.scripted_relay import ScriptedRelay

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EVE = "eve@customer.example"
HERE, THERE = "192.0.2.7", "198.51.100.9"
TEXT = "我同意接收产品月报。"


@pytest.fixture
def form(server: ScriptedRelay) -> SubscribeForm:
    team = cast.a_team()
    relay = cast.a_relay(team, server.port)
    readers = ContactList.objects.create(team=team, name="月报")
    sender = subscribe.Sender(relay, "鸿雁科技", f"news@{cast.DOMAIN}")
    return subscribe.save_form(readers, sender, text=TEXT, enabled=True, user=None)


def ask(form: SubscribeForm, address: str = EVE, network: str = HERE) -> bool:
    opened = subscribe.open_form(links().join(form.pk).rpartition("/")[2])
    assert opened is not None
    return subscribe.ask(opened, address, address.lower(), network)


def sent(form: SubscribeForm, server: ScriptedRelay) -> list[str]:
    """The confirm links of what arrived."""
    assert form.campaign.relay is not None
    send.send_batch(form.campaign.relay.pk, "worker")
    found = []
    for message in server.accepted:
        read = email.message_from_bytes(message.content, policy=email.policy.default)
        body = read.get_body(("plain",)).get_content()
        assert TEXT in body
        assert EVE in body
        found += re.findall(r"https://hongyan\.example/confirm/(\w+)", body)
    return found


def test_who_asks_gets_a_mail_and_joins_by_its_link_alone(
    form: SubscribeForm, server: ScriptedRelay
) -> None:
    assert ask(form)
    assert not ListMember.objects.exists()
    assert not Contact.objects.exists()
    (token,) = sent(form, server)
    proof = subscribe.asked(token)
    assert proof is not None
    assert not ListMember.objects.exists()
    subscribe.confirm(proof, THERE)
    member = ListMember.objects.get()
    assert (member.contact.address, member.status) == (EVE, MemberStatus.SUBSCRIBED)
    kept = SubscriptionProof.objects.get()
    assert (kept.text, kept.asked_from, kept.confirmed_from) == (TEXT, HERE, THERE)
    assert kept.confirmed_at is not None
    assert kept.asked_at < kept.confirmed_at


def test_the_standing_campaign_rests_between_two_requests(
    form: SubscribeForm, server: ScriptedRelay
) -> None:
    for number, address in enumerate((EVE, "f" + EVE), start=1):
        ask(form, address)
        assert len(sent(form, server)) == number
        sweep.sweep()
        form.campaign.refresh_from_db()
        assert form.campaign.state == "finished"
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.ACCEPTED}


def test_an_address_gets_one_mail_a_day(form: SubscribeForm) -> None:
    assert all(ask(form) for _ in range(3))
    assert SubscriptionProof.objects.count() == 1
    SubscriptionProof.objects.update(asked_at=timezone.now() - timedelta(hours=25))
    assert ask(form)
    assert Delivery.objects.count() == 2


def test_what_nobody_confirmed_is_forgotten_after_a_month(form: SubscribeForm) -> None:
    ask(form)
    SubscriptionProof.objects.update(asked_at=timezone.now() - timedelta(days=31))
    ask(form, "f" + EVE)
    assert SubscriptionProof.objects.get().address == "f" + EVE


def test_who_is_subscribed_gets_no_mail_and_the_same_answer(form: SubscribeForm) -> None:
    contact = Contact.objects.create(team=form.team, address=EVE, address_key=EVE)
    ListMember.objects.create(team=form.team, contact_list=form.contact_list, contact=contact)
    assert ask(form)
    assert not Delivery.objects.exists()


def test_one_network_and_one_list_are_limited(
    form: SubscribeForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribe, "BY_NETWORK", 2)
    monkeypatch.setattr(subscribe, "BY_LIST", 3)
    answers = [ask(form, f"{number}{EVE}") for number in range(3)]
    assert answers == [True, True, False]
    assert ask(form, "x" + EVE, THERE)
    assert not ask(form, "y" + EVE, "203.0.113.1")
    assert Delivery.objects.count() == 3


def test_who_left_this_list_may_come_back(form: SubscribeForm, server: ScriptedRelay) -> None:
    contact = Contact.objects.create(team=form.team, address=EVE, address_key=EVE)
    member = ListMember.objects.create(
        team=form.team,
        contact_list=form.contact_list,
        contact=contact,
        status=MemberStatus.UNSUBSCRIBED,
    )
    Suppression.objects.create(
        team=form.team,
        contact_list=form.contact_list,
        address=EVE,
        address_key=EVE,
        reason="unsubscribed",
    )
    ask(form)
    (token,) = sent(form, server)
    proof = subscribe.asked(token)
    assert proof is not None
    subscribe.confirm(proof, HERE)
    member.refresh_from_db()
    assert member.status == MemberStatus.SUBSCRIBED
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("reason", ["unsubscribed", "complaint", "hard_bounce", "erased"])
def test_who_may_not_be_mailed_at_all_is_not_mailed(
    form: SubscribeForm, server: ScriptedRelay, reason: str
) -> None:
    Suppression.objects.create(team=form.team, address=EVE, address_key=EVE, reason=reason)
    ask(form)
    assert sent(form, server) == []
    assert Delivery.objects.get().state == DeliveryState.SUPPRESSED


def test_the_old_link_brings_nobody_back_who_left_since(
    form: SubscribeForm, server: ScriptedRelay
) -> None:
    ask(form)
    (token,) = sent(form, server)
    proof = subscribe.asked(token)
    assert proof is not None
    subscribe.confirm(proof, HERE)
    ListMember.objects.update(status=MemberStatus.UNSUBSCRIBED)
    subscribe.confirm(proof, THERE)
    assert ListMember.objects.get().status == MemberStatus.UNSUBSCRIBED
    assert SubscriptionProof.objects.get().confirmed_from == HERE


def test_a_link_lives_a_week_and_no_other_token_is_one(
    form: SubscribeForm, server: ScriptedRelay
) -> None:
    ask(form)
    (token,) = sent(form, server)
    delivery = Delivery.objects.get()
    other = links().unsubscribe(delivery.campaign_id, delivery.pk).rpartition("/")[2]
    assert subscribe.asked(other) is None
    assert subscribe.open_form(token) is None
    SubscriptionProof.objects.update(asked_at=timezone.now() - timedelta(days=8))
    assert subscribe.asked(token) is None


def test_a_form_that_is_closed_or_whose_campaign_was_cancelled_is_gone(
    form: SubscribeForm,
) -> None:
    token = links().join(form.pk).rpartition("/")[2]
    SubscribeForm.objects.update(enabled=False)
    assert subscribe.open_form(token) is None
    SubscribeForm.objects.update(enabled=True)
    form.campaign.state = "cancelled"
    form.campaign.save()
    assert subscribe.open_form(token) is None


def test_the_proof_is_handed_out_and_erased_with_the_person(
    form: SubscribeForm, server: ScriptedRelay
) -> None:
    ask(form)
    (token,) = sent(form, server)
    proof = subscribe.asked(token)
    assert proof is not None
    subscribe.confirm(proof, THERE)
    contact = Contact.objects.get()
    (told,) = personal_data.collect(contact)["subscriptions"]
    assert (told["text"], told["confirmed_from"]) == (TEXT, THERE)
    assert personal_data.erase(contact, None).waiting == 0
    assert not SubscriptionProof.objects.exists()
    assert Delivery.objects.get().address == "已删除"
