"""Signing in: a new session, and limits on wrong passwords that tell nobody who has an account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import hashers
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts import throttled_sign_in
from accounts.models import SignInFailure, User
from accounts.throttled_sign_in import BY_ACCOUNT, BY_BOTH, BY_NETWORK, account_key, network_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
EMAIL, PASSWORD = "wang@x.example", "right pass phrase"
LIMITED = "登录失败的次数过多"


@pytest.fixture
def user():
    return User.objects.create_user(EMAIL, PASSWORD)


def attempt(email=EMAIL, password="wrong", ip="192.0.2.1", **headers):
    return Client(REMOTE_ADDR=ip, **headers).post(
        "/accounts/sign-in/", {"username": email, "password": password}
    )


def is_in(answer) -> bool:
    return answer.status_code == 302


def failures(number, email=EMAIL, ip="192.0.2.1", ago=timedelta()):
    SignInFailure.objects.bulk_create(
        SignInFailure(account=account_key(email), network=ip, at=timezone.now() - ago)
        for _ in range(number)
    )


def test_the_right_password_opens_and_the_wrong_one_does_not(user):
    assert not is_in(attempt())
    assert is_in(attempt(password=PASSWORD))


def test_the_address_is_compared_without_case(user):
    assert is_in(attempt(email="WANG@X.example", password=PASSWORD))


def test_after_some_failures_even_the_right_password_waits(user):
    for _ in range(BY_BOTH):
        assert LIMITED not in attempt().content.decode()
    answer = attempt(password=PASSWORD)
    assert not is_in(answer)
    assert LIMITED in answer.content.decode()


def test_spellings_of_an_address_are_one_account(user):
    failures(BY_BOTH)
    assert not is_in(attempt(email=f" {EMAIL.upper()} ", password=PASSWORD))


def test_the_wait_ends(user):
    failures(BY_NETWORK, ago=throttled_sign_in.WINDOW + timedelta(seconds=1))
    assert is_in(attempt(password=PASSWORD))


def test_a_person_elsewhere_is_not_locked_out_by_an_attacker(user):
    failures(BY_BOTH, ip="203.0.113.9")
    assert is_in(attempt(password=PASSWORD))


def test_one_account_attacked_from_many_places_is_closed(user):
    for number in range(BY_ACCOUNT):
        failures(1, ip=f"203.0.113.{number}")
    assert not is_in(attempt(password=PASSWORD))


def test_one_place_that_tries_many_accounts_is_closed(user):
    for number in range(BY_NETWORK):
        failures(1, email=f"u{number}@x.example")
    assert not is_in(attempt(password=PASSWORD))
    assert is_in(attempt(password=PASSWORD, ip="198.51.100.7"))


def test_a_success_forgets_the_failures_before_it(user):
    failures(BY_BOTH - 1)
    assert is_in(attempt(password=PASSWORD))
    assert not SignInFailure.objects.exists()


def test_a_try_counts_before_it_is_judged(user, monkeypatch):
    seen = []
    monkeypatch.setattr(
        User, "check_password", lambda *_: seen.append(SignInFailure.objects.count())
    )
    attempt()
    assert seen == [1]


@pytest.mark.parametrize("before", [0, BY_BOTH])
def test_an_unknown_account_gets_the_same_answer_for_the_same_work(user, before, monkeypatch):
    hashed = []
    encode = hashers.MD5PasswordHasher.encode
    monkeypatch.setattr(
        hashers.MD5PasswordHasher,
        "encode",
        lambda *args: hashed.append(1) or encode(*args),
    )
    answers, work = [], []
    for email in (EMAIL, "nobody@x.example"):
        failures(before, email=email)
        hashed.clear()
        answers.append(attempt(email=email).context["form"].errors.as_json())
        work.append(len(hashed))
    assert answers[0] == answers[1]
    assert work[0] == work[1] == (0 if before else 1)


def test_no_address_is_stored_in_clear(user):
    attempt(email="my-password-typed-here")
    row = SignInFailure.objects.get()
    assert "password" not in f"{row.account} {row.network}"


def test_one_who_is_switched_off_stays_out(user):
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert not is_in(attempt(password=PASSWORD))


def test_a_new_session_key_at_sign_in(user):
    client = Client()
    session = client.session
    session["planted"] = 1
    session.save()
    before = client.cookies["sessionid"].value
    answer = client.post("/accounts/sign-in/", {"username": EMAIL, "password": PASSWORD})
    assert is_in(answer)
    assert client.cookies["sessionid"].value != before
    assert not Session.objects.filter(session_key=before).exists()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("nonsense", ""),
    ],
)
def test_a_client_is_its_ipv4_address_or_its_ipv6_network(address, network):
    assert network_of(RequestFactory().get("/", REMOTE_ADDR=address)) == network


def test_a_forwarded_address_counts_behind_our_proxy_alone(settings):
    request = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="1.2.3.4, 192.0.2.7"
    )
    assert network_of(request) == "10.0.0.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert network_of(request) == "192.0.2.7"
