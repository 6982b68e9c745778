"""A real Dovecot with two thousand messages, and a line that is cut in the middle: each is recorded once."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from accounts.models import BounceMailbox, Team
from campaigns.models import Campaign, Delivery, Feedback, MaildropMessage, Suppression
from campaigns.models.campaign import CampaignCount
from campaigns.models.feedback import Proof
from campaigns.pipeline import collect
from campaigns.pipeline.counts import BOUNCED
from tests import peers
from tests.pipeline import returned_mail as mail
from tests.servers.dovecot import Account, Dovecot
from tests.servers.folder import temporary_folder

# Of each hundred: bounces to the signed return path, by Message-ID, unproven; replies and letters.
SIGNED, QUOTED, UNPROVEN, REPLIES, LETTERS = 50, 15, 10, 10, 15
ROUNDS = 20


class CutLine:
    """A line to a port on loopback that is cut after so many octets from the server (None: never)."""

    def __init__(self, port: int) -> None:
        self.after: int | None = None
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
                back = threading.Thread(target=self._pass, args=(client, server, None))
                back.start()
                self._pass(server, client, self.after)
                back.join(5)

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                target.sendall(octets[:left])
                left = None if left is None else left - len(octets)
                if left is not None and left <= 0:
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def maildrop() -> Iterator[Dovecot]:
    peers.need("dovecot-pop3d")
    with temporary_folder() as folder:
        accounts = {mail.LOGIN: Account(mail.PASSWORD, folder / "bounces" / "Maildir")}
        with Dovecot(folder / "dovecot", accounts=accounts) as server:
            yield server


def deliver(maildir: Path, messages: list[bytes]) -> None:
    """Puts them into the Maildir, owned by who serves it."""
    owner = maildir.stat()
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(exist_ok=True)
        os.chown(maildir / name, owner.st_uid, owner.st_gid)
    for number, raw in enumerate(messages, 1):
        path = maildir / "new" / f"{1_700_000_000 + number}.M{number}.host"
        path.write_bytes(raw)
        os.chown(path, owner.st_uid, owner.st_gid)


def left_in(maildir: Path) -> int:
    return sum(len(list((maildir / name).iterdir())) for name in ("cur", "new"))


def returned(campaign: Campaign, rounds: int = ROUNDS) -> list[bytes]:
    """Everything mixed as it would come."""
    per_round = SIGNED + QUOTED + UNPROVEN + REPLIES
    template = mail.a_delivery(campaign, "first@customer.example", number=10**6)
    fields = {
        name: getattr(template, name)
        for name in ("team", "campaign", "domain", "due_at", "deliver_until", "state", "changed_at")
    }
    sent = Delivery.objects.bulk_create(
        Delivery(
            source_key=f"c{number}",
            address=f"r{number}@customer.example",
            address_key=f"r{number}@customer.example",
            **fields,
        )
        for number in range(per_round * rounds)
    )
    for each in sent:
        each.message_id = mail.own_message_id(each)
    Delivery.objects.bulk_update(sent, ["message_id"])
    mails = []
    for number in range(rounds):
        batch = iter(sent[number * per_round : (number + 1) * per_round])
        for _, each in zip(range(SIGNED), batch, strict=False):
            mails.append(mail.a_bounce(each.address, to=mail.return_path(each)))
        for _, each in zip(range(QUOTED), batch, strict=False):
            mails.append(mail.a_bounce(each.address, message_id=each.message_id))
        for _, each in zip(range(UNPROVEN), batch, strict=False):
            mails.append(mail.a_bounce(each.address, message_id="<forged@corp.example.com>"))
        for _, each in zip(range(REPLIES), batch, strict=False):
            mails.append(mail.an_auto_reply(each.address, to=mail.return_path(each)))
        mails += [mail.a_letter(f"{number}.{letter}") for letter in range(LETTERS)]
    return mails


def proofs() -> Counter[tuple[str, str]]:
    return Counter(Feedback.objects.values_list("kind", "proof"))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.django_db(transaction=True)
def test_two_thousand_messages_over_a_line_that_is_cut(maildrop: Dovecot) -> None:
    campaign = mail.a_sent_campaign(Team.objects.create(name="甲公司", suppressions_per_hour=0))
    maildir = maildrop.accounts[mail.LOGIN].maildir
    deliver(maildir, returned(campaign))
    with CutLine(maildrop.port) as line:
        mailbox = mail.a_mailbox(campaign.team, line.port)
        for line.after in (100_000, 500_000, 60_000):
            collect.poll(mailbox.pk)
            mailbox.refresh_from_db()
            assert mailbox.last_error == "lost"
        assert 0 < MaildropMessage.objects.count() < 2_000
        assert left_in(maildir) == 2_000  # what was marked and not quit is still there
        line.after = None
        poll_until_done(mailbox)
    ours = (SIGNED + QUOTED) * ROUNDS
    assert MaildropMessage.objects.count() == 2_000
    assert MaildropMessage.objects.exclude(deleted_at=None).count() == ours
    assert left_in(maildir) == 2_000 - ours
    assert proofs() == {
        ("bounce", Proof.RETURN_PATH): SIGNED * ROUNDS,
        ("bounce", Proof.MESSAGE_ID): QUOTED * ROUNDS,
        ("bounce", Proof.NONE): UNPROVEN * ROUNDS,
        ("auto_reply", Proof.RETURN_PATH): REPLIES * ROUNDS,
    }
    assert Feedback.objects.values("delivery").distinct().count() == Feedback.objects.count()
    assert Suppression.objects.count() == ours
    assert CampaignCount.objects.get(campaign=campaign, state=BOUNCED).number == ours


def poll_until_done(mailbox: BounceMailbox) -> None:
    """The messages that the cuts hit wait a while before they are tried again, one a poll."""
    for _ in range(6):
        MaildropMessage.objects.filter(verdict="broke").update(seen_at="2026-01-01T00:00:00Z")
        collect.poll(mailbox.pk)
        mailbox.refresh_from_db()
        assert mailbox.last_error == ""
