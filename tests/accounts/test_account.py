"""One's own account: name, language, password."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Role, User
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db
OLD, NEW = "old pass phrase 1", "new pass phrase 2"


@pytest.fixture
def user():
    user = Scene().user(Role.VIEWER, name="王")
    user.set_password(OLD)
    user.save()
    return user


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def change(client, **changes):
    given = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW, **changes}
    return client.post("/accounts/me/password/", given)


def test_name_and_language_are_kept_with_the_user(user):
    client = signed_in(user)
    client.post("/accounts/me/", {"save": "1", "name": "小王", "language": "en"})
    user.refresh_from_db()
    assert (user.name, user.language) == ("小王", "en")
    assert 'lang="en"' in client.get("/accounts/me/").content.decode()


def test_signing_in_brings_the_chosen_language(user):
    User.objects.filter(pk=user.pk).update(language="en")
    client = Client()
    client.post("/accounts/sign-in/", {"username": user.email, "password": OLD})
    assert client.cookies["django_language"].value == "en"


def test_the_menus_choice_of_language_is_kept_with_the_user(user):
    client = signed_in(user)
    client.post("/accounts/language/", {"language": "en", "next": "/accounts/me/"})
    client.post("/accounts/language/", {"language": "xx", "next": "/accounts/me/"})
    user.refresh_from_db()
    assert user.language == "en"
    assert client.cookies["django_language"].value == "en"
    assert client.get("/accounts/language/").status_code == 405


def test_choosing_a_language_leads_to_no_other_site(user):
    answer = signed_in(user).post(
        "/accounts/language/", {"language": "en", "next": "https://evil.example/"}
    )
    assert answer.url == "/"


def test_an_unknown_language_is_refused(user):
    answer = signed_in(user).post("/accounts/me/", {"save": "1", "language": "xx"})
    assert answer.status_code == 422


def test_changing_the_password_ends_other_sessions_alone(user):
    here, there = signed_in(user), signed_in(user)
    assert change(here).status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert here.get("/accounts/me/").status_code == 200
    assert there.get("/accounts/me/").status_code == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"old_password": "wrong"},
        {"new_password2": "another one 3"},
        {"new_password1": "short", "new_password2": "short"},
        {"new_password1": "password1234", "new_password2": "password1234"},
    ],
)
def test_a_wrong_change_changes_nothing(user, changes):
    assert change(signed_in(user), **changes).status_code == 422
    user.refresh_from_db()
    assert user.check_password(OLD)


def test_someone_without_a_team_may_change_the_password_too():
    user = User.objects.create_user("alone@x.example", OLD)
    assert change(signed_in(user)).status_code == 302


def test_strangers_are_sent_to_sign_in():
    assert Client().get("/accounts/me/").url.startswith("/accounts/sign-in/")
    assert change(Client()).url.startswith("/accounts/sign-in/")
