"""Pages of OAuth logins: the application, the way to the provider and back, and whose secrets go where."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from accounts.models import OAuthLogin, Relay, Role
from campaigns.pipeline import oauth
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET, TOKEN = "canary-client-9x", "canary-refresh-7z"


@pytest.fixture
def client(scene):
    return scene.client(Role.MAIL_ADMIN)


def filled(**changes: str) -> dict[str, str]:
    return {
        "provider": "google",
        "name": "谷歌",
        "client_id": "abc.apps.example",
        "client_secret": SECRET,
        "refresh_token": "",
        **changes,
    }


def created(client: Any, **changes: str) -> OAuthLogin:
    response = client.post("/oauth/new/", filled(**changes))
    assert response.status_code == 302, response.context["form"].errors
    return OAuthLogin.objects.latest("pk")


def errors(client: Any, url: str = "/oauth/new/", **changes: str) -> Any:
    response = client.post(url, filled(**changes))
    assert response.status_code == 422
    return response.context["form"].errors


def test_the_list_costs_the_same_for_many_logins(scene, client, django_assert_num_queries):
    for count in (1, 5):
        while scene.team.oauth_logins.count() < count:
            OAuthLogin.objects.create(
                team=scene.team, name=f"n{count}{timezone.now()}", client_id="c"
            )
        with django_assert_num_queries(6):
            client.get("/oauth/")


@pytest.mark.parametrize("provider", ["google", "microsoft", "other"])
def test_every_provider_has_its_form_with_our_address_to_enter(client, provider):
    page = client.get(f"/oauth/new/?provider={provider}").content.decode()
    assert "https://hongyan.example/oauth/callback/" in page


def test_a_login_shows_the_way_to_the_provider_and_never_its_secrets(client):
    login = created(client, refresh_token=TOKEN)
    page = client.get(f"/oauth/{login.pk}/")
    assert str(login.client_secret) == SECRET
    text = page.content.decode()
    assert SECRET not in text
    assert TOKEN not in text
    assert text.count("accounts.google.com/o/oauth2") == 1


def test_a_pasted_refresh_token_is_tried_at_once_and_a_missing_one_is_not(client):
    assert created(client, name="一", refresh_token=TOKEN).is_open
    assert not created(client, name="二").is_open


def test_an_applications_own_right_needs_a_directory(client):
    given = {"provider": "microsoft", "flow": "client", "tenant": ""}
    assert "tenant" in errors(client, **given)
    login = created(client, **{**given, "tenant": "corp.example.com"})
    assert "accounts.google" not in client.get(f"/oauth/{login.pk}/").content.decode()
    assert client.get(f"/oauth/{login.pk}/").context["asking_url"] == ""


@pytest.mark.parametrize(
    "url",
    ["http://login.example/token", "https://u:p@login.example/", "token", "http://127.0.0.1/t"],
)
def test_a_token_endpoint_is_a_public_https_address(client, url):
    found = errors(client, provider="other", flow="code", token_url=url, scope="mail")
    assert "token_url" in found


def test_a_stored_secret_is_not_sent_to_another_endpoint(client):
    given = {
        "provider": "other",
        "flow": "code",
        "token_url": "https://login.example/token",
        "scope": "mail",
    }
    login = created(client, **given, refresh_token=TOKEN)
    moved = {**given, "token_url": "https://evil.example/token", "client_secret": ""}
    assert "client_secret" in errors(client, f"/oauth/{login.pk}/", **moved)
    client.post(f"/oauth/{login.pk}/", filled(**{**moved, "client_secret": "new"}))
    login.refresh_from_db()
    assert (str(login.client_secret), str(login.refresh_token)) == ("new", "")


def test_a_blank_secret_keeps_the_stored_one(client):
    login = created(client, refresh_token=TOKEN)
    client.post(f"/oauth/{login.pk}/", filled(client_secret="", name="新名"))
    login.refresh_from_db()
    assert (login.name, str(login.client_secret), str(login.refresh_token)) == (
        "新名",
        SECRET,
        TOKEN,
    )


# Back from the provider -----------------------------------------------------------------------------


def state_of(client: Any, login: OAuthLogin) -> str:
    url = client.get(f"/oauth/{login.pk}/").context["asking_url"]
    return parse_qs(urlsplit(url).query)["state"][0]


def test_coming_back_changes_nothing_until_a_button_is_pressed(client):
    login = created(client)
    state = state_of(client, login)
    page = client.get("/oauth/callback/", {"code": "c0de", "state": state})
    login.refresh_from_db()
    assert page.status_code == 200
    assert (str(login.code), login.due_at) == ("", None)
    answer = client.post("/oauth/callback/", {"code": "c0de", "state": state})
    login.refresh_from_db()
    assert answer["Location"] == f"/oauth/{login.pk}/"
    assert str(login.code) == "c0de"
    assert login.is_open


def test_a_state_of_somebody_else_is_refused(scene, client):
    login = created(client)
    other = scene.client(Role.MAIL_ADMIN)
    state = state_of(other, login)
    for given in (state, state + "x", ""):
        answer = client.post("/oauth/callback/", {"code": "c0de", "state": given})
        assert answer.status_code == 404
    login.refresh_from_db()
    assert str(login.code) == ""


def test_a_person_who_declined_reads_so(client):
    login = created(client)
    given = {"error": "access_denied", "state": state_of(client, login)}
    assert "授权被拒绝" in client.get("/oauth/callback/", given).content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "还没有授权"),
        ({"refused": "invalid_grant", "said": "expired"}, "请重新授权"),
        ({"refused": "token_unreachable"}, "联系不上"),
        ({"refused": "AADSTS<b>"}, "AADSTS&lt;b&gt;"),
        ({"due_at": timezone.now() - timedelta(minutes=1)}, "正在向授权服务器"),
        ({"fetched_at": timezone.now()}, "自动更新"),
    ],
)
def test_the_page_says_how_a_login_stands(client, fields, words):
    login = created(client)
    OAuthLogin.objects.filter(pk=login.pk).update(**fields)
    assert words in client.get(f"/oauth/{login.pk}/live/").content.decode()


# Who uses it ----------------------------------------------------------------------------------------


def relay_form(**changes: Any) -> dict[str, Any]:
    return {
        "preset": "gmail",
        "name": "Gmail",
        "host": "smtp.gmail.com",
        "port": "465",
        "tls_mode": "implicit",
        "username": "news@corp.example",
        "secret": "",
        "max_connections": "1",
        "connect_timeout": "30",
        "command_timeout": "60",
        "final_dot_timeout": "600",
        "retry_minutes": "5, 15",
        "deliver_hours": "24",
        **changes,
    }


def test_a_relay_takes_a_login_instead_of_a_password_and_forgets_the_password(scene, client):
    login = created(client)
    relay = scene.relay(
        name="Gmail", host="smtp.gmail.com", username="news@corp.example", secret="old"
    )
    answer = client.post(f"/relays/{relay.pk}/", relay_form(oauth=login.pk))
    assert answer.status_code == 302
    relay.refresh_from_db()
    assert (relay.oauth, str(relay.secret)) == (login, "")
    assert client.post(f"/oauth/{login.pk}/delete/").status_code == 302
    assert OAuthLogin.objects.filter(pk=login.pk).exists()


def test_a_providers_token_goes_to_its_own_servers_alone(scene, client):
    login = created(client)
    for host in ("smtp.evil.example", "smtp.gmail.com.evil.example", "xgmail.com"):
        answer = client.post("/relays/new/", relay_form(oauth=login.pk, host=host))
        assert "oauth" in answer.context["form"].errors, host
    assert not Relay.objects.filter(oauth=login).exists()


def test_another_teams_login_cannot_be_chosen(client):
    stranger = Scene()
    login = OAuthLogin.objects.create(team=stranger.team, name="x", client_id="c")
    answer = client.post("/relays/new/", relay_form(oauth=login.pk))
    assert "oauth" in answer.context["form"].errors


def test_fetching_now_asks_a_worker(client):
    login = created(client)
    client.post(f"/oauth/{login.pk}/fetch/")
    assert oauth.due() == [login.pk]
