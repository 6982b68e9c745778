"""Postfix, Dovecot, smtp-sink and Chromium as the end-to-end tests use them."""

from __future__ import annotations

import poplib
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import peers
from tests.servers.certificate import Certificate, make_certificate
from tests.servers.dovecot import Account, Dovecot
from tests.servers.folder import temporary_folder
from tests.servers.postfix import Postfix
from tests.servers.smtp_sink import SmtpSink, smtp_source

BOUNCES = "bounces@hongyan.example"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Certificate:
    return make_certificate(folder / "tls")


@pytest.fixture(scope="module")
def relay(folder: Path, certificate: Certificate) -> Iterator[Postfix]:
    peers.need("postfix")
    boxes = {BOUNCES: "bounces"}
    with Postfix(folder / "postfix", mailboxes=boxes, certificate=certificate) as server:
        yield server


def submit(relay: Postfix, recipient: str, trust: Certificate | None = None) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=10) as client:
        if trust is not None:
            client.starttls(context=ssl.create_default_context(cafile=str(trust.authority)))
        content = f"Message-ID: <{recipient}>\r\nSubject: test\r\n\r\n.dot\r\n"
        client.sendmail("bounces+a1b2@hongyan.example", [recipient], content.encode())


def test_postfix_delivers_every_domain_and_logs_what_it_took(
    relay: Postfix, certificate: Certificate
) -> None:
    for recipient in ("Li@a.example", "wang@b.example"):
        submit(relay, recipient, certificate)
    relay.wait_until_delivered()
    boxes = relay.by_recipient()
    assert [found.message["Message-ID"] for found in boxes["li@a.example"]] == ["<Li@a.example>"]
    assert boxes["wang@b.example"][0].message.get_content() == ".dot\n"
    assert {"<Li@a.example>", "<wang@b.example>"} <= set(relay.accepted_ids())


def test_postfix_refuses_and_defers_by_the_local_part(relay: Postfix) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        submit(relay, "refuse-1@a.example")
    assert refusal.value.recipients["refuse-1@a.example"][0] == 550
    submit(relay, "defer-1@a.example")
    assert relay.queued() == 1
    relay.discard_queue()
    assert relay.queued() == 0


def test_a_bounce_lands_in_the_pop3_mailbox(
    folder: Path, relay: Postfix, certificate: Certificate
) -> None:
    peers.need("dovecot-pop3d")
    submit(relay, "bounce-1@a.example")
    relay.wait_until_delivered()
    account = Account("for-this-test", relay.maildir("bounces"))
    with Dovecot(folder / "dovecot", accounts={BOUNCES: account}, certificate=certificate) as pop3:
        trust = ssl.create_default_context(cafile=str(certificate.authority))
        secure = poplib.POP3_SSL("127.0.0.1", pop3.tls_port, timeout=10, context=trust)
        report = b"\n".join(fetch_only(secure, account.password))
        assert b"Final-Recipient: rfc822; bounce-1@a.example" in report
        assert b"Delivered-To: bounces+a1b2@hongyan.example" in report
        plain = poplib.POP3("127.0.0.1", pop3.port, timeout=10)
        assert log_in(plain, account.password) == 0


def log_in(client: poplib.POP3, password: str) -> int:
    client.user(BOUNCES)
    client.pass_(password)
    messages, _size = client.stat()
    client.quit() if messages == 0 else None
    return messages


def fetch_only(client: poplib.POP3, password: str) -> list[bytes]:
    assert log_in(client, password) == 1
    _reply, lines, _size = client.retr(1)
    client.dele(1)
    client.quit()
    return lines


def test_dovecot_refuses_a_wrong_password(folder: Path) -> None:
    peers.need("dovecot-pop3d")
    account = Account("right", folder / "nobody's" / "Maildir")
    with Dovecot(folder / "dovecot-plain", accounts={BOUNCES: account}) as pop3:
        client = poplib.POP3("127.0.0.1", pop3.port, timeout=10)
        client.user(BOUNCES)
        with pytest.raises(poplib.error_proto):
            client.pass_("wrong")
        client.close()


def test_an_expired_certificate_is_expired(folder: Path) -> None:
    peers.need("dovecot-pop3d")
    old = make_certificate(folder / "old", days=-1)
    account = Account("right", folder / "other" / "Maildir")
    with Dovecot(folder / "dovecot-old", accounts={BOUNCES: account}, certificate=old) as pop3:
        trust = ssl.create_default_context(cafile=str(old.authority))
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            poplib.POP3_SSL("127.0.0.1", pop3.tls_port, timeout=10, context=trust)


def test_smtp_sink_keeps_what_smtp_source_sends(folder: Path) -> None:
    peers.need("postfix")
    with SmtpSink(folder / "sink", keep=True) as sink:
        seconds = smtp_source(sink.port, messages=20, sessions=2, size=500)
        assert len(sink.contents()) == 20
    assert seconds > 0


def test_chromium_draws_a_page(browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.set_content("<p>工资条</p>")
    assert page.text_content("p") == "工资条"
    page.context.close()
