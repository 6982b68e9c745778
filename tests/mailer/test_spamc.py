"""SpamAssassin's verdict, asked of a real spamd by its own client."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.mailer.spamc import SpamcFailure, ask_spamc, read_report
from tests import peers

# https://spamassassin.apache.org/gtube/ : every SpamAssassin takes this line for spam.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
HEAD = "From: a@example.com\r\nTo: b@example.com\r\nSubject: News\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A private spamd without the network, from its own configuration folder."""
    spamd = peers.program("spamd")
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        options = ["-L", "-m", "1", "-i", "127.0.0.1", "-p", str(number), "-s", "null"]
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        server = subprocess.Popen(
            [spamd, *options, *user, "-H", folder], stderr=subprocess.DEVNULL, cwd=folder
        )
        try:
            _wait_for(number, server)
            yield number
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "spamd ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("spamd did not start")


def ask(port: int, body: str) -> float:
    spamc = str(peers.program("spamc"))
    verdict = ask_spamc(
        (HEAD + body).encode(), program=spamc, options=("-d", "127.0.0.1", "-p", str(port))
    )
    assert verdict.rules
    assert verdict.is_spam == (verdict.score >= verdict.threshold)
    return verdict.score


def test_spam_and_an_ordinary_letter_are_told_apart(port: int) -> None:
    assert ask(port, f"Buy\r\n{GTUBE}\r\n") > 900
    assert ask(port, "Hello Bob, the minutes of yesterday are attached.\r\n") < 5


def test_a_server_that_is_away_is_a_failure_and_no_good_verdict() -> None:
    spamc = str(peers.program("spamc"))
    with pytest.raises(SpamcFailure):
        ask_spamc(HEAD.encode(), program=spamc, options=("-d", "127.0.0.1", "-p", "1"))


def test_a_client_that_says_something_else_is_a_failure(tmp_path: Path) -> None:
    odd = tmp_path / "spamc"
    odd.write_text("#!/bin/sh\ncat >/dev/null; echo hello\n")
    odd.chmod(odd.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(SpamcFailure):
        ask_spamc(HEAD.encode(), program=str(odd))


def test_the_rules_are_read_the_gravest_first() -> None:
    report = (
        "6.1/5.0\nSpam detection…\n\n pts rule name              description\n"
        "---- ----------------\n-0.0 NO_RELAYS              Informational\n"
        " 0.5 SUBJ_ALL_CAPS          Subject is all capitals\n"
        "                            [a.example]\n1000 GTUBE                  BODY: test\n"
    )
    verdict = read_report(report)
    assert (verdict.score, verdict.threshold, verdict.is_spam) == (6.1, 5.0, True)
    assert [rule.name for rule in verdict.rules] == ["GTUBE", "SUBJ_ALL_CAPS", "NO_RELAYS"]
