"""Direct to MX: a connection to the first exchange of a destination that will talk (RFC 5321 5.1, RFC 7435).

A line that breaks before DATA was granted may be followed by one to the next exchange; what an exchange says of a
recipient or of a message is an answer, and no other one is asked.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from campaigns.mailer.mx import Destination, Exchange
from campaigns.mailer.reply import Outcome, Phase, Scope, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_errors import RelayFailure
from campaigns.mailer.smtp_session import Connector, connect_tcp
from campaigns.mailer.smtp_settings import RelaySettings, Timeouts, TlsMode

#: Seconds for finding an exchange that talks, however many there are.
_PATIENCE = 120.0
_TIMEOUTS = Timeouts(setup=60.0)


@dataclass(frozen=True, slots=True)
class DirectSettings:
    """How we deliver ourselves. `tls`: OPPORTUNISTIC, or STARTTLS where only a verified exchange will do.

    `source_ip` ("" for the system's choice) is the address that mail leaves from; `allow_private` permits exchanges on
    loopback and private networks. Raises ValueError for what cannot be said at EHLO.
    """

    ehlo_name: str
    tls: TlsMode = TlsMode.OPPORTUNISTIC
    port: int = 25
    source_ip: str = ""
    allow_private: bool = False
    ca_pem: str | None = None
    timeouts: Timeouts = _TIMEOUTS

    def __post_init__(self) -> None:
        if self.tls not in (TlsMode.OPPORTUNISTIC, TlsMode.STARTTLS):
            raise ValueError("direct sending is opportunistic or STARTTLS")
        if "." not in self.ehlo_name:
            raise ValueError("ehlo_name must be a full host name")
        self.to("host.invalid")

    def to(self, host: str) -> RelaySettings:
        """The settings of one connection."""
        return RelaySettings(
            host=host,
            port=self.port,
            tls=self.tls,
            ca_pem=self.ca_pem,
            timeouts=self.timeouts,
            ehlo_name=self.ehlo_name,
            allow_private=self.allow_private,
            plain_allowed=self.tls is TlsMode.OPPORTUNISTIC,
        )


def leaving_from(source_ip: str) -> Connector:
    """A connector whose connections leave from this address; "" for the system's choice."""
    return partial(connect_tcp, source=source_ip)


class Exchanges:
    """The exchanges of one destination during one batch; one that did not talk is not asked again."""

    def __init__(
        self,
        destination: Destination,
        settings: DirectSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        connector: Connector | None = None,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._connector = connector or leaving_from(settings.source_ip)
        self._left = list(destination.exchanges)

    def open(self) -> Connection:
        """Raises the last exchange's `RelayFailure` where none is left."""
        deadline = self._clock() + _PATIENCE
        failure = RelayFailure(Phase.CONNECT, Reason.UNREACHABLE)
        while self._left and self._clock() < deadline:
            try:
                return self._open(self._left[0])
            except RelayFailure as met:
                failure = met
                self.pass_over()
        raise failure

    @property
    def has_next(self) -> bool:
        """Whether another one is left beside the one that is talked to."""
        return len(self._left) > 1

    def pass_over(self) -> None:
        """The one that is talked to is no good; `open` goes on with the next one."""
        self._left = self._left[1:]

    def _open(self, exchange: Exchange) -> Connection:
        settings = self._settings.to(exchange.host)
        try:
            return self._connect(exchange, settings)
        except RelayFailure as failure:
            if settings.tls is not TlsMode.OPPORTUNISTIC or failure.phase is not Phase.STARTTLS:
                raise
        # RFC 7435: an exchange whose encryption is broken gets its mail as if it had none.
        return self._connect(exchange, replace(settings, tls=TlsMode.NONE))

    def _connect(self, exchange: Exchange, settings: RelaySettings) -> Connection:
        return Connection.open(
            settings,
            clock=self._clock,
            resolver=lambda _host, _port: exchange.addresses,
            connector=self._connector,
        )


def of_domain(verdict: Verdict) -> Verdict:
    """What an exchange says of us as a whole concerns its domain, never our whole relay."""
    if verdict.scope is Scope.RELAY and verdict.outcome is Outcome.DEFERRED:
        return replace(verdict, scope=Scope.DOMAIN)
    return verdict
