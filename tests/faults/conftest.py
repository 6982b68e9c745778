"""One live site for the whole folder, on a PostgreSQL and a Redis of its own that may be broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.site import LiveSite
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay
from tests.faults.rig import ENVIRONMENT, Rig
from tests.servers.folder import temporary_folder
from tests.servers.postgres import Postgres


@pytest.fixture(scope="session")
def whole_rig() -> Iterator[Rig]:
    with temporary_folder() as folder, Postgres(folder / "postgres") as postgres:
        site = LiveSite(folder / "site", postgres.url)
        site.env |= ENVIRONMENT
        rig = Rig(site, postgres)
        try:
            yield rig
        finally:
            rig.close()
            site.close()


@pytest.fixture
def rig(whole_rig: Rig) -> Iterator[Rig]:
    """Two workers and one beat run; what a test broke is mended after it."""
    whole_rig.ready()
    yield whole_rig
    whole_rig.mend()
    whole_rig.clear()


@pytest.fixture
def new_ledger(settings: object) -> Iterator[None]:
    """In the process: for tests that are not about Redis."""
    from campaigns.pipeline import ledger as ledgers

    settings.EMBEDDED = True
    ledgers.ledger.cache_clear()
    yield
    ledgers.ledger.cache_clear()


@pytest.fixture
def server() -> Iterator[ScriptedRelay]:
    with ScriptedRelay(RelayOptions()) as relay:
        yield relay
