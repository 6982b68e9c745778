"""Fixtures of the pipeline's tests: a scripted relay, and a ledger that is new for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay


@pytest.fixture(autouse=True)
def new_ledger(settings: object) -> Iterator[None]:
    """In the process: what is tested here is not Redis."""
    # Late: pytest loads this file before Django is set up when the folder is named.
    from campaigns.pipeline import ledger as ledgers

    settings.EMBEDDED = True
    ledgers.ledger.cache_clear()
    yield
    ledgers.ledger.cache_clear()


@pytest.fixture
def server() -> Iterator[ScriptedRelay]:
    with ScriptedRelay(RelayOptions()) as relay:
        yield relay
