"""A Relay or BounceMailbox row as the settings of the pure clients: one place decrypts the secret.

Where a login by OAuth takes the secret's place, its token is fetched here, which may take a moment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from accounts.models import BounceMailbox, Relay
from accounts.models.bounce_mailbox import Leaving, Protocol
from campaigns.mailer.direct import DirectSettings
from campaigns.mailer.imap import ImapMaildrop
from campaigns.mailer.imap_settings import ImapSettings
from campaigns.mailer.maildrop import Session
from campaigns.mailer.pop3 import Maildrop
from campaigns.mailer.pop3_settings import Pop3Settings, PopTls
from campaigns.mailer.smtp_settings import RelaySettings, Timeouts, TlsMode
from campaigns.pipeline.oauth import access_token


def relay_settings(relay: Relay) -> RelaySettings:
    """Timeouts are the row's; the name said at EHLO is never this machine's unless a person entered it.

    Raises `TokenTrouble` where the relay's login is OAuth's and there is no token.
    """
    return RelaySettings(
        host=relay.host,
        port=relay.port,
        tls=TlsMode(relay.tls_mode),
        username=relay.username,
        password="" if relay.oauth_id else str(relay.secret),
        ca_pem=relay.ca_pem or None,
        timeouts=_timeouts(relay),
        ehlo_name=relay.ehlo_name or "localhost",
        allow_private=relay.internal_allowed,
        access_token=access_token(relay.oauth_id) if relay.oauth_id else "",
    )


def direct_settings(relay: Relay) -> DirectSettings:
    """A direct relay's row; ValueError for one without a name to say at EHLO."""
    return DirectSettings(
        ehlo_name=relay.ehlo_name,
        tls=TlsMode(relay.tls_mode),
        port=relay.port,
        source_ip=relay.source_ip or "",
        allow_private=relay.internal_allowed,
        ca_pem=relay.ca_pem or None,
        timeouts=replace(_timeouts(relay), setup=60.0),
    )


def _timeouts(relay: Relay) -> Timeouts:
    return Timeouts(
        connect=relay.connect_timeout,
        greeting=relay.command_timeout,
        command=relay.command_timeout,
        data_go_ahead=relay.command_timeout,
        final_dot=relay.final_dot_timeout,
        write=max(relay.command_timeout, 30),
    )


# RFC 2595 calls it STLS; the row has one word for relays and maildrops.
_POP_TLS = {
    TlsMode.IMPLICIT: PopTls.IMPLICIT,
    TlsMode.STARTTLS: PopTls.STLS,
    TlsMode.NONE: PopTls.NONE,
}


def maildrop_settings(mailbox: BounceMailbox) -> Pop3Settings:
    """The row's POP3 or IMAP account; ValueError for a host, user name or password that cannot be used,
    and `TokenTrouble` where its login is OAuth's and there is no token."""
    account: dict[str, Any] = {
        "host": mailbox.host,
        "port": mailbox.port,
        "tls": _POP_TLS[TlsMode(mailbox.tls_mode)],
        "username": mailbox.username,
        "password": "" if mailbox.oauth_id else str(mailbox.secret),
        "ca_pem": mailbox.ca_pem or None,
        "allow_private": mailbox.internal_allowed,
        "access_token": access_token(mailbox.oauth_id) if mailbox.oauth_id else "",
    }
    if mailbox.protocol == Protocol.POP3:
        return Pop3Settings(**account)
    folders = tuple(filter(None, map(str.strip, mailbox.folders.splitlines())))
    moves = mailbox.leaving == Leaving.OURS_MOVED
    return ImapSettings(**account, folders=folders, move_to=mailbox.moved_to if moves else "")


def open_maildrop(settings: Pop3Settings) -> Session:
    """A session by the protocol that the settings are of. Raises `MaildropFailure`."""
    if isinstance(settings, ImapSettings):
        return ImapMaildrop.open(settings)
    return Maildrop.open(settings)
