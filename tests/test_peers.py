"""What is missing is counted, named, and fails the run where nothing may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import peers

ROOT = Path(__file__).parents[1]

SAMPLE = """
import pytest
from tests import peers

def test_it_runs():
    assert True

@pytest.mark.both_databases
def test_it_runs_on_both():
    assert True

@pytest.mark.parametrize("number", [1, 2])
def test_it_needs_what_nobody_has(number, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(peers.PEERS, "postfix", peers.Peer("postfix", "/nowhere/postfix"))
    peers.need("postfix")
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
    return folder / "test_sample.py"


def run(*arguments: str | Path, module: str = "pytest", **env: str) -> tuple[int, list[str]]:
    """Exit code and lines; the sample's own conftest is ours, by name."""
    options = ["-p", "tests.conftest", "-o", "DJANGO_SETTINGS_MODULE=", "--rootdir", str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-m", module, "-c", ROOT / "pyproject.toml", *options, *arguments],
        cwd=ROOT,
        env={**os.environ, "HONGYAN_REQUIRE_PEERS": "", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout.splitlines()


def test_a_run_names_what_was_missing_and_how_to_get_it(sample: Path) -> None:
    code, lines = run(sample)
    assert code == 0
    assert "2 tests could not run for want of: postfix (2). `make peers`" in "\n".join(lines[-4:])


def test_a_run_that_must_skip_nothing_fails(sample: Path) -> None:
    code, lines = run(sample, HONGYAN_REQUIRE_PEERS="1")
    assert code == 1
    assert "FAILED" in "\n".join(lines[-4:])


def test_a_run_without_skips_says_nothing_of_peers(sample: Path) -> None:
    code, lines = run(sample, "-k", "runs", HONGYAN_REQUIRE_PEERS="1")
    assert code == 0
    assert "want of" not in "\n".join(lines)


def test_make_test_runs_both_databases_and_gives_both_totals(sample: Path) -> None:
    servers = {"DATABASE_URL": "", "REDIS_URL": "redis://127.0.0.1:9/0"}
    code, lines = run(sample, module="tests.servers", **servers)
    assert code == 0
    assert lines[-1].startswith("SQLite: 1 passed; PostgreSQL ")
    assert lines[-1].endswith(": 2 passed, 2 skipped — green")
    assert "2 tests could not run" in lines[-2]


def test_make_test_is_red_if_one_of_the_two_is(sample: Path) -> None:
    text = SAMPLE.replace("def test_it_runs_on_both():\n    assert True", BROKEN_ON_SQLITE)
    sample.write_text(text, encoding="utf-8")
    code, lines = run(sample, module="tests.servers", DATABASE_URL="", REDIS_URL="redis://x")
    assert code == 1
    assert lines[-1].startswith("SQLite: 1 failed; PostgreSQL ")
    assert lines[-1].endswith("RED")


BROKEN_ON_SQLITE = """def test_it_runs_on_both():
    import os
    assert not os.environ["DATABASE_URL"].startswith("sqlite")"""


def test_the_sentence_tells_other_skips_apart() -> None:
    counts = peers.tally(["Skipped: peer: chromium", "Skipped: peer: chromium", "Skipped: no time"])
    assert counts == Counter({"chromium": 2, "no time": 1})
    assert peers.sentence(counts, peers_required=False).startswith(
        "3 tests could not run for want of: chromium (2), no time (1)."
    )
    assert peers.sentence(Counter(), peers_required=True) == ""


def test_an_unknown_peer_is_a_mistake_in_the_test() -> None:
    with pytest.raises(KeyError):
        peers.missing("no-such-peer")
