"""Ways: how a batch's connections are opened, and whom their trouble concerns.

Through an account there is one server, and its trouble is the relay's. A direct relay's batch is one recipient
domain's: its connections go to that domain's own servers (RFC 5321 5.1), and their trouble is that domain's alone.
"""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import dns.resolver
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.address import domain_of
from campaigns.mailer.direct import Exchanges, of_domain
from campaigns.mailer.domain.lookups import IpAddress, Limits, Lookups, Unanswered
from campaigns.mailer.mx import Destination, Ourselves, Undeliverable, destination
from campaigns.mailer.reply import Phase, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_errors import RelayFailure
from campaigns.mailer.smtp_settings import Timeouts
from campaigns.models import Claim
from campaigns.pipeline import oauth
from campaigns.pipeline.domain_check import system_resolver
from campaigns.pipeline.oauth import TokenTrouble
from campaigns.pipeline.outcome import park, until_committed
from campaigns.pipeline.park_domain import park_domain
from campaigns.pipeline.relay_settings import direct_settings, relay_settings

# Answers of name servers, for as long as they said; shared by all batches of a process.
_ANSWERS = dns.resolver.LRUCache(10_000)
_LOOKUPS = Limits(query_seconds=5.0, total_seconds=30.0, queries=60)
# A domain none of whose servers talks is left alone for so long.
_DEAD_FOR = timedelta(minutes=15)
_SILENT = frozenset({Reason.UNREACHABLE, Reason.UNRESOLVED, Reason.TIMED_OUT, Reason.LOST})
_rng = random.SystemRandom()


class AccountWay:
    """Through the relay's account."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._token = ""
        self._is_renewed = False

    def opener(self) -> Callable[[], Connection]:
        """What opens a connection, in a thread where the database is not asked. Raises `RelayFailure`."""
        try:
            wanted = relay_settings(self._relay)
        except TokenTrouble as trouble:
            raise RelayFailure(Phase.AUTH, trouble.reason) from None
        self._token = wanted.access_token
        return lambda: Connection.open(wanted)

    def goes_on(self, failure: RelayFailure) -> bool:
        """Whether another connection may do better: a token can be withdrawn before it ends."""
        if failure.kind is not Reason.AUTH_REFUSED or not self._token or self._is_renewed:
            return False
        self._is_renewed = True
        assert self._relay.oauth_id is not None
        oauth.forget(self._relay.oauth_id, self._token)
        return True

    def judged(self, verdict: Verdict) -> Verdict:
        return verdict

    def park(self, verdict: Verdict) -> None:
        park(self._relay, verdict)


class DirectWay:
    """To the servers of one domain. `timeouts` take the place of the relay's, where somebody waits at a page.

    Raises ValueError for a relay without a name to say at EHLO.
    """

    def __init__(self, relay: Relay, domain: str, timeouts: Timeouts | None = None) -> None:
        self._relay, self._domain = relay, domain
        settings = direct_settings(relay)
        self._settings = replace(settings, timeouts=timeouts) if timeouts else settings
        self._exchanges: Exchanges | None = None
        self._nowhere: Undeliverable | None = None

    def opener(self) -> Callable[[], Connection]:
        """As `AccountWay.opener`; what it returns also raises `Undeliverable`, each time it is called."""
        return self._open

    def _open(self) -> Connection:
        if self._nowhere is not None:
            raise self._nowhere
        if self._exchanges is None:
            try:
                self._exchanges = Exchanges(self._find(), self._settings)
            except Undeliverable as nowhere:
                self._nowhere = nowhere
                raise
        return self._exchanges.open()

    def _find(self) -> Destination:
        resolver = system_resolver()
        resolver.cache = _ANSWERS
        lookups = Lookups(resolver, clock=time.monotonic, limits=_LOOKUPS)
        return destination(
            self._domain,
            lookups,
            ourselves=Ourselves(self._settings.ehlo_name, self._own_addresses(lookups)),
            rng=random.Random(_rng.random()),  # noqa: S311 - the order of equals is no secret
            allow_private=self._settings.allow_private,
        )

    def _own_addresses(self, lookups: Lookups) -> list[IpAddress]:
        """Without an answer our name alone tells us that mail would come back."""
        source = self._settings.source_ip
        own = [ipaddress.ip_address(source)] if source else []
        try:
            return [*own, *lookups.addresses(self._settings.ehlo_name)]
        except Unanswered:
            return own

    def goes_on(self, failure: RelayFailure) -> bool:
        """Whether the next server may do better: this one broke off before it granted DATA."""
        exchanges = self._exchanges
        if exchanges is None or not exchanges.has_next:
            return False
        exchanges.pass_over()
        return True

    def judged(self, verdict: Verdict) -> Verdict:
        return of_domain(verdict)

    def park(self, verdict: Verdict) -> None:
        seconds = verdict.park_for or timedelta(minutes=1)
        if verdict.reason in _SILENT:
            seconds = max(seconds, _DEAD_FOR)
        until = timezone.now() + seconds
        reason = str(verdict.reason)
        until_committed(lambda: park_domain(self._relay, self._domain, until, reason))


Way = AccountWay | DirectWay


def connected(relay: Relay, address: str, timeouts: Timeouts) -> Connection:
    """One connection for a message to this address, where somebody waits for it.

    Raises `RelayFailure`, `TokenTrouble`, `Undeliverable`, and ValueError for settings or an address that cannot be used.
    """
    if relay.is_direct:
        return DirectWay(relay, domain_of(address), timeouts).opener()()
    return Connection.open(replace(relay_settings(relay), timeouts=timeouts))


def way_of(relay: Relay, claim: Claim) -> Way:
    """The way of a claim's connections."""
    return DirectWay(relay, claim.domain) if relay.is_direct else AccountWay(relay)
