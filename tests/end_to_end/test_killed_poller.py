"""kill -9 in the middle of a real Dovecot's maildrop: each message is recorded once, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from accounts.models import BounceMailbox, Team
from campaigns.models import Feedback, MaildropMessage, Suppression
from campaigns.models.feedback import Proof
from tests import peers
from tests.end_to_end.site import ROOT
from tests.end_to_end.test_maildrop import (
    LETTERS,
    QUOTED,
    REPLIES,
    SIGNED,
    UNPROVEN,
    deliver,
    left_in,
    proofs,
    returned,
)
from tests.pipeline import returned_mail as mail
from tests.servers.dovecot import Account, Dovecot
from tests.servers.folder import temporary_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]
PER_ROUND = SIGNED + QUOTED + UNPROVEN + REPLIES + LETTERS


@pytest.fixture
def maildrop() -> Iterator[Dovecot]:
    peers.need("dovecot-pop3d")
    peers.need("dovecot-imapd")
    with temporary_folder() as folder:
        accounts = {mail.LOGIN: Account(mail.PASSWORD, folder / "bounces" / "Maildir")}
        with Dovecot(folder / "dovecot", accounts=accounts, imap=True) as server:
            yield server


class Poller:
    """A process of its own on the test's database."""

    def __init__(self, mailbox: BounceMailbox, folder: Path) -> None:
        self.mailbox, self.log = mailbox, folder / "poller.log"
        # Whoever held the lease is dead, which its end would show ten minutes later.
        BounceMailbox.objects.filter(pk=mailbox.pk).update(poll_lease_until=None)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.poller", str(mailbox.pk)],
                cwd=ROOT,
                env=os.environ | {"DATABASE_URL": database_url()},
                stdout=log,
                stderr=log,
            )

    def killed_when(self, is_time: Callable[[], bool]) -> None:
        try:
            until = time.monotonic() + 600
            while not is_time():
                assert time.monotonic() < until, self.log.read_text()[-2000:]
                assert self.process.poll() is None, self.log.read_text()[-2000:]
                time.sleep(0.02)
        finally:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)


def database_url() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def killed_again_and_again(
    mailbox: BounceMailbox, maildir: Path, folder: Path, rounds: int, kills: list[int]
) -> None:
    """Kills the poller at each of these numbers of recorded messages, and lets the last one end."""
    recorded = MaildropMessage.objects.count
    for number in kills:
        Poller(mailbox, folder).killed_when(lambda number=number: recorded() >= number)  # type: ignore[misc]
        assert recorded() < PER_ROUND * rounds, "it was killed in the middle"
    ours = (SIGNED + QUOTED) * rounds
    gone = MaildropMessage.objects.exclude(deleted_at=None).filter(ours=True)
    Poller(mailbox, folder).killed_when(
        lambda: recorded() == PER_ROUND * rounds and left_in(maildir) == PER_ROUND * rounds - ours
    )
    assert gone.count() <= ours
    assert proofs() == {
        ("bounce", Proof.RETURN_PATH): SIGNED * rounds,
        ("bounce", Proof.MESSAGE_ID): QUOTED * rounds,
        ("bounce", Proof.NONE): UNPROVEN * rounds,
        ("auto_reply", Proof.RETURN_PATH): REPLIES * rounds,
    }
    assert Feedback.objects.values("delivery").distinct().count() == Feedback.objects.count()
    assert Suppression.objects.count() == ours


def test_five_thousand_mixed_messages_by_pop3(maildrop: Dovecot, tmp_path: Path) -> None:
    campaign = mail.a_sent_campaign(Team.objects.create(name="甲公司", suppressions_per_hour=0))
    maildir = maildrop.accounts[mail.LOGIN].maildir
    deliver(maildir, returned(campaign, 50))
    assert left_in(maildir) == 5_000
    mailbox = mail.a_mailbox(campaign.team, maildrop.port)
    killed_again_and_again(mailbox, maildir, tmp_path, 50, [300, 1_900, 2_001, 3_000, 4_000])


def test_six_hundred_by_imap(maildrop: Dovecot, tmp_path: Path) -> None:
    campaign = mail.a_sent_campaign(Team.objects.create(name="甲公司", suppressions_per_hour=0))
    maildir = maildrop.accounts[mail.LOGIN].maildir
    deliver(maildir, returned(campaign, 6))
    mailbox = mail.a_mailbox(
        campaign.team,
        maildrop.imap_port,
        protocol="imap",
        leaving="ours_moved",
        moved_to="已处理",
    )
    killed_again_and_again(mailbox, maildir, tmp_path, 6, [50, 200, 350])
