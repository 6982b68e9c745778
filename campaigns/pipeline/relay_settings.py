"""A Relay or BounceMailbox row as the settings of the pure clients: one place decrypts the secret."""

from __future__ import annotations

from accounts.models import BounceMailbox, Relay
from campaigns.mailer.pop3_settings import Pop3Settings, PopTls
from campaigns.mailer.smtp_settings import RelaySettings, Timeouts, TlsMode


def relay_settings(relay: Relay) -> RelaySettings:
    """Timeouts are the row's; the name said at EHLO is the from-domain's, never this machine's."""
    return RelaySettings(
        host=relay.host,
        port=relay.port,
        tls=TlsMode(relay.tls_mode),
        username=relay.username,
        password=str(relay.secret),
        ca_pem=relay.ca_pem or None,
        timeouts=Timeouts(
            connect=relay.connect_timeout,
            greeting=relay.command_timeout,
            command=relay.command_timeout,
            data_go_ahead=relay.command_timeout,
            final_dot=relay.final_dot_timeout,
            write=max(relay.command_timeout, 30),
        ),
        allow_private=relay.internal_allowed,
    )


# RFC 2595 calls it STLS; the row has one word for relays and maildrops.
_POP_TLS = {
    TlsMode.IMPLICIT: PopTls.IMPLICIT,
    TlsMode.STARTTLS: PopTls.STLS,
    TlsMode.NONE: PopTls.NONE,
}


def maildrop_settings(mailbox: BounceMailbox) -> Pop3Settings:
    """The row's POP3 account; ValueError for a host, user name or password that cannot be used."""
    return Pop3Settings(
        host=mailbox.host,
        port=mailbox.port,
        tls=_POP_TLS[TlsMode(mailbox.tls_mode)],
        username=mailbox.username,
        password=str(mailbox.secret),
        ca_pem=mailbox.ca_pem or None,
        allow_private=mailbox.internal_allowed,
    )
