"""OAuth 2.0 as mail needs it: asking a person's leave, and tokens by code, refresh token or the client's own right.

RFC 6749 (4.1, 4.4, 6), RFC 7636 (PKCE, S256). Nothing here keeps anything; `campaigns/pipeline/oauth.py` does.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from campaigns.mailer.https import Answer, PostFailure, post

#: (address, form) -> answer. Raises `PostFailure`.
Post = Callable[[str, Mapping[str, str]], Answer]
#: Characters of a token; Microsoft's are about two thousand.
_MAX_TOKEN = 16_000
#: Seconds that a token may be said to live; without a word it is an hour.
_LIFE = (60, 24 * 3600)
_HOUR = 3600
_SHOWN = 200
#: Errors of the endpoint itself (RFC 6749 4.1.2.1, 5.2): they say nothing about our grant.
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider asks its people and gives its tokens, and what an application asks for.

    `client_scope` is asked for where the application has its own right ("" where the provider has no such way);
    `asking` are the provider's own parameters of the page that asks.
    """

    authorize_url: str
    token_url: str
    scope: str
    client_scope: str = ""
    asking: Mapping[str, str] = field(default_factory=dict)


_GOOGLE = Endpoints(
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    "https://mail.google.com/",
    # Without these Google gives no refresh token, or only at the first time.
    asking={"access_type": "offline", "prompt": "consent"},
)
_MICROSOFT = "https://login.microsoftonline.com"
_OUTLOOK = "https://outlook.office.com"


#: Where a known provider's mail servers are.
_SERVERS = {
    "google": (".gmail.com", ".googlemail.com", ".google.com"),
    "microsoft": (".office365.com", ".outlook.com", ".outlook.cn"),
}


def may_be_used_at(provider: str, host: str) -> bool:
    """A token opens every mailbox of its person: a known provider's is said to its own servers alone."""
    known = _SERVERS.get(provider)
    return known is None or f".{host.lower().rstrip('.')}".endswith(known)


def google() -> Endpoints:
    return _GOOGLE


def microsoft(tenant: str) -> Endpoints:
    """`tenant`: a directory's id or domain, or "organizations" for any of them."""
    base = f"{_MICROSOFT}/{tenant}/oauth2/v2.0"
    rights = ("SMTP.Send", "POP.AccessAsUser.All", "IMAP.AccessAsUser.All")
    scope = " ".join([*(f"{_OUTLOOK}/{right}" for right in rights), "offline_access"])
    return Endpoints(
        f"{base}/authorize",
        f"{base}/token",
        scope,
        client_scope="https://outlook.office365.com/.default",
    )


@dataclass(frozen=True, slots=True)
class Client:
    """Our application at a provider. The secret may be empty (a public client) and appears in no repr."""

    token_url: str
    client_id: str
    secret: str = field(default="", repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """`seconds` is how long the access token lives; `refresh` is "" where the endpoint gave no new one."""

    access: str = field(repr=False)
    seconds: int
    refresh: str = field(default="", repr=False)


class TokenRefused(Exception):
    """The endpoint says no: a person has to act. `error` is its word, `said` its sentence, safe to show."""

    def __init__(self, error: str, said: str = "") -> None:
        super().__init__(error)
        self.error, self.said = error, said


class TokenUnreachable(Exception):
    """No usable answer: later. `reason` is a word of https.py, or `protocol`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def authorize_url(
    endpoints: Endpoints,
    *,
    client_id: str,
    redirect_uri: str,
    state: str,
    verifier: str,
    scope: str,
) -> str:
    """The page where the mailbox's owner agrees (RFC 6749 4.1.1 with RFC 7636 4.3)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
        "code_challenge_method": "S256",
        **endpoints.asking,
    }
    joint = "&" if "?" in endpoints.authorize_url else "?"
    return f"{endpoints.authorize_url}{joint}{urlencode(query)}"


def by_code(client: Client, code: str, *, verifier: str, redirect_uri: str, post: Post) -> Token:
    """What the owner's agreement is worth. Raises `TokenRefused`, `TokenUnreachable`."""
    form = {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri}
    return _asked(client, "authorization_code", form, post)


def by_refresh(client: Client, refresh_token: str, *, post: Post) -> Token:
    """A new access token for an old leave. Raises `TokenRefused`, `TokenUnreachable`."""
    return _asked(client, "refresh_token", {"refresh_token": refresh_token}, post)


def by_client(client: Client, *, post: Post) -> Token:
    """By the application's own right. Raises `TokenRefused`, `TokenUnreachable`."""
    return _asked(client, "client_credentials", {"scope": client.scope}, post)


def poster(*, allow_private: bool, seconds: float = 20.0) -> Post:
    """A real `Post`."""
    return lambda url, form: post(url, form, allow_private=allow_private, seconds=seconds)


def _asked(client: Client, grant: str, form: Mapping[str, str], post: Post) -> Token:
    fields = {"grant_type": grant, "client_id": client.client_id, **form}
    if client.secret:
        fields["client_secret"] = client.secret
    try:
        answer = post(client.token_url, fields)
    except PostFailure as failure:
        raise TokenUnreachable(failure.reason) from None
    given = _json(answer)
    if answer.status != 200 or "error" in given:
        raise _no(answer, given)
    return _token(given)


def _json(answer: Answer) -> Mapping[str, object]:
    try:
        given = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _no(answer: Answer, given: Mapping[str, object]) -> TokenRefused | TokenUnreachable:
    error = _words(given.get("error"))
    if not error or error in _PASSING or answer.status >= 500 or answer.status == 429:
        return TokenUnreachable("protocol")
    return TokenRefused(error[:40], _words(given.get("error_description")))


def _words(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(sign if sign.isprintable() else " " for sign in text[: 2 * _SHOWN])[:_SHOWN]


def _token(given: Mapping[str, object]) -> Token:
    access, refresh = given.get("access_token"), given.get("refresh_token", "")
    if not (_is_token(access) and (refresh == "" or _is_token(refresh))):
        raise TokenUnreachable("protocol")
    try:
        seconds = int(str(given.get("expires_in", _HOUR)))
    except ValueError:
        seconds = _HOUR
    low, high = _LIFE
    return Token(str(access), max(low, min(seconds, high)), str(refresh))


def _is_token(value: object) -> bool:
    """What may stand in a command line: printable ASCII without a blank."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _MAX_TOKEN
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )
