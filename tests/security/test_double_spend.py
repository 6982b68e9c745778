"""Twenty people click at once (ASVS 2.3.3, 15.4.2): one launch, one delivery each, one decision."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Membership, Role, Team, User
from campaigns.models import Campaign, Delivery
from campaigns.pipeline import plan
from tests import cast

CLICKS = 20

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]


def at_once(click: Callable[[Client], int], clients: list[Client]) -> list[int]:
    """The statuses of all clicks, each in a thread with a connection of its own."""
    ready, answers = threading.Barrier(len(clients)), []

    def go(client: Client) -> None:
        try:
            ready.wait(20)
            answers.append(click(client))
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(clients)
    return answers


@pytest.fixture
def team() -> Team:
    return cast.a_team()


@pytest.fixture
def campaign(team: Team) -> Campaign:
    user = cast.a_user(team)
    book = cast.a_payroll(team, [f"p{n}@staff.example.com" for n in range(5)])
    cast.a_key(team)
    campaign = cast.a_campaign(cast.a_relay(team), book)
    cast.grant(user, campaign)
    cast.grant(user, book)
    return campaign


def signed_in() -> list[Client]:
    clients = [Client() for _number in range(CLICKS)]
    for client in clients:
        client.force_login(User.objects.get(email="alice@corp.example.com"))
    return clients


@pytest.mark.timeout(120)
def test_twenty_launches_are_one(campaign: Campaign) -> None:
    url = reverse("campaigns:campaign_launch", args=[campaign.pk])
    answers = at_once(lambda client: client.post(url, {"when": "now"}).status_code, signed_in())
    assert Counter(answers) == {302: CLICKS}
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
    for due in plan.start_due() * 3:
        plan.plan(due)
    assert Delivery.objects.filter(campaign=campaign).count() == 5


@pytest.mark.timeout(120)
def test_a_doubt_is_decided_once(campaign: Campaign) -> None:
    cast.launched(campaign)
    delivery = Delivery.objects.filter(campaign=campaign).first()
    assert delivery is not None
    Delivery.objects.filter(pk=delivery.pk).update(state="in_doubt")
    url = reverse("campaigns:delivery_resolve", args=[delivery.pk])
    decisions = iter(["resend", "accept"] * CLICKS)
    at_once(
        lambda client: (
            client.post(url, {"decision": next(decisions), "note": "checked"}).status_code
        ),
        signed_in(),
    )
    delivery.refresh_from_db()
    assert delivery.state in ("queued", "accepted")
    assert Delivery.objects.filter(campaign=campaign).count() == 5


@pytest.mark.timeout(120)
def test_two_owners_cannot_remove_each_other(team: Team) -> None:
    owners = [cast.a_user(team, Role.OWNER, email=f"o{n}@corp.example.com") for n in range(2)]
    clients = [Client() for _owner in owners]
    targets = {}
    for client, me, other in zip(clients, owners, reversed(owners), strict=True):
        client.force_login(me)
        targets[client] = reverse("accounts:member_remove", args=[other.pk])
    at_once(lambda client: client.post(targets[client]).status_code, clients)
    assert Membership.objects.filter(team=team, role=Role.OWNER).count() == 1
