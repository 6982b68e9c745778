"""Tokens for relays and mailboxes: fetched before they end, by one worker, and what a refusal stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import BounceMailbox, OAuthLogin, Relay
from campaigns.mailer.reply_reasons import Reason
from campaigns.pipeline import collect, oauth, probe, send
from campaigns.pipeline.oauth import TokenTrouble
from campaigns.pipeline.relay_settings import maildrop_settings, relay_settings
from tests import cast
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.fakes.token_endpoint import CLIENT, SECRET, TokenEndpoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
USER = "news@corp.example.com"


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(refresh_tokens={"refresh-0"}) as made:
        yield made


def a_login(endpoint: TokenEndpoint, **fields: Any) -> OAuthLogin:
    given = {
        "team": fields.pop("team", None) or cast.a_team(),
        "name": "令牌",
        "provider": "other",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "token_url": endpoint.url,
        "authorize_url": "https://login.example.com/authorize",
        "scope": "mail",
        "internal_allowed": True,
        "refresh_token": "refresh-0",
    }
    return OAuthLogin.objects.create(**(given | fields))


def ends_in(login: OAuthLogin, **when: float) -> None:
    OAuthLogin.objects.filter(pk=login.pk).update(access_until=timezone.now() + timedelta(**when))


def test_a_token_is_fetched_once_and_kept_encrypted(endpoint: TokenEndpoint) -> None:
    login = a_login(endpoint)
    assert [oauth.access_token(login.pk) for _ in range(3)] == ["access-1"] * 3
    assert len(endpoint.asked) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token, refresh_token, client_secret FROM accounts_oauthlogin")
        stored = " ".join(cursor.fetchone())
    assert not any(word in stored for word in ("access-1", "refresh-0", SECRET))


def test_a_token_is_replaced_before_it_ends(endpoint: TokenEndpoint) -> None:
    login = a_login(endpoint)
    oauth.access_token(login.pk)
    ends_in(login, minutes=4)
    assert oauth.access_token(login.pk) == "access-2"


def test_a_refresh_token_that_is_replaced_is_the_next_one_to_use(endpoint: TokenEndpoint) -> None:
    endpoint.rotates = True
    login = a_login(endpoint)
    for number in (1, 2, 3):
        assert oauth.access_token(login.pk) == f"access-{number}"
        ends_in(login, minutes=-1)


def test_workers_that_want_one_at_the_same_time_ask_once(endpoint: TokenEndpoint) -> None:
    endpoint.delay = 0.3
    login = a_login(endpoint)
    got: list[str] = []

    def want() -> None:
        try:
            got.append(oauth.access_token(login.pk))
        finally:
            connection.close()

    workers = [threading.Thread(target=want) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert got == ["access-1"] * 6
    assert len(endpoint.asked) == 1


def test_a_dead_workers_lease_ends(endpoint: TokenEndpoint) -> None:
    login = a_login(endpoint, lease_until=timezone.now() - timedelta(seconds=1))
    assert oauth.access_token(login.pk) == "access-1"


def test_a_refusal_is_kept_in_words_and_not_asked_for_by_every_connection(
    endpoint: TokenEndpoint,
) -> None:
    login = a_login(endpoint, refresh_token="dead")
    for _ in range(3):
        with pytest.raises(TokenTrouble) as caught:
            oauth.access_token(login.pk)
        assert caught.value.reason is Reason.TOKEN_REFUSED
    assert len(endpoint.asked) == 1
    login.refresh_from_db()
    assert (login.refused, login.said) == ("invalid_grant", "Token has been expired or revoked.")


def test_an_endpoint_that_is_away_leaves_the_old_token_in_use(endpoint: TokenEndpoint) -> None:
    login = a_login(endpoint)
    oauth.access_token(login.pk)
    endpoint.answer = (503, b"")
    ends_in(login, minutes=2)
    assert oauth.access_token(login.pk) == "access-1"
    ends_in(login, minutes=-2)
    with pytest.raises(TokenTrouble) as caught:
        oauth.access_token(login.pk)
    assert caught.value.reason is Reason.TOKEN_UNREACHABLE


def test_an_application_needs_no_person(endpoint: TokenEndpoint) -> None:
    endpoint.client_scope = "mail"
    login = a_login(endpoint, flow="client", refresh_token="")
    assert oauth.access_token(login.pk) == "access-1"


def test_a_persons_leave_becomes_tokens(endpoint: TokenEndpoint) -> None:
    team = cast.a_team()
    user = cast.a_user(team)
    login = a_login(endpoint, team=team, refresh_token="")
    asked = parse_qs(urlsplit(oauth.asking_url(login, user)).query)
    state = asked["state"][0]
    endpoint.codes["c0de"] = asked["code_challenge"][0]
    assert asked["redirect_uri"] == ["https://hongyan.example/oauth/callback/"]
    assert oauth.login_of_state(state, user) == login.pk
    oauth.exchange(login, code="c0de", state=state)
    assert oauth.due() == [login.pk]
    oauth.run(login.pk)
    login.refresh_from_db()
    assert (str(login.access_token), str(login.refresh_token)) == ("access-1", "refresh-1")
    assert (str(login.code), str(login.verifier), login.refused) == ("", "", "")


def test_a_state_is_good_for_its_own_person_alone(endpoint: TokenEndpoint) -> None:
    team = cast.a_team()
    alice, bob = cast.a_user(team), cast.a_user(team, email="bob@corp.example.com")
    login = a_login(endpoint, team=team)
    state = parse_qs(urlsplit(oauth.asking_url(login, alice)).query)["state"][0]
    assert oauth.login_of_state(state, bob) is None
    assert oauth.login_of_state(state[:-2], alice) is None
    assert oauth.login_of_state("", alice) is None


def test_a_code_that_is_refused_is_not_tried_again(endpoint: TokenEndpoint) -> None:
    login = a_login(endpoint, refresh_token="", code="wrong", verifier="v" * 64)
    oauth.ask(login)
    oauth.run(login.pk)
    login.refresh_from_db()
    assert (str(login.code), login.refused) == ("", "invalid_grant")
    assert oauth.due() == []


def test_tokens_are_fetched_although_nobody_sends_so_that_they_do_not_die(
    endpoint: TokenEndpoint,
) -> None:
    login = a_login(endpoint)
    oauth.access_token(login.pk)
    assert oauth.due() == []
    OAuthLogin.objects.update(due_at=timezone.now())
    assert oauth.due() == [login.pk]
    oauth.run(login.pk)
    assert len(endpoint.asked) == 2


# Relays and mailboxes -----------------------------------------------------------------------------


def sending(
    endpoint: TokenEndpoint, server: ScriptedRelay, **fields: Any
) -> tuple[OAuthLogin, Relay, Any]:
    login = a_login(endpoint, **fields)
    cast.a_key(login.team)
    relay = cast.a_relay(login.team, server.port, username=USER, oauth=login)
    campaign = cast.launched(
        cast.a_campaign(relay, cast.a_payroll(login.team, ["a@example.com", "b@example.com"]))
    )
    return login, relay, campaign


def relay_that_knows(*tokens: str) -> ScriptedRelay:
    return ScriptedRelay(RelayOptions(tokens={USER: tokens[0]}, mechanisms="XOAUTH2"))


def states(campaign: Any) -> set[str]:
    return set(campaign.deliveries.values_list("state", flat=True))


def test_a_relay_logs_in_with_a_token(endpoint: TokenEndpoint) -> None:
    with relay_that_knows("access-1") as server:
        _login, relay, campaign = sending(endpoint, server)
        assert relay_settings(relay).password == ""
        send.send_batch(relay.pk, "worker")
    assert states(campaign) == {"accepted"}


def test_a_token_that_was_withdrawn_is_replaced_once(endpoint: TokenEndpoint) -> None:
    with relay_that_knows("access-2") as server:
        _login, relay, campaign = sending(endpoint, server)
        send.send_batch(relay.pk, "worker")
    assert states(campaign) == {"accepted"}
    relay.refresh_from_db()
    assert relay.enabled


def test_a_server_that_refuses_every_token_stops_the_relay(endpoint: TokenEndpoint) -> None:
    with relay_that_knows("never") as server:
        _login, relay, campaign = sending(endpoint, server)
        send.send_batch(relay.pk, "worker")
    relay.refresh_from_db()
    assert states(campaign) == {"queued"}
    assert (relay.enabled, relay.park_reason) == (False, "auth_refused")
    assert len(endpoint.given) == 2


def test_a_refused_refresh_parks_the_relay_and_fails_no_row(endpoint: TokenEndpoint) -> None:
    with relay_that_knows("access-1") as server:
        login, relay, campaign = sending(endpoint, server, refresh_token="dead")
        send.send_batch(relay.pk, "worker")
        relay.refresh_from_db()
        assert states(campaign) == {"queued"}
        assert relay.park_reason == "token_refused"
        assert relay.parked_until > timezone.now()
        assert server.connections == 0
        # A person gives leave anew: the relay goes on by itself.
        OAuthLogin.objects.update(refresh_token="refresh-0")
        oauth.ask(login)
        oauth.run(login.pk)
        relay.refresh_from_db()
        assert relay.parked_until is None
        send.send_batch(relay.pk, "worker")
    assert states(campaign) == {"accepted"}


def test_a_mailbox_is_polled_with_a_token_and_says_why_it_cannot(endpoint: TokenEndpoint) -> None:
    login = a_login(endpoint)
    mailbox = BounceMailbox.objects.create(
        team=login.team, name="退信", address=USER, host="127.0.0.1", username=USER, oauth=login
    )
    settings = maildrop_settings(mailbox)
    assert (settings.access_token, settings.password) == ("access-1", "")
    OAuthLogin.objects.update(refresh_token="dead", access_token="")
    collect.poll(mailbox.pk)
    mailbox.refresh_from_db()
    assert mailbox.last_error == "token_refused"


def test_a_test_of_a_relay_says_that_its_login_was_refused(endpoint: TokenEndpoint) -> None:
    with relay_that_knows("access-1") as server:
        _login, relay, _campaign = sending(endpoint, server, refresh_token="dead")
        asked = probe.ask(relay, cast.a_user(relay.team), "me@corp.example.com")
        probe.run(asked.pk)
    asked.refresh_from_db()
    assert asked.steps[-1]["step"] == "login"
    assert asked.steps[-1]["reason"] == "token_refused"
