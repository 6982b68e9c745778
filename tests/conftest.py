"""For every test: the environment before Django loads, the markers, the database, the closing lines."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.utils import translation

from tests import environment, peers
from tests.servers import sharing, template

# Before any test module is collected: with plain pytest nobody else has named the settings yet.
environment.prepare()
# A real hash takes a quarter of a second of the processor; what is about its time asks for it.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
django.setup()

ONLY_BOTH_DATABASES = os.environ.get(environment.ONLY_BOTH_DATABASES) == "1"
MARKERS = (
    "both_databases: `make test` runs it on SQLite too, not on PostgreSQL alone",
    "slow: takes more than two seconds",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> sharing.ByFile:
    return sharing.ByFile(config, log)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A file without the marker need not be imported to leave its tests out."""
    if ONLY_BOTH_DATABASES and collection_path.suffix == ".py":
        return "both_databases" not in collection_path.read_text(encoding="utf-8") or None
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        sharing.put_slow_first(items)
    if not ONLY_BOTH_DATABASES:
        return
    kept = [item for item in items if item.get_closest_marker("both_databases")]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """On SQLite the test database is a file, as in production: threads then have connections.

    Each of several processes of pytest has a database of its own.
    """
    database, templates = settings.DATABASES["default"], template.folder()
    if database["ENGINE"].endswith("sqlite3"):
        path = tmp_path_factory.mktemp("sqlite") / "test.sqlite3"
        database["TEST"]["NAME"] = str(path)
        if templates is not None:
            template.sqlite_copy(templates, path)
    elif templates is not None:
        database["TEST"]["TEMPLATE"] = template.on_postgres(os.environ["DATABASE_URL"])


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """The copied file is taken as it is."""
    is_file = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    return bool(request.config.option.reuse_db) or (is_file and template.folder() is not None)


@pytest.fixture(autouse=True)
def language_of_its_own() -> Iterator[None]:
    """A request leaves its language active in the thread."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, once for all that one process runs: Playwright has one event loop a thread.

    A test opens its own context (`browser.new_context()`).
    """
    from tests.servers.chromium import launched

    peers.need("chromium")
    with launched() as browser:
        yield browser


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    skips = _skips(reporter)
    if skips and peers.are_required() and session.exitstatus in (0, 5):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if path := os.environ.get(environment.TOTALS):
        totals = {
            "outcomes": {name: len(found) for name, found in reporter.stats.items() if name},
            "skips": dict(skips),
            "failed": [
                report.nodeid
                for name in ("failed", "error")
                for report in reporter.stats.get(name, ())
            ],
        }
        # The folder is gone if the runner was killed.
        with contextlib.suppress(FileNotFoundError):
            Path(path).write_text(json.dumps(totals), encoding="utf-8")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    line = peers.sentence(_skips(terminalreporter), peers_required=peers.are_required())
    if line:
        terminalreporter.write_line(line, yellow=True)


def _skips(reporter: Any) -> Counter[str]:
    return peers.tally(str(report.longrepr[2]) for report in reporter.stats.get("skipped", ()))
