"""Tokens for mail: what is asked, what the answers mean, and what never becomes a token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from campaigns.mailer import oauth
from campaigns.mailer.https import Answer, PostFailure
from campaigns.mailer.oauth import Client, Token, TokenRefused, TokenUnreachable
from tests.fakes.token_endpoint import CLIENT, SECRET, TokenEndpoint

POST = oauth.poster(allow_private=True, seconds=5)


def client(endpoint: TokenEndpoint, **changes: str) -> Client:
    return Client(**({"token_url": endpoint.url, "client_id": CLIENT, "secret": SECRET} | changes))


def test_a_person_is_asked_with_a_challenge_whose_answer_gets_the_tokens() -> None:
    endpoints = oauth.microsoft("corp.example.com")
    url = oauth.authorize_url(
        endpoints,
        client_id=CLIENT,
        redirect_uri="https://hongyan.example/oauth/callback/",
        state="s",
        verifier="v" * 64,
        scope=endpoints.scope,
    )
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(
        "https://login.microsoftonline.com/corp.example.com/oauth2/v2.0/authorize?"
    )
    assert asked["code_challenge_method"] == "S256"
    assert "offline_access" in asked["scope"]
    assert "v" * 64 not in url
    with TokenEndpoint(codes={"c0de": asked["code_challenge"]}) as endpoint:
        token = oauth.by_code(
            client(endpoint), "c0de", verifier="v" * 64, redirect_uri="https://x/", post=POST
        )
    assert (token.access, token.seconds) == ("access-1", 3600)
    assert token.refresh in endpoint.refresh_tokens
    assert endpoint.asked[0]["redirect_uri"] == "https://x/"


def test_google_is_asked_for_a_refresh_token_too() -> None:
    url = oauth.authorize_url(
        oauth.google(), client_id="c", redirect_uri="r", state="s", verifier="v", scope="x"
    )
    assert "access_type=offline" in url
    assert "prompt=consent" in url


def test_a_refresh_token_gets_a_new_access_token() -> None:
    with TokenEndpoint(refresh_tokens={"old"}, rotates=True) as endpoint:
        token = oauth.by_refresh(client(endpoint), "old", post=POST)
    assert token.access == "access-1"
    assert token.refresh not in ("", "old")


def test_an_application_has_a_right_of_its_own() -> None:
    scope = oauth.microsoft("t").client_scope
    with TokenEndpoint(client_scope=scope) as endpoint:
        assert oauth.by_client(client(endpoint, scope=scope), post=POST).access == "access-1"


def test_a_refusal_has_the_endpoints_words() -> None:
    with TokenEndpoint() as endpoint, pytest.raises(TokenRefused) as caught:
        oauth.by_refresh(client(endpoint), "dead", post=POST)
    assert caught.value.error == "invalid_grant"
    assert caught.value.said == "Token has been expired or revoked."


def answered(status: int, body: object) -> oauth.Post:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()

    def post(_url: str, _form: Mapping[str, str]) -> Answer:
        return Answer(status, octets)

    return post


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": "invalid_grant"}),
        (429, {"error": "slow_down"}),
        (400, {"error": "temporarily_unavailable"}),
        (400, b"<html>"),
        (302, b""),
        (200, b""),
        (200, b"[]"),
        (200, {"access_token": ""}),
        (200, {"access_token": "a\r\nQUIT"}),
        (200, {"access_token": "a b"}),
        (200, {"access_token": "令牌"}),
        (200, {"access_token": ["a"]}),
        (200, {"access_token": "x" * 20_000}),
        (200, {"access_token": "a", "refresh_token": "\x00"}),
        (200, b"[" * 100_000),
    ],
)
def test_what_is_no_token_and_no_refusal_is_asked_again_later(status: int, body: object) -> None:
    with pytest.raises(TokenUnreachable):
        oauth.by_client(Client("https://x/", "c"), post=answered(status, body))


def test_an_endpoint_that_is_away_is_not_a_refusal() -> None:
    def post(_url: str, _form: Mapping[str, str]) -> Answer:
        raise PostFailure("timed_out")

    with pytest.raises(TokenUnreachable) as caught:
        oauth.by_client(Client("https://x/", "c"), post=post)
    assert caught.value.reason == "timed_out"


@pytest.mark.parametrize(
    ("said", "seconds"), [("60", 60), (10**9, 86400), (-5, 60), ("soon", 3600), (None, 3600)]
)
def test_a_life_that_cannot_be_is_taken_for_a_usual_one(said: object, seconds: int) -> None:
    body = {"access_token": "a", "expires_in": said}
    assert oauth.by_client(Client("https://x/", "c"), post=answered(200, body)).seconds == seconds


def test_no_secret_is_in_a_repr() -> None:
    shown = repr(Client("https://x/", "c", "s3cret")) + repr(Token("acc3ss", 1, "r3fresh"))
    assert not any(word in shown for word in ("s3cret", "acc3ss", "r3fresh"))
