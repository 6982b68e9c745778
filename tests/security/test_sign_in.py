"""Sign-in and sessions (ASVS 6.3.1, 7.2.4, 7.4.1, 7.4.3): guessing, asking who exists, fixed and old sessions.

The limits themselves are tested in tests/accounts/test_sign_in.py.
"""

from __future__ import annotations

import re
import statistics
import time
from typing import Any

import pytest
from django.conf import global_settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.security.world import World

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
SIGN_IN = "/accounts/sign-in/"


@pytest.fixture
def user() -> User:
    user = World().hr
    user.set_password(PASSWORD)
    user.save()
    return user


def attempt(email: str, password: str, address: str = "203.0.113.5") -> tuple[int, bytes]:
    answer = Client(REMOTE_ADDR=address).post(SIGN_IN, {"username": email, "password": password})
    body = answer.content.replace(email.encode(), b"")
    return answer.status_code, re.sub(rb'value="\w{32,}"', b"", body)


def test_a_guesser_is_stopped_whatever_address_he_comes_from(user: User) -> None:
    tries = 0
    for network in range(40):
        status, body = attempt(user.email, "wrong", f"198.51.100.{network}")
        assert status == 200
        tries += "过多".encode() not in body
    assert tries <= 30
    assert attempt(user.email, PASSWORD, "198.51.100.99")[0] == 200, "closed for the right one too"


def test_the_answer_does_not_tell_who_has_an_account(user: User) -> None:
    assert attempt(user.email, "wrong") == attempt("nobody@corp.example", "wrong")


def test_nor_does_the_time(settings: Any) -> None:
    """One hash of a password either way; medians, since this machine is shared."""
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    email = "known@corp.example"
    User.objects.create_user(email, PASSWORD)

    def seconds(email: str) -> float:
        begun = time.process_time()
        attempt(email, "wrong", "203.0.113.9")
        return time.process_time() - begun

    attempt("warm@corp.example", "wrong")
    known, unknown = [], []
    for _round in range(4):
        known.append(seconds(email))
        unknown.append(seconds("nobody@corp.example"))
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


def test_a_fixed_session_key_is_worth_nothing(user: User) -> None:
    attacker = Client()
    attacker.get(SIGN_IN)
    planted = "a" * 32
    victim = Client()
    victim.cookies["sessionid"] = planted
    assert victim.post(SIGN_IN, {"username": user.email, "password": PASSWORD}).status_code == 302
    assert victim.cookies["sessionid"].value != planted
    attacker.cookies["sessionid"] = planted
    assert attacker.get("/").status_code == 302


def test_signing_out_ends_the_session_on_the_server(user: User) -> None:
    client = Client()
    client.force_login(user)
    key = client.cookies["sessionid"].value
    client.post(reverse("accounts:sign_out"))
    assert not Session.objects.filter(session_key=key).exists()
    client.cookies["sessionid"] = key
    assert client.get("/").status_code == 302


def test_a_new_password_ends_every_other_session(user: User) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.force_login(user)
    fields = {
        "old_password": PASSWORD,
        "new_password1": "another battery horse",
        "new_password2": "another battery horse",
    }
    assert here.post(reverse("accounts:change_password"), fields).status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


def test_someone_switched_off_is_out_at_once(user: User) -> None:
    client = Client()
    client.force_login(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)",
     "https:evil.example", "http:///evil.example", "\thttps://evil.example"],
)  # fmt: skip
def test_signing_in_leads_to_no_other_site(user: User, target: str) -> None:
    client = Client()
    answer = client.post(
        f"{SIGN_IN}?next={target}",
        {"username": user.email, "password": PASSWORD, "next": target},
    )
    assert answer.headers["Location"] == "/"
    for path in (reverse("accounts:language"), reverse("set_language")):
        moved = client.post(path, {"language": "en", "next": target})
        assert "evil" not in moved.headers.get("Location", "")
        assert "javascript" not in moved.headers.get("Location", "")
