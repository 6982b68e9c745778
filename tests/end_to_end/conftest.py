"""The real parts of the end-to-end tests: browser, site, Postfix and Dovecot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.end_to_end.site import LiveSite
from tests.servers.certificate import make_certificate
from tests.servers.dovecot import Account, Dovecot
from tests.servers.folder import temporary_folder
from tests.servers.postfix import Postfix
from tests.servers.postgres import Postgres

BOUNCES = "bounces@hongyan.example"
BOUNCES_PASSWORD = "only-for-this-run"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The PostgreSQL server of `make test`; under plain pytest one that is started for it."""
    if os.environ["DATABASE_URL"].startswith("postgres"):
        yield os.environ["DATABASE_URL"]
        return
    with temporary_folder() as folder, Postgres(folder / "postgres") as server:
        yield server.url


@pytest.fixture
def live_site(tmp_path: Path, postgres_url: str) -> Iterator[LiveSite]:
    """A migrated site without processes: `spawn` them."""
    site = LiveSite(tmp_path, postgres_url)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    """A relay that delivers every domain here, with a mailbox for bounces and STARTTLS."""
    peers.need("postfix")
    with temporary_folder() as folder:
        certificate = make_certificate(folder / "tls")
        mailboxes = {BOUNCES: "bounces"}
        with Postfix(folder / "postfix", mailboxes=mailboxes, certificate=certificate) as server:
            yield server


@pytest.fixture
def dovecot(postfix: Postfix) -> Iterator[Dovecot]:
    """POP3 over the relay's mailbox for bounces."""
    peers.need("dovecot-pop3d")
    accounts = {BOUNCES: Account(BOUNCES_PASSWORD, postfix.maildir("bounces"))}
    with temporary_folder() as folder:
        certificate = make_certificate(folder / "tls")
        with Dovecot(folder / "dovecot", accounts=accounts, certificate=certificate) as server:
            yield server
