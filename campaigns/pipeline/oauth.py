"""OAuth: access tokens for the logins that relays and mailboxes use, fetched before the old one ends.

One worker fetches at a time, by a lease on the row; the others wait for what it gets. A login that the token endpoint
refuses stays refused until a person acts; what could not be asked is asked again soon.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import OAuthFlow, OAuthLogin, OAuthProvider, Relay, User
from accounts.secrets import Secret
from campaigns.mailer import oauth
from campaigns.mailer.oauth import Client, Endpoints, Token, TokenRefused, TokenUnreachable
from campaigns.mailer.reply_reasons import Reason
from campaigns.models.signals import announce
from campaigns.pipeline.outcome import until_committed

log = logging.getLogger(__name__)

# A token that ends sooner than this is replaced first: a connection that opens with it must still get in.
EARLY = timedelta(minutes=5)
# Longer than a fetch may take: a lease that ran out is a dead worker's.
LEASE = timedelta(seconds=45)
FETCH_SECONDS = 20.0
# Who finds somebody else fetching waits this long for him (seconds).
WAIT_SECONDS = 30.0
# What was refused or unreachable a moment ago is not asked again by every connection that wants to open.
PAUSE = timedelta(seconds=60)
# Refresh tokens die of not being used; a login that died unnoticed would stop a campaign half a year later.
EVERY = timedelta(hours=12)
BATCH = 20

_STATE = "hongyan.oauth"
STATE_SECONDS = 3600


class TokenTrouble(Exception):
    """No token. `reason` is TOKEN_REFUSED (a person has to act) or TOKEN_UNREACHABLE; `said` is the endpoint's word."""

    def __init__(self, reason: Reason, said: str = "") -> None:
        super().__init__(f"{reason}: {said}" if said else str(reason))
        self.reason, self.said = reason, said


def endpoints_of(login: OAuthLogin) -> Endpoints:
    """The provider's, or those that were typed for another one."""
    if login.provider == OAuthProvider.GOOGLE:
        known = oauth.google()
    elif login.provider == OAuthProvider.MICROSOFT:
        known = oauth.microsoft(login.tenant or "organizations")
    else:
        return Endpoints(login.authorize_url, login.token_url, login.scope, login.scope)
    scope = login.scope or known.scope
    return Endpoints(
        known.authorize_url,
        known.token_url,
        scope,
        login.scope or known.client_scope,
        known.asking,
    )


def access_token(login_id: int) -> str:
    """A token that lives for a while yet. Raises `TokenTrouble`; waits for another worker that is fetching one."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        login = OAuthLogin.objects.get(pk=login_id)
        if _lives(login, EARLY):
            return str(login.access_token)
        if not _may_ask(login) or time.monotonic() > until:
            return _old_or_trouble(login)
        if _take(login.pk):
            login.refresh_from_db()  # between the first look and the lease another may have fetched
            return _free_with(login) if _lives(login, EARLY) else _fetched(login)
        time.sleep(0.1)


def forget(login_id: int, token: str) -> None:
    """The server refused this token although it should live: the next one who asks fetches another."""
    login = OAuthLogin.objects.filter(pk=login_id).first()
    if login is not None and str(login.access_token) == token:
        OAuthLogin.objects.filter(pk=login_id).update(access_token="", access_until=None)


def _lives(login: OAuthLogin, margin: timedelta) -> bool:
    until = login.access_until
    return bool(login.access_token) and until is not None and until > timezone.now() + margin


def _may_ask(login: OAuthLogin) -> bool:
    """Neither refused nor tried in vain a moment ago."""
    return not login.refused or _ago(login.fetched_at) > PAUSE


def _ago(at: datetime | None) -> timedelta:
    return timezone.now() - at if at is not None else timedelta.max


def _take(login_id: int) -> bool:
    now = timezone.now()
    free = OAuthLogin.objects.filter(Q(lease_until=None) | Q(lease_until__lte=now), pk=login_id)
    return bool(free.update(lease_until=now + LEASE))


def _free_with(login: OAuthLogin) -> str:
    OAuthLogin.objects.filter(pk=login.pk).update(lease_until=None)
    return str(login.access_token)


def _old_or_trouble(login: OAuthLogin) -> str:
    """The old token while it lives at all; it is better than none."""
    if _lives(login, timedelta()):
        return str(login.access_token)
    is_known = login.refused and login.refused != str(Reason.TOKEN_UNREACHABLE)
    raise TokenTrouble(
        Reason.TOKEN_REFUSED if is_known else Reason.TOKEN_UNREACHABLE,
        login.said if is_known else "",
    )


def _fetched(login: OAuthLogin) -> str:
    """Asks the endpoint, under the lease, and keeps what it says."""
    try:
        token = _ask(login)
    except TokenRefused as refusal:
        log.warning("OAuth login %s was refused: %s", login.pk, refusal.error)
        _keep_refusal(login, refusal.error, refusal.said)
        raise TokenTrouble(Reason.TOKEN_REFUSED, refusal.error) from None
    except TokenUnreachable as failure:
        log.warning("OAuth login %s: the token endpoint gave no answer: %s", login.pk, failure)
        _keep_refusal(login, str(Reason.TOKEN_UNREACHABLE), failure.reason)
        return _old_or_trouble(OAuthLogin.objects.get(pk=login.pk))
    _keep(login, token)
    return token.access


def _ask(login: OAuthLogin) -> Token:
    endpoints = endpoints_of(login)
    is_client = login.flow == OAuthFlow.CLIENT
    client = Client(
        endpoints.token_url,
        login.client_id,
        str(login.client_secret),
        endpoints.client_scope if is_client else "",
    )
    post = oauth.poster(allow_private=login.internal_allowed, seconds=FETCH_SECONDS)
    if is_client:
        return oauth.by_client(client, post=post)
    if login.code:
        code, verifier = str(login.code), str(login.verifier)
        return oauth.by_code(
            client, code, verifier=verifier, redirect_uri=redirect_uri(), post=post
        )
    if not login.refresh_token:
        raise TokenRefused("not_connected")
    return oauth.by_refresh(client, str(login.refresh_token), post=post)


def _keep(login: OAuthLogin, token: Token) -> None:
    """A refresh token may be replaced by each answer (RFC 6749 6); the old one is then nobody's."""
    now = timezone.now()
    values = {
        "access_token": token.access,
        "access_until": now + timedelta(seconds=token.seconds),
        "fetched_at": now,
        "refused": "",
        "said": "",
        "code": "",
        "verifier": "",
        "due_at": now + EVERY,
        "lease_until": None,
    }
    if token.refresh:
        values["refresh_token"] = token.refresh
    until_committed(lambda: OAuthLogin.objects.filter(pk=login.pk).update(**values))
    _go_on(login)


def _keep_refusal(login: OAuthLogin, error: str, said: str) -> None:
    """A code that was tried is used up, whatever came of it; an endpoint that is away is asked again by itself."""
    now = timezone.now()
    is_away = error == str(Reason.TOKEN_UNREACHABLE)
    values = {
        "fetched_at": now,
        "refused": error[:40],
        "said": said[:300],
        "due_at": now + PAUSE if is_away else None,
        "lease_until": None,
    }
    if not is_away:
        values |= {"code": "", "verifier": ""}
    until_committed(lambda: OAuthLogin.objects.filter(pk=login.pk).update(**values))


def _go_on(login: OAuthLogin) -> None:
    """Relays that waited for a token send again."""
    waited = Relay.objects.filter(
        oauth=login, park_reason__in=[str(Reason.TOKEN_REFUSED), str(Reason.TOKEN_UNREACHABLE)]
    )
    if waited.update(parked_until=None, park_reason=""):
        announce("tick")


# Asking for leave ---------------------------------------------------------------------------------


def redirect_uri() -> str:
    """Where providers send people back to; it has to be entered at the provider exactly so."""
    return f"{settings.PUBLIC_URL}/oauth/callback/"


def asking_url(login: OAuthLogin, user: User) -> str:
    """The provider's page for this person and this login; what is needed afterwards is in its state, signed."""
    state = signing.dumps({"login": login.pk, "user": user.pk}, salt=_STATE, compress=True)
    endpoints = endpoints_of(login)
    return oauth.authorize_url(
        endpoints,
        client_id=login.client_id,
        redirect_uri=redirect_uri(),
        state=state,
        verifier=_verifier(state),
        scope=endpoints.scope,
    )


def login_of_state(state: str, user: User) -> int | None:
    """The login that this person asked for within the last hour; None for a state of anybody else's making."""
    try:
        known = signing.loads(state, salt=_STATE, max_age=STATE_SECONDS)
    except signing.BadSignature:
        return None
    return int(known["login"]) if known["user"] == user.pk else None


def _verifier(state: str) -> str:
    """RFC 7636 4.1: known to us alone, and the same when the person comes back; nothing is stored meanwhile."""
    key = hashlib.sha256(b"hongyan.pkce\0" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, state.encode(), hashlib.sha256).hexdigest()


def exchange(login: OAuthLogin, *, code: str, state: str) -> None:
    """Leaves the code for a worker, which asks for the tokens at once."""
    OAuthLogin.objects.filter(pk=login.pk).update(
        code=Secret(code), verifier=Secret(_verifier(state))
    )
    ask(login)


# Work -----------------------------------------------------------------------------------------------


def ask(login: OAuthLogin) -> None:
    """Has a worker fetch a token now: somebody is looking at the page."""
    now = timezone.now()
    OAuthLogin.objects.filter(pk=login.pk).update(
        due_at=now, access_until=None, refused="", said=""
    )
    announce("fetch_token", login.pk)


def due() -> list[int]:
    """Ids of logins whose token is to be fetched: asked for by a person, or unused for half a day."""
    return list(_due().order_by("due_at").values_list("pk", flat=True)[:BATCH])


def _due() -> QuerySet[OAuthLogin]:
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return OAuthLogin.objects.filter(free, due_at__lte=now)


def run(login_id: int) -> None:
    """Fetches a token, unless another worker does or it is not due. Raises nothing."""
    if not _due().filter(pk=login_id).exists() or not _take(login_id):
        return
    try:
        _fetched(OAuthLogin.objects.get(pk=login_id))
    except TokenTrouble:
        pass  # it stands in the row
    except Exception as error:
        # The class alone: an error's text might quote a secret.
        log.error("OAuth login %s: fetching broke off: %s", login_id, type(error).__name__)
        _keep_refusal(OAuthLogin(pk=login_id), "internal", "")
